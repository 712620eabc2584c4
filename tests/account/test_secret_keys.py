"""Secrets under a key, with a KMS that keeps what it is given; real ones are in ``tests/aws``."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms.base import Caller
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import KEY
from tests.support.identities import OTHER, allow, client, deny, new_user, served

VALUE, TOKEN = "correct-horse-1", "t" * 32


class Keys:
    """A data key is its own ciphertext, with the encryption context; ``works`` while it opens."""

    works = True

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert caller.invoked_by == "secretsmanager.amazonaws.com"
        if not self.works:
            raise KmsError("It is disabled.", code="DisabledException")
        context = json.dumps(parameters["EncryptionContext"]).encode()
        if operation == "GenerateDataKey":
            time.sleep(0.005)  # so that creations at once overlap
            return {"Plaintext": bytes(32), "CiphertextBlob": context}
        assert (operation, parameters["CiphertextBlob"]) == ("Decrypt", context)
        return {"Plaintext": bytes(32)}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("secrets") / "state") as served_testbed:
        served_testbed.testbed.kms = Keys()
        yield served_testbed


def kept(aws: Served, value: str) -> bool:
    """Return whether a value is in what is kept."""
    folder = aws.testbed.state.folder
    return any(value.encode() in path.read_bytes() for path in folder.glob("account.sqlite*"))


def test_a_secret_has_its_key_and_tags_however_it_is_named(aws: Served) -> None:
    secrets = aws.client("secretsmanager")
    tags = [{"Key": "team", "Value": "red"}]
    arn = secrets.create_secret(Name="part", SecretString="x", KmsKeyId=KEY, Tags=tags)["ARN"]
    without_end = arn[: -len("-123456")]
    secrets.put_secret_value(SecretId=without_end, SecretString=VALUE)
    assert secrets.get_secret_value(SecretId=without_end)["SecretString"] == VALUE
    assert not kept(aws, VALUE)
    of_red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    person = new_user(aws, "not-red", allow("secretsmanager:*"), deny("*", Condition=of_red))
    read = client(aws, "secretsmanager", person).get_secret_value
    for name in ("part", arn, without_end):
        assert refusal(read, SecretId=name)["Code"] == "AccessDeniedException", name
    foreign = without_end.replace(":000000000000:", f":{OTHER}:")
    assert f"on resource: {foreign}" in refusal(read, SecretId=foreign)["Message"]


def test_a_request_that_is_sent_again_is_answered_again(aws: Served) -> None:
    secrets = aws.client("secretsmanager")
    sent = {"Name": "again", "SecretString": VALUE, "ClientRequestToken": TOKEN}
    first = secrets.create_secret(**sent, KmsKeyId=KEY)
    assert secrets.create_secret(**sent, KmsKeyId=KEY)["ARN"] == first["ARN"]
    put = {"SecretId": "again", "SecretBinary": b"\x00", "ClientRequestToken": "u" * 32}
    for _ in range(2):
        assert secrets.put_secret_value(**put)["VersionId"] == "u" * 32
    refused = refusal(secrets.put_secret_value, **{**put, "SecretBinary": b"\x01"})
    assert refused["Code"] == "ResourceExistsException"
    assert secrets.get_secret_value(SecretId="again", VersionId=TOKEN)["SecretString"] == VALUE


def test_a_parameter_that_stands_for_a_secret_needs_what_the_secret_needs(aws: Served) -> None:
    secrets, name = aws.client("secretsmanager"), "/aws/reference/secretsmanager/behind"
    arn = secrets.create_secret(Name="behind", SecretString=VALUE, KmsKeyId=KEY)["ARN"]
    secrets.put_secret_value(SecretId="behind", SecretString=f"{VALUE}-2")
    read = aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert read["Value"] == f"{VALUE}-2"
    person = new_user(aws, "of-parameters", allow("ssm:*"))
    ssm = client(aws, "ssm", person)
    refused = refusal(ssm.get_parameters, Names=[name], WithDecryption=True)
    assert refused["Code"] == "AccessDeniedException"
    assert f"secretsmanager:GetSecretValue on resource: {arn}" in refused["Message"]


def test_what_cannot_be_kept_is_refused(aws: Served) -> None:
    secrets = aws.client("secretsmanager")
    both = {"SecretString": "x", "SecretBinary": b"x"}
    for key in ({}, {"KmsKeyId": KEY}):
        refused = refusal(secrets.create_secret, Name="both", **both, **key)
        assert (refused["Code"], refused["Status"]) == ("InvalidParameterException", 400)
    for change in ({"KmsKeyId": KEY}, {"KmsKeyId": KEY, "SecretString": "x"}):
        refused = refusal(secrets.update_secret, SecretId="nobody's", **change)
        assert (refused["Code"], refused["Status"]) == ("ResourceNotFoundException", 400)


def test_one_of_two_creations_at_once_can_be_read(aws: Served) -> None:
    secrets = aws.client("secretsmanager")

    def create(number: int) -> bool:
        try:
            secrets.create_secret(Name=f"race-{number // 4}", SecretString=VALUE, KmsKeyId=KEY)
        except secrets.exceptions.ResourceExistsException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(40))) == 10
    for number in range(10):
        assert secrets.get_secret_value(SecretId=f"race-{number}")["SecretString"] == VALUE


def test_without_its_key_a_secret_is_not_read(aws: Served) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="closed", SecretString=VALUE, KmsKeyId=KEY)
    aws.testbed.kms.works = False  # type: ignore[attr-defined]
    try:
        assert refusal(secrets.get_secret_value, SecretId="closed")["Code"] == "DecryptionFailure"
    finally:
        aws.testbed.kms.works = True  # type: ignore[attr-defined]
