"""The testbed's default broker of each engine: one instance under a customer managed key."""

import secrets
from dataclasses import dataclass

from testbed.broker import encryption, rules, topology
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.broker.service import Brokers
from testbed.engines.base import User
from testbed.errors import KmsError, NotFoundException, TestbedError
from testbed.kms.base import Caller, Kms
from testbed.runtime import images

NAMES = {"RABBITMQ": "rabbitmq", "ACTIVEMQ": "activemq"}
USERNAME = "testbed"


@dataclass(frozen=True)
class DefaultBrokerOptions:
    """Wishes for a default broker. An empty value means none, and the default for a new broker."""

    engine_version: str = ""
    image: str = ""
    fixed_ports: bool = False
    kms_key_id: str = ""


def ensure(
    brokers: Brokers, kms: Kms, user: Caller, engine_type: str, options: DefaultBrokerOptions
) -> Broker:
    """Return the user's default broker of ``engine_type``.

    Create it, or start its stopped nodes again. Raises ``TestbedError`` if it is not as ``options``
    want it, and what ``Brokers.create`` and ``Upkeep.revive`` raise.
    """
    name = NAMES[engine_type]
    try:
        _require(brokers.peek(name, user), kms, user, options)
        return brokers.upkeep.revive(name, user)
    except NotFoundException:
        pass
    key_id = options.kms_key_id or customer_key(kms, user, f"alias/testbed-{name}")
    return brokers.create(_request(engine_type, options, key_id), user)


def check(engine_type: str, options: DefaultBrokerOptions) -> None:
    """Check what can be known of a broker that does not exist yet, before KMS runs.

    Raises ``BadRequestException`` or ``PortTaken``.
    """
    request = _request(engine_type, options, options.kms_key_id)
    rules.check_create(request, ())
    if options.kms_key_id:
        encryption.check_key_id(options.kms_key_id)
    topology.check_ports(request)


def _request(engine_type: str, options: DefaultBrokerOptions, key_id: str) -> CreateBroker:
    groups = ("admins",) if engine_type == "ACTIVEMQ" else ()
    return CreateBroker(
        broker_name=NAMES[engine_type],
        engine_type=engine_type,
        engine_version=options.engine_version,
        storage_type="EBS",
        users=(User(USERNAME, new_password(), groups=groups),),
        encryption_options=EncryptionOptions(use_aws_owned_key=False, kms_key_id=key_id),
        fixed_ports=options.fixed_ports,
        image=options.image,
    )


def _require(broker: Broker, kms: Kms, user: Caller, options: DefaultBrokerOptions) -> None:
    """Raise ``TestbedError`` unless the broker is as ``options`` want it."""
    ports = all(end.port == end.documented_port for end in broker.endpoints)
    differences = []
    if options.engine_version not in ("", broker.engine_version):
        differences.append(f"has version {broker.engine_version}, not {options.engine_version}")
    if options.image and images.own(broker.engine_type, options.image).tag != broker.image:
        differences.append(f"runs {broker.runs}, not {options.image}")
    if options.fixed_ports and not ports:
        differences.append("has not the documented ports")
    if options.kms_key_id:
        answer = kms.call(user, "DescribeKey", {"KeyId": options.kms_key_id})
        if (arn := str(answer["KeyMetadata"]["Arn"])) != broker.key_arn:
            differences.append(f"is under the key {broker.key_arn}, not {arn}")
    if differences:
        raise TestbedError(
            f"The broker {broker.broker_name} exists already, and {' and '.join(differences)}.",
            hint="`testbed up` without the option keeps it; `testbed down` removes everything.",
        )


def customer_key(kms: Kms, user: Caller, alias: str) -> str:
    """Return the ARN of the user's key behind ``alias``; create both on first use.

    Raises ``KmsError``.
    """
    try:
        return str(kms.call(user, "DescribeKey", {"KeyId": alias})["KeyMetadata"]["Arn"])
    except KmsError as error:
        if error.code != "NotFoundException":
            raise
    description = f"Encrypts the testbed's {alias.removeprefix('alias/testbed-')} broker"
    answer = kms.call(user, "CreateKey", {"Description": description})
    arn = str(answer["KeyMetadata"]["Arn"])
    kms.call(user, "CreateAlias", {"AliasName": alias, "TargetKeyId": arn})
    return arn


def new_password() -> str:
    """Return a random password that needs no quoting in a URL."""
    return secrets.token_urlsafe(18)
