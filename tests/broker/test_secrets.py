"""Every secret that a testbed makes is in its own files alone; planted ones are found."""

import base64
import io
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from testbed.aws.endpoint import Endpoint
from testbed.daemon import process
from testbed.kms import material as materials
from testbed.kms.base import USER
from testbed.kms.ledger import Ledger
from testbed.kms.localstack import LocalStackKms
from testbed.library import MqBroker
from testbed.runtime.cleanup import LABEL
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for
from tests.support.command_line import CommandLine
from tests.support.secret_search import (
    Places,
    lines_of,
    places_of_container,
    places_of_folder,
    places_of_machine,
    places_with,
    readable_by_others,
)

pytestmark = pytest.mark.containers
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("endpoints",),
    ("advise",),
    ("trail", "--limit", "1000"),
    ("logs", "rabbitmq"),
    ("logs", "activemq"),
    ("logs", "kms"),
    ("trail", "--export", "written"),
    ("scenario", "run", "api_tls", "--report", "written"),
)
# Files of the testbed's own, for the user who runs it: passwords and keys, and what KMS keeps.
OWN = re.compile(r"state/(state|kms)\.sqlite(-wal)?|testbed-\w+-kms: volumes")


@pytest.fixture
def endpoint(testbed: Testbed) -> Iterator[Endpoint]:
    """Serve the session's testbed as `testbed up` does, with a log of its own."""
    with process.launch(testbed.state.folder) as launch:
        launch.serve()
    server = process.find(testbed.state.folder)
    assert server
    yield Endpoint.of(testbed, server.port)
    process.stop(testbed.state.folder)


def secrets_of_kms(testbed: Testbed, endpoint: Endpoint) -> Iterator[tuple[str, bytes]]:
    """Use KMS in every way that has a secret in it, refusals included."""
    kms: Any = boto3.client("kms", **endpoint.client())
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    plaintext = f"plaintext-{secrets.token_hex(12)}".encode()
    blob = kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
    yield "plaintext", plaintext
    yield "data key", kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    yield "private key of a data key pair", pair["PrivateKeyPlaintext"]
    yield "random bytes", kms.generate_random(NumberOfBytes=32)["Plaintext"]
    refused = f"refused-{secrets.token_hex(12)}".encode()
    with pytest.raises(ClientError):
        kms.encrypt(KeyId=secrets.token_hex(8), Plaintext=refused)
    yield "refused plaintext", refused
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=USER.principal, Operations=["Decrypt"], Name="one"
    )
    yield "grant token", grant["GrantToken"].encode()

    external = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    parameters = kms.get_parameters_for_import(
        KeyId=external, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    material = secrets.token_bytes(32)
    kms.import_key_material(
        KeyId=external,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=materials.wrap(
            material, parameters["PublicKey"], "RSAES_OAEP_SHA_256"
        ),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    yield "imported material", material
    yield "import token", parameters["ImportToken"]
    for number, (secret,) in enumerate(Ledger(testbed.state)._rows("SELECT secret FROM secrets")):
        yield f"secret {number} of KMS", bytes(secret)

    # A key of LocalStack's own has the material that this tag names.
    master = secrets.token_bytes(32)
    tag = {"TagKey": "_custom_key_material_", "TagValue": base64.b64encode(master).decode()}
    own = LocalStackKms(testbed.kms_container.url)
    made = own.call(USER, "CreateKey", {"Tags": [tag]})["KeyMetadata"]["KeyId"]
    own.call(USER, "Encrypt", {"KeyId": made, "Plaintext": b"x"})
    yield "master key", master


def secrets_of_brokers(
    testbed: Testbed, endpoint: Endpoint, *brokers: MqBroker
) -> Iterator[tuple[str, bytes]]:
    """Return what the brokers have, and passwords of users who come, change and are refused."""
    for broker in brokers:
        stored = testbed.brokers.peek(broker.broker_id)
        name = stored.broker_name
        yield f"password of {name}", stored.users[0].password.encode()
        yield f"keystore password of {name}", stored.keystore_password.encode()
        data_key = volumes.open_data_key(testbed.kms, stored.nodes[0].volume)
        assert data_key
        yield f"volume's data key of {name}", data_key
        document = testbed.state.get("certificate", stored.broker_id)
        assert document
        for form, key in zip(("a line", "bytes"), lines_of(document["key"]), strict=True):
            yield f"private key of {name}, {form}", key
        assert testbed.containers.execute(
            stored.nodes[0].container_id, ["find", "/run/testbed", "-name", "volume.key"]
        ) == (0, b""), "a data key is deleted once the volume is mounted"
    authority = testbed.state.get("settings", "authority")
    assert authority
    for name, text in authority.items():
        if isinstance(text, str) and "PRIVATE KEY" in text:
            yield f"authority's {name}", list(lines_of(text))[1]

    mq: Any = boto3.client("mq", **endpoint.client())
    activemq = next(b.broker_id for b in brokers if b.engine_type == "ACTIVEMQ")
    created, changed, refused = (f"Pass-{word}-{secrets.token_hex(12)}" for word in "abc")
    mq.create_user(BrokerId=activemq, Username="someone", Password=created)
    mq.update_user(BrokerId=activemq, Username="someone", Password=changed)
    with pytest.raises(ClientError):
        mq.create_user(BrokerId=activemq, Username="other", Password=f"{refused},=:")
    mq.delete_user(BrokerId=activemq, Username="someone")
    yield "password of a new user", created.encode()
    yield "changed password", changed.encode()
    yield "refused password", refused.encode()
    in_xml = f"in-xml-{secrets.token_hex(12)}"
    configuration = mq.create_configuration(
        Name="secret", EngineType="ACTIVEMQ", EngineVersion="5.19"
    )
    data = (
        '<broker xmlns="http://activemq.apache.org/schema/core"><networkConnectors>'
        f'<networkConnector name="n" uri="static:(ssl://h:1)" userName="u" password="{in_xml}"/>'
        "</networkConnectors></broker>"
    )
    mq.update_configuration(
        ConfigurationId=configuration["Id"], Data=base64.b64encode(data.encode()).decode()
    )
    yield "password in a configuration", in_xml.encode()


def everywhere(testbed: Testbed, tmp_path: Path) -> Places:
    """Return all that the testbed wrote, that its commands print, and that the engine shows."""
    places = places_of_machine() | places_of_folder(testbed.state.folder)
    places = {re.sub("^[^ ]*?/", "state/", place): text for place, text in places.items()}
    for row in testbed.containers.find():
        places |= places_of_container(testbed, row["id"])
    command = CommandLine(tmp_path)
    for arguments in COMMANDS:
        for form in ((), ("--json",)):
            done = command.run(
                *arguments, *form, environment={"TESTBED_STATE": str(testbed.state.folder)}
            )
            assert done.returncode in (0, 1), done.stderr
            places[" ".join((*arguments, *form))] = [done.stdout.encode(), done.stderr.encode()]
    written = places_of_folder(tmp_path / "written")
    assert written, "an exported trail and a report"
    return places | written


def test_every_secret_is_in_its_own_files_alone(
    testbed: Testbed,
    rabbitmq_broker: MqBroker,
    activemq_broker: MqBroker,
    endpoint: Endpoint,
    tmp_path: Path,
) -> None:
    made = dict(secrets_of_kms(testbed, endpoint))
    made |= dict(secrets_of_brokers(testbed, endpoint, rabbitmq_broker, activemq_broker))
    assert len(made) > 20
    places = everywhere(testbed, tmp_path)
    found = {name: places_with(secret, places) for name, secret in made.items()}
    seen = {
        name: elsewhere
        for name, where in found.items()
        if (elsewhere := {place for place in where if not OWN.fullmatch(place)})
    }
    assert seen == {}
    assert found["password of rabbitmq"], "control: it is in the state's database"
    assert found["imported material"], "control: it is in KMS's ledger"
    assert found["master key"], "control: it is in LocalStack's snapshot"
    assert readable_by_others(testbed.state.folder).keys() <= {"ca.pem"}
    kms = next(row["id"] for row in testbed.containers.find("kms"))
    modes = testbed.containers.execute(kms, ["sh", "-c", "stat -c %a /var/lib/testbed-kms/*"])[1]
    assert set(modes.split()) == {b"600"}


def test_control_what_is_planted_is_found_in_every_place(
    testbed: Testbed, rabbitmq_broker: MqBroker
) -> None:
    planted = f"planted-{secrets.token_hex(12)}"
    image = testbed.brokers.peek(rabbitmq_broker.broker_id).image
    tag = f"testbed-test-{secrets.token_hex(4)}"
    recipe = io.BytesIO(f"FROM {image}\nENV PASSWORD={planted}\nENTRYPOINT []\n".encode())
    client = testbed.containers.client
    client.images.build(fileobj=recipe, tag=tag, rm=True, forcerm=True)
    volume = client.volumes.create(tag, labels={LABEL: testbed.state.instance})
    try:
        container = client.containers.run(
            tag,
            ["sh", "-c", 'echo "$1" | tee /layer /volume/file; sleep 300', "-", planted],
            detach=True,
            labels={LABEL: testbed.state.instance},
            volumes={tag: {"bind": "/volume", "mode": "rw"}},
        )
        try:
            wait_for("its log", lambda: planted.encode() in container.logs())
            places = places_of_machine() | places_of_container(testbed, container.id or "")
            for encoded in (planted.encode(), base64.b64encode(planted.encode())):
                places[f"{encoded!r}"] = [json.dumps({"a": encoded.decode()}).encode()]
            assert places_with(planted.encode(), places) == set(places)
        finally:
            container.remove(force=True)
    finally:
        volume.remove(force=True)
        client.images.remove(tag, force=True)
