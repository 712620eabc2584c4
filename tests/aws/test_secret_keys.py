"""Secrets under a key of the customer's are read with that key alone."""

import json
import uuid
from typing import Any

import pytest

from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import allow, client, new_user

pytestmark = pytest.mark.containers
VALUE = f"value-{uuid.uuid4().hex}"  # no other test stores it


@pytest.fixture
def key(aws: Served) -> str:
    return str(aws.client("kms").create_key(Description="of secrets")["KeyMetadata"]["Arn"])


def records(aws: Served, key: str, name: str) -> list[dict[str, Any]]:
    """Return the records of an operation on the key, oldest first."""
    about = {"AttributeKey": "ResourceName", "AttributeValue": key}
    events = aws.client("cloudtrail").lookup_events(LookupAttributes=[about])["Events"]
    found = [json.loads(event["CloudTrailEvent"]) for event in events]
    return [record for record in reversed(found) if record["eventName"] == name]


def test_a_secret_is_read_with_its_key_alone(aws: Served, key: str) -> None:
    secrets, kms = aws.client("secretsmanager"), aws.client("kms")
    made = secrets.create_secret(Name="under/a-key", SecretString=VALUE, KmsKeyId=key)
    assert secrets.get_secret_value(SecretId="under/a-key")["SecretString"] == VALUE
    assert secrets.describe_secret(SecretId="under/a-key")["KmsKeyId"] == key
    binary = secrets.put_secret_value(SecretId=made["ARN"], SecretBinary=b"\x00\xff")
    read = secrets.get_secret_value(SecretId="under/a-key")
    assert read["SecretBinary"] == b"\x00\xff"
    assert "SecretString" not in read
    for stored in (aws.testbed.state.folder / "account.sqlite").parent.glob("account.sqlite*"):
        assert VALUE.encode() not in stored.read_bytes()
    contexts = [
        record["requestParameters"]["encryptionContext"]
        for record in records(aws, key, "GenerateDataKey")
    ]
    validation = "RequestToValidateKeyAccess"
    assert contexts == [
        {"SecretARN": validation, "SecretVersionId": validation},
        {"SecretARN": made["ARN"], "SecretVersionId": made["VersionId"]},
        {"SecretARN": made["ARN"], "SecretVersionId": binary["VersionId"]},
    ]
    [*_, last] = records(aws, key, "Decrypt")
    assert last["userIdentity"]["invokedBy"] == "secretsmanager.amazonaws.com"

    kms.disable_key(KeyId=key)
    aws.testbed.wait_out_delay()
    refused = refusal(secrets.get_secret_value, SecretId="under/a-key")
    assert refused["Code"] == "DecryptionFailure"
    refused = refusal(secrets.put_secret_value, SecretId="under/a-key", SecretString="x")
    assert refused["Code"] == "EncryptionFailure"
    refused = refusal(secrets.create_secret, Name="another", SecretString="x", KmsKeyId=key)
    assert refused["Code"] == "EncryptionFailure"
    assert refusal(secrets.describe_secret, SecretId="another")["Code"] == (
        "ResourceNotFoundException"
    )
    batch = secrets.batch_get_secret_value(SecretIdList=["under/a-key"])
    assert batch["SecretValues"] == []
    assert batch["Errors"][0]["ErrorCode"] == "DecryptionFailure"
    kms.enable_key(KeyId=key)
    aws.testbed.wait_out_delay()
    previous = secrets.get_secret_value(SecretId="under/a-key", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == VALUE
    [secret] = secrets.batch_get_secret_value(SecretIdList=["under/a-key"])["SecretValues"]
    assert secret["SecretBinary"] == b"\x00\xff"


def test_a_reader_needs_the_key_as_well(aws: Served, key: str) -> None:
    aws.client("secretsmanager").create_secret(Name="read", SecretString=VALUE, KmsKeyId=key)
    without = new_user(aws, "without-the-secrets-key", allow("secretsmanager:*"))
    through = {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}
    both = new_user(
        aws,
        "with-the-secrets-key",
        allow("secretsmanager:*"),
        allow("kms:Decrypt", resource=key, Condition=through),
    )
    mine = client(aws, "secretsmanager", without)
    refused = refusal(mine.get_secret_value, SecretId="read")
    assert (refused["Code"], refused["Message"]) == (
        "AccessDeniedException",
        "Access to KMS is not allowed",
    )
    refused = refusal(mine.create_secret, Name="mine", SecretString="x", KmsKeyId=key)
    assert refused["Code"] == "AccessDeniedException"
    theirs = client(aws, "secretsmanager", both)
    assert theirs.get_secret_value(SecretId="read")["SecretString"] == VALUE


def test_a_secret_changes_its_key_with_its_value(aws: Served, key: str) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="changed", SecretString="old")
    refused = refusal(secrets.update_secret, SecretId="changed", KmsKeyId=key)
    assert refused["Code"] == "InvalidRequestException"
    secrets.update_secret(SecretId="changed", KmsKeyId=key, SecretString=VALUE)
    assert secrets.get_secret_value(SecretId="changed")["SecretString"] == VALUE
    assert len(records(aws, key, "GenerateDataKey")) == 2
    previous = secrets.get_secret_value(SecretId="changed", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "old"
    secrets.update_secret(SecretId="changed", Description="of the broker")
    assert secrets.get_secret_value(SecretId="changed")["SecretString"] == VALUE
