"""KMS through the endpoint, as boto3 sees it: the testbed's own KMS and no other."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from testbed import api_models
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.material import wrap
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal

pytestmark = pytest.mark.containers
CONTEXT = {"aws:ebs:id": "vol-0123456789abcdef0"}


def test_what_is_encrypted_is_decrypted_with_its_context_and_with_no_other(aws: Served) -> None:
    kms = aws.client("kms")
    key = kms.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "orders"}])[
        "KeyMetadata"
    ]
    assert key["Arn"] == f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{key['KeyId']}"
    assert isinstance(key["CreationDate"], datetime)
    wrapped = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"\0\xffsecret", EncryptionContext=CONTEXT)
    opened = kms.decrypt(CiphertextBlob=wrapped["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert (opened["Plaintext"], opened["KeyId"], opened["EncryptionAlgorithm"]) == (
        b"\0\xffsecret",
        key["Arn"],
        "SYMMETRIC_DEFAULT",
    )
    refused = refusal(
        kms.decrypt,
        CiphertextBlob=wrapped["CiphertextBlob"],
        EncryptionContext={"aws:ebs:id": "vol-0"},
    )
    assert (refused["Code"], refused["Status"]) == ("InvalidCiphertextException", 400)
    assert len(kms.generate_data_key(KeyId=key["Arn"], NumberOfBytes=64)["Plaintext"]) == 64
    assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [
        {"TagKey": "team", "TagValue": "orders"}
    ]


def test_key_material_is_imported_and_expires(aws: Served) -> None:
    kms, material = aws.client("kms"), secrets.token_bytes(32)
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    agreed = kms.get_parameters_for_import(KeyId=key, **wrapping)
    valid_to = aws.testbed.clock.datetime().replace(microsecond=0) + timedelta(days=1)
    request = {
        "KeyId": key,
        "ImportToken": agreed["ImportToken"],
        "EncryptedKeyMaterial": wrap(material, agreed["PublicKey"], wrapping["WrappingAlgorithm"]),
    }
    with pytest.raises(kms.exceptions.InvalidImportTokenException):
        kms.import_key_material(**{**request, "ImportToken": b"x"}, ValidTo=valid_to)
    identity = kms.import_key_material(**request, ValidTo=valid_to)["KeyMaterialId"]
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["ValidTo"], metadata["CurrentKeyMaterialId"]) == (valid_to, identity)
    blob = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == identity
    aws.testbed.clock.turn(86400)
    with pytest.raises(kms.exceptions.KMSInvalidStateException, match="is pending import"):
        kms.decrypt(CiphertextBlob=blob)
    trail = aws.client("cloudtrail").lookup_events(
        LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "DeleteExpiredKeyMaterial"}
        ]
    )["Events"]
    details = [json.loads(event["CloudTrailEvent"])["serviceEventDetails"] for event in trail]
    assert {"keyId": key, "keyMaterialId": identity} in details


def test_the_last_use_of_a_key_is_found_in_its_trail(aws: Served) -> None:
    kms, trail = aws.client("kms"), aws.client("cloudtrail")
    key = kms.create_key()["KeyMetadata"]
    unused = kms.get_key_last_usage(KeyId=key["KeyId"])
    assert (unused["KeyId"], unused["KeyLastUsage"]) == (key["Arn"], {})
    assert unused["TrackingStartDate"] == unused["KeyCreationDate"] == key["CreationDate"]
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")
    usage = kms.get_key_last_usage(KeyId=key["Arn"])["KeyLastUsage"]
    [event] = trail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventId", "AttributeValue": usage["CloudTrailEventId"]}]
    )["Events"]
    assert usage["Operation"] == event["EventName"] == "Encrypt"
    assert usage["Timestamp"] == event["EventTime"]


def test_it_is_the_same_kms_that_the_testbed_uses(aws: Served) -> None:
    kms = aws.client("kms")
    arn = aws.testbed.new_key("made inside")
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Description"] == "made inside"
    kms.disable_key(KeyId=arn)
    aws.testbed.wait_out_delay()
    refused = refusal(kms.encrypt, KeyId=arn, Plaintext=b"x")
    assert (refused["Code"], refused["Message"]) == ("DisabledException", f"{arn} is disabled.")
    assert (
        aws.testbed.kms.call(USER, "DescribeKey", {"KeyId": arn})["KeyMetadata"]["KeyState"]
        == "Disabled"
    )


def test_refusals_are_boto3s_own_exceptions(aws: Served) -> None:
    kms = aws.client("kms")
    with pytest.raises(kms.exceptions.NotFoundException, match="does not exist"):
        kms.describe_key(KeyId="00000000-0000-4000-8000-000000000000")
    alias, key = "alias/of-the-endpoint", aws.testbed.new_key("twice")
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    key = aws.testbed.new_key("the second time")
    with pytest.raises(kms.exceptions.AlreadyExistsException):
        kms.create_alias(AliasName=alias, TargetKeyId=key)


def test_another_account_is_another_account(aws: Served) -> None:
    arn = aws.testbed.new_key("the user's")
    refused = refusal(aws.client("kms", OTHER_ACCOUNT).encrypt, KeyId=arn, Plaintext=b"x")
    assert refused["Code"] == "AccessDeniedException"
    assert f"arn:aws:iam::{OTHER_ACCOUNT}:root" in refused["Message"]
    assert (
        aws.client("kms", "AKIAIOSFODNN7EXAMPLE").encrypt(KeyId=arn, Plaintext=b"x")["KeyId"] == arn
    ), "any other id is the user's"


def test_lists_come_in_pages(aws: Served) -> None:
    kms = aws.client("kms")
    keys = {aws.testbed.new_key(f"page {number}") for number in range(3)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) > 1
    assert keys <= {key["KeyArn"] for page in pages for key in page["Keys"]}


def test_every_operation_of_kms_is_known_and_no_other(aws: Served) -> None:
    assert aws.call("TrentService.ListKeys", {"Limit": 1}).status == 200
    for target in ("TrentService.NoSuch", "TrentService.", "ListKeys", "OtherService.ListKeys"):
        answer = aws.send("POST", "/", b"{}", service="kms", headers={"X-Amz-Target": target})
        assert (answer.status, answer.document["__type"]) == (400, "UnknownOperationException"), (
            target
        )
    for name in api_models.operations("kms"):
        answer = aws.call(f"TrentService.{name}", {})
        assert answer.status == 200 or answer.document["__type"] != "UnknownOperationException", (
            name
        )


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"{", "SerializationException", "The body must be a JSON object."),
        (b'{"KeyId": 7}', "SerializationException", "KeyId must be a string."),
        (
            b'{"KeyId": "x", "Plaintext": "%"}',
            "SerializationException",
            "Plaintext must be base64.",
        ),
        (
            b'{"KeyId": "x"}',
            "ValidationException",
            "Value null at 'plaintext' failed to satisfy constraint: Member must not be null",
        ),
        (
            b'{"KeyId": "x", "Plaintext": ""}',
            "ValidationException",
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_requests_that_boto3_would_not_send(
    aws: Served, body: bytes, code: str, words: str
) -> None:
    answer = aws.send(
        "POST", "/", body, service="kms", headers={"X-Amz-Target": "TrentService.Encrypt"}
    )
    assert (answer.status, answer.document["__type"]) == (400, code)
    assert words in answer.document["message"]


def test_many_at_a_time(aws: Served) -> None:
    kms, arn = aws.client("kms"), aws.testbed.new_key("busy")

    def once(number: int) -> bool:
        text = str(number).encode()
        sealed = kms.encrypt(KeyId=arn, Plaintext=text)["CiphertextBlob"]
        opened: bytes = kms.decrypt(CiphertextBlob=sealed)["Plaintext"]
        return opened == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(80)))
