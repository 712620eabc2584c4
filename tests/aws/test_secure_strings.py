"""Parameters under a key of the customer's are read with that key alone."""

import json

import pytest

from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import ACCOUNT, allow, client, new_user

pytestmark = pytest.mark.containers
SECRET = "correct-horse-1"


def test_a_parameter_is_read_with_its_key_alone(aws: Served) -> None:
    ssm, kms = aws.client("ssm"), aws.client("kms")
    key = kms.create_key(Description="of parameters")["KeyMetadata"]["Arn"]
    name = "/secure/password"
    ssm.put_parameter(Name=name, Value=SECRET, Type="SecureString", KeyId=key)
    read = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert read["Value"] == SECRET
    assert SECRET not in ssm.get_parameter(Name=name)["Parameter"]["Value"]
    [listed] = ssm.get_parameters_by_path(Path="/secure", WithDecryption=True)["Parameters"]
    assert listed["Value"] == SECRET
    person = new_user(aws, "without-the-key", allow("ssm:*"))
    refused = refusal(client(aws, "ssm", person).get_parameter, Name=name, WithDecryption=True)
    assert refused["Code"] == "AccessDeniedException"
    assert "kms:Decrypt" in refused["Message"]
    kms.disable_key(KeyId=key)
    aws.testbed.wait_out_delay()
    refused = refusal(ssm.get_parameter, Name=name, WithDecryption=True)
    assert (refused["Code"], refused["Message"]) == ("InvalidKeyId", f"{key} is disabled.")
    refused = refusal(
        ssm.put_parameter, Name="/secure/other", Value="x", Type="SecureString", KeyId=key
    )
    assert refused["Code"] == "InvalidKeyId"
    records = [
        json.loads(event["CloudTrailEvent"])
        for event in aws.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
        )["Events"]
    ]
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/secure/password"
    contexts = [record["requestParameters"].get("encryptionContext") for record in records]
    assert {"PARAMETER_ARN": arn} in contexts


def test_a_new_version_is_encrypted_too(aws: Served) -> None:
    ssm, kms = aws.client("ssm"), aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    name = "/secure/renewed"
    ssm.put_parameter(Name=name, Value="old", Type="SecureString", KeyId=key)
    ssm.put_parameter(Name=name, Value=SECRET, KeyId=key, Overwrite=True)
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == SECRET
    assert SECRET not in ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value="under the default key", Overwrite=True)
    [shown] = ssm.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [name]}]
    )["Parameters"]
    assert shown["KeyId"] == "alias/aws/ssm"
