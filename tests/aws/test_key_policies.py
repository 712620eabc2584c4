"""Key policies through the endpoint: what of a request and its connection they see."""

import json
from typing import Any

import pytest

from testbed.kms.base import USER_ACCOUNT
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal
from tests.support.key_policies import ROOT, allow, deny, document

pytestmark = pytest.mark.containers

# Conditions that hold for a call over the endpoint, and ones that do not.
HOLD: list[dict[str, Any]] = [
    {"Bool": {"aws:SecureTransport": "true"}},
    {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    {"StringLike": {"aws:UserAgent": "*Boto3*tested*"}},
    {"StringEquals": {"aws:referer": "https://example.com/"}},
    {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
    {"StringEquals": {"aws:PrincipalAccount": USER_ACCOUNT}},
    {"ArnEquals": {"aws:PrincipalArn": ROOT["AWS"]}},
    {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
    {"StringEquals": {"kms:EncryptionContext:stage": "test"}},
    {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["Stage", "Other"]}},
    {"Null": {"kms:EncryptionContextKeys": "false", "aws:PrincipalOrgID": "true"}},
    {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    {"StringNotEquals": {"aws:SourceAccount": USER_ACCOUNT}},
    {"ArnNotLike": {"aws:SourceArn": "arn:aws:mq:*:*:broker:*"}},
    {"StringNotEqualsIfExists": {"aws:PrincipalTag/team": "blue"}},
]
FAIL: list[dict[str, Any]] = [
    {"Bool": {"aws:SecureTransport": "false"}},
    {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    {"StringLike": {"aws:UserAgent": "*aws-cli*"}},
    {"StringNotEquals": {"aws:referer": "https://example.com/"}},
    {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}},
    {"StringEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}},
    {"ArnNotEquals": {"aws:PrincipalArn": ROOT["AWS"]}},
    {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
    {"StringEquals": {"kms:EncryptionContext:stage": "production"}},
    {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": ["stage", "Other"]}},
    {"Null": {"kms:EncryptionContextKeys": "true"}},
    {"StringEquals": {"aws:ResourceTag/team": "red"}},
    {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
    {"StringEquals": {"aws:SourceAccount": USER_ACCOUNT}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    {"StringEquals": {"aws:PrincipalTag/team": "blue"}},
]


def test_a_condition_sees_the_request_and_its_connection(aws: Served) -> None:
    kms = aws.client("kms")
    headers = {"User-Agent": "Boto3/1 tested", "Referer": "https://example.com/"}
    kms.meta.events.register("before-send", lambda request, **_: request.headers.update(headers))
    key = kms.create_key(Tags=[{"TagKey": "Team", "TagValue": "blue"}])["KeyMetadata"]["KeyId"]
    asked = {"KeyId": key, "Plaintext": b"p", "EncryptionContext": {"Stage": "test"}}
    for condition in HOLD + FAIL:
        policy = document(allow(ROOT), deny("*", "kms:Encrypt", Condition=condition))
        kms.put_key_policy(KeyId=key, Policy=policy)
        assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == json.loads(policy)
        if condition in HOLD:
            refused = refusal(kms.encrypt, **asked)
            assert refused["Code"] == "AccessDeniedException", condition
            assert "explicit deny in a resource-based policy" in refused["Message"]
        else:
            kms.encrypt(**asked)


def test_the_use_of_a_key_is_seen_in_the_trail(aws: Served) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key, Plaintext=b"p")
    for operation in ("NumericLessThan", "NumericGreaterThanEquals"):
        condition = {operation: {"kms:TrailingDaysWithoutKeyUsage": "1"}}
        policy = document(allow(ROOT), deny("*", "kms:DisableKey", Condition=condition))
        kms.put_key_policy(KeyId=key, Policy=policy)
        if operation == "NumericLessThan":
            assert refusal(kms.disable_key, KeyId=key)["Code"] == "AccessDeniedException"
        else:
            kms.disable_key(KeyId=key)


def test_an_account_is_named_once_by_its_root(aws: Served) -> None:
    kms = aws.client("kms")
    named = [USER_ACCOUNT, ROOT["AWS"], OTHER_ACCOUNT]
    created = kms.create_key(Policy=document(allow({"AWS": named})))["KeyMetadata"]["KeyId"]
    [statement] = json.loads(kms.get_key_policy(KeyId=created)["Policy"])["Statement"]
    other = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    assert statement == allow({"AWS": [ROOT["AWS"], other]})


@pytest.mark.parametrize("policy", ["[]", "5", "x", json.dumps(document(allow(ROOT)))])
def test_what_is_no_policy_is_refused_without_a_sentence_of_pythons(
    aws: Served, policy: str
) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for call in (kms.create_key, lambda **given: kms.put_key_policy(KeyId=key, **given)):
        refused = refusal(call, Policy=policy)
        assert (refused["Code"], refused["Status"]) == ("MalformedPolicyDocumentException", 400)
        assert refused["Message"] == ""
