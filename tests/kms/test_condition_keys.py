"""The condition keys of requests: each known one has its value, or a reason why it has none."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.kms.base import USER, USER_ACCOUNT, Caller, Credentials
from testbed.kms.key_policy import in_force
from testbed.policy import keys
from tests.support.key_policies import KEY, NOON, allow, deny, document, request
from tests.support.kms_authority import (
    ADMIN,
    DAY,
    GRANTEE,
    OTHER_ACCOUNT,
    SERVICE,
    SESSION,
    VIA_MQ,
    VOLUME,
    Authority,
    container,
    over,
)

BROKER = f"arn:aws:mq:us-east-1:{USER_ACCOUNT}:broker:orders:b-1234"
RSA = replace(KEY, arn=KEY.arn[:-1] + "1", spec="RSA_2048", usage="SIGN_VERIFY", origin="EXTERNAL")
MULTI_REGION = replace(
    KEY, arn=KEY.arn[:-36] + "mrk-1234abcd12ab34cd56ef1234567890ab", primary_region=KEY.region
)
REPLICA = replace(MULTI_REGION, primary_region="eu-west-3")
NEW: Mapping[str, Any] = {"key": None}  # an operation on no key
CLIENT = replace(
    ADMIN, source_ip="192.0.2.7", user_agent="aws-cli/2.31", referer="https://example.com/"
)
LONG_TERM = replace(
    ADMIN, credentials=Credentials("AKIAEXAMPLE", "AIDAEXAMPLE", tags=(("Team", "blue"),))
)
SESSION_WITH_MFA = Credentials(
    "ASIAEXAMPLE",
    "AROAEXAMPLE:session",
    issuer=f"arn:aws:iam::{USER_ACCOUNT}:role/admins/Ops",
    issued=1_750_000_000 - 300,
    mfa_at=1_750_000_000 - 300,
    tags=(("Team", "blue"),),
    source_identity="alice",
)
WITH_MFA = replace(SESSION, credentials=SESSION_WITH_MFA)
WITHOUT_MFA = replace(SESSION, credentials=replace(SESSION_WITH_MFA, mfa_at=None))
PAIRS = {"EncryptionContext": {"Stage": "Test", "stage": "B", "aws:ebs:id": "vol-1"}}
GRANT = {
    "Operations": ["Decrypt", "Encrypt"],
    "GranteePrincipal": GRANTEE.principal,
    "RetiringPrincipal": ADMIN.principal,
    "GranteeServicePrincipal": "mq.amazonaws.com",
    "RetiringServicePrincipal": "ec2.amazonaws.com",
    "Constraints": {
        "EncryptionContextSubset": {},
        "EncryptionContextEquals": {"Stage": "Test"},
        "SourceArn": BROKER,
    },
}
TAGS = {"Tags": [{"TagKey": "Team", "TagValue": "blue"}, {"TagKey": "Cost", "TagValue": "7"}]}
REENCRYPT = {
    "SourceKeyId": KEY.arn,
    "DestinationKeyId": RSA.arn,
    "SourceEncryptionContext": {"a": "old"},
    "DestinationEncryptionContext": {"a": "new"},
    "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_1",
}
TO = {"action": "ReEncryptTo"}

# The key, its values, and the request that has them.
Case = tuple[str, list[str], Caller, str, Mapping[str, Any], Mapping[str, Any]]
CASES: list[Case] = [
    ("kms:BypassPolicyLockoutSafetyCheck", ["true"], ADMIN, "PutKeyPolicy",
     {"BypassPolicyLockoutSafetyCheck": True}, {}),
    # KMSKEYS: a Null condition tells whether the parameter is in the request.
    ("kms:BypassPolicyLockoutSafetyCheck", [], ADMIN, "PutKeyPolicy", {}, {}),
    ("aws:MultiFactorAuthPresent", ["true"], WITH_MFA, "Decrypt", {}, {}),
    ("aws:MultiFactorAuthPresent", ["false"], WITHOUT_MFA, "Decrypt", {}, {}),
    ("aws:MultiFactorAuthPresent", [], LONG_TERM, "Decrypt", {}, {}),
    ("aws:MultiFactorAuthAge", ["300"], WITH_MFA, "Decrypt", {}, {}),
    ("aws:MultiFactorAuthAge", [], WITHOUT_MFA, "Decrypt", {}, {}),
    ("aws:TokenIssueTime", ["2025-06-15T15:01:40+00:00"], WITH_MFA, "Decrypt", {}, {}),
    ("aws:TokenIssueTime", [], LONG_TERM, "Decrypt", {}, {}),
    ("aws:PrincipalTag/Team", ["blue"], LONG_TERM, "Decrypt", {}, {}),
    ("aws:PrincipalTag/team", ["blue"], WITH_MFA, "Decrypt", {}, {}),
    ("aws:SourceIdentity", ["alice"], WITH_MFA, "Decrypt", {}, {}),
    ("aws:userid", ["AIDAEXAMPLE"], LONG_TERM, "Decrypt", {}, {}),
    ("kms:CallerAccount", [OTHER_ACCOUNT], GRANTEE, "Decrypt", {}, {}),
    ("kms:CustomerMasterKeySpec", ["RSA_2048"], ADMIN, "Sign", {}, {"key": RSA}),
    ("kms:CustomerMasterKeySpec", ["HMAC_256"], ADMIN, "CreateKey",
     {"CustomerMasterKeySpec": "HMAC_256"}, NEW),
    ("kms:CustomerMasterKeyUsage", ["ENCRYPT_DECRYPT"], ADMIN, "CreateKey", {}, NEW),
    ("kms:DataKeyPairSpec", ["RSA_2048"], ADMIN, "GenerateDataKeyPair",
     {"KeyPairSpec": "RSA_2048"}, {}),
    ("kms:EncryptionAlgorithm", ["SYMMETRIC_DEFAULT"], ADMIN, "Decrypt", {}, {}),
    ("kms:EncryptionAlgorithm", ["RSAES_OAEP_SHA_256"], ADMIN, "Encrypt",
     {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}, {}),
    ("kms:EncryptionAlgorithm", ["SYMMETRIC_DEFAULT"], ADMIN, "GenerateDataKey", {}, {}),
    ("kms:EncryptionAlgorithm", ["SYMMETRIC_DEFAULT"], ADMIN, "ReEncrypt", REENCRYPT,
     {"action": "ReEncryptFrom"}),
    ("kms:EncryptionAlgorithm", ["RSAES_OAEP_SHA_1"], ADMIN, "ReEncrypt", REENCRYPT, TO),
    ("kms:EncryptionAlgorithm", [], ADMIN, "DescribeKey", {}, {}),
    ("kms:EncryptionContext:aws:ebs:id", ["vol-1"], SERVICE, "Decrypt", PAIRS, {}),
    ("kms:EncryptionContext:STAGE", ["Test", "B"], ADMIN, "GenerateDataKey", PAIRS, {}),
    ("kms:EncryptionContext:other", [], ADMIN, "GenerateDataKey", PAIRS, {}),
    ("kms:EncryptionContext:stage", ["Test"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:EncryptionContext:a", ["old"], ADMIN, "ReEncrypt", REENCRYPT,
     {"action": "ReEncryptFrom"}),
    ("kms:EncryptionContext:a", ["new"], ADMIN, "ReEncrypt", REENCRYPT, TO),
    ("kms:EncryptionContextKeys", ["Stage", "stage", "aws:ebs:id"], ADMIN, "Encrypt", PAIRS,
     {}),
    ("kms:EncryptionContextKeys", ["Stage"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:EncryptionContextKeys", [], ADMIN, "Encrypt", {}, {}),
    ("kms:ExpirationModel", ["KEY_MATERIAL_EXPIRES"], ADMIN, "ImportKeyMaterial",
     {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, {}),
    ("kms:ExpirationModel", [], ADMIN, "ImportKeyMaterial", {}, {}),  # KMSKEYS, Null again
    ("kms:GrantConstraintSourceArn", [BROKER], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:GrantConstraintType", ["EncryptionContextEquals"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:GrantConstraintType", [], ADMIN, "CreateGrant", {"Constraints": {}}, {}),
    ("kms:GrantIsForAWSResource", ["true"], VIA_MQ, "CreateGrant", GRANT, {}),
    ("kms:GrantIsForAWSResource", ["true"], SERVICE, "ListGrants", {}, {}),
    ("kms:GrantIsForAWSResource", ["false"], ADMIN, "RevokeGrant", {}, {}),
    ("kms:GrantIsForAWSResource", [], VIA_MQ, "DescribeKey", {}, {}),
    ("kms:GrantOperations", ["Decrypt", "Encrypt"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:GranteePrincipal", [GRANTEE.principal], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:GranteePrincipal", [], ADMIN, "ListGrants", GRANT, {}),  # a filter there
    ("kms:GranteeServicePrincipal", ["mq.amazonaws.com"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:KeyAgreementAlgorithm", ["ECDH"], ADMIN, "DeriveSharedSecret",
     {"KeyAgreementAlgorithm": "ECDH"}, {}),
    ("kms:KeyOrigin", ["EXTERNAL"], ADMIN, "Sign", {}, {"key": RSA}),
    ("kms:KeyOrigin", ["AWS_KMS"], ADMIN, "CreateKey", {}, NEW),
    ("kms:KeySpec", ["RSA_2048"], ADMIN, "Sign", {}, {"key": RSA}),
    ("kms:KeySpec", ["SYMMETRIC_DEFAULT"], ADMIN, "CreateKey", {}, NEW),
    ("kms:KeySpec", ["ECC_NIST_P256"], ADMIN, "CreateKey", {"KeySpec": "ECC_NIST_P256"}, NEW),
    ("kms:KeySpec", [], ADMIN, "ListKeys", {}, NEW),
    ("kms:KeyUsage", ["SIGN_VERIFY"], ADMIN, "DescribeKey", {}, {"key": RSA}),
    ("kms:KeyUsage", ["KEY_AGREEMENT"], ADMIN, "CreateKey", {"KeyUsage": "KEY_AGREEMENT"}, NEW),
    ("kms:MacAlgorithm", ["HMAC_SHA_256"], ADMIN, "VerifyMac",
     {"MacAlgorithm": "HMAC_SHA_256"}, {}),
    ("kms:MessageType", ["DIGEST"], ADMIN, "Sign", {"MessageType": "DIGEST"}, {}),
    ("kms:MessageType", ["RAW"], ADMIN, "Verify", {}, {}),
    ("kms:MultiRegion", ["true"], ADMIN, "Decrypt", {}, {"key": MULTI_REGION}),
    ("kms:MultiRegion", ["false"], ADMIN, "Decrypt", {}, {}),
    ("kms:MultiRegion", ["true"], ADMIN, "CreateKey", {"MultiRegion": True}, NEW),
    ("kms:MultiRegion", ["false"], ADMIN, "CreateKey", {}, NEW),
    ("kms:MultiRegionKeyType", ["PRIMARY"], ADMIN, "Decrypt", {}, {"key": MULTI_REGION}),
    ("kms:MultiRegionKeyType", ["REPLICA"], ADMIN, "Decrypt", {}, {"key": REPLICA}),
    ("kms:MultiRegionKeyType", [], ADMIN, "Decrypt", {}, {}),
    ("kms:PolicyName", ["AWS_RAM"], ADMIN, "GetKeyPolicy", {"PolicyName": "AWS_RAM"}, {}),
    ("kms:PolicyName", ["default"], ADMIN, "PutKeyPolicy", {}, {}),
    ("kms:PolicyName", ["default"], ADMIN, "CreateKey", {}, {"action": "PutKeyPolicy"}),
    ("kms:PolicyName", [], ADMIN, "DescribeKey", {}, {}),
    ("kms:PrimaryRegion", ["eu-west-3"], ADMIN, "UpdatePrimaryRegion",
     {"PrimaryRegion": "eu-west-3"}, {}),
    ("kms:ReEncryptOnSameKey", ["false"], ADMIN, "ReEncrypt", REENCRYPT, TO),
    ("kms:ReEncryptOnSameKey", ["true"], ADMIN, "ReEncrypt",
     {"SourceKeyId": KEY.arn, "DestinationKeyId": KEY.arn}, TO),
    ("kms:ReplicaRegion", ["eu-west-3"], ADMIN, "ReplicateKey", {"ReplicaRegion": "eu-west-3"},
     {}),
    ("kms:RequestAlias", ["alias/a/b"], ADMIN, "Encrypt", {},
     {"requested": {"KeyId": "alias/a/b"}}),
    ("kms:RequestAlias", ["alias/a"], ADMIN, "ReEncrypt", {},
     {**TO, "requested": {"DestinationKeyId": "arn:aws:kms:us-east-1:000000000000:alias/a"}}),
    ("kms:RequestAlias", [], ADMIN, "Encrypt", {}, {"requested": {"KeyId": KEY.arn}}),
    ("kms:RetiringPrincipal", [ADMIN.principal], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:RetiringServicePrincipal", ["ec2.amazonaws.com"], ADMIN, "CreateGrant", GRANT, {}),
    ("kms:RotationPeriodInDays", ["180"], ADMIN, "EnableKeyRotation",
     {"RotationPeriodInDays": 180}, {}),
    ("kms:RotationPeriodInDays", ["365"], ADMIN, "EnableKeyRotation", {}, {}),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", ["7"], ADMIN, "ScheduleKeyDeletion",
     {"PendingWindowInDays": 7}, {}),
    ("kms:ScheduleKeyDeletionPendingWindowInDays", ["30"], ADMIN, "ScheduleKeyDeletion", {},
     {}),
    ("kms:SigningAlgorithm", ["ECDSA_SHA_256"], ADMIN, "Sign",
     {"SigningAlgorithm": "ECDSA_SHA_256"}, {}),
    ("kms:ValidTo", ["1800000000"], ADMIN, "ImportKeyMaterial",
     {"ValidTo": datetime.fromtimestamp(1_800_000_000, UTC)}, {}),
    ("kms:ViaService", ["mq.us-east-1.amazonaws.com"], VIA_MQ, "Decrypt", {}, {}),
    ("kms:ViaService", [], SERVICE, "Decrypt", {}, {}),  # on nobody's behalf
    ("kms:WrappingAlgorithm", ["RSAES_OAEP_SHA_1"], ADMIN, "GetParametersForImport",
     {"WrappingAlgorithm": "RSAES_OAEP_SHA_1"}, {}),
    ("kms:WrappingKeySpec", ["RSA_2048"], ADMIN, "GetParametersForImport",
     {"WrappingKeySpec": "RSA_2048"}, {}),
    ("aws:CalledVia", ["mq.amazonaws.com"], VIA_MQ, "CreateGrant", {}, {}),
    ("aws:CalledViaFirst", ["mq.amazonaws.com"], VIA_MQ, "CreateGrant", {}, {}),
    ("aws:CalledViaLast", ["mq.amazonaws.com"], VIA_MQ, "CreateGrant", {}, {}),
    ("aws:CalledVia", [], ADMIN, "CreateGrant", {}, {}),
    ("aws:CurrentTime", ["2025-06-15T15:06:40+00:00"], ADMIN, "Decrypt", {}, {}),
    ("aws:EpochTime", [str(int(NOON))], ADMIN, "Decrypt", {}, {}),
    ("aws:PrincipalAccount", [USER_ACCOUNT], SESSION, "Decrypt", {}, {}),
    ("aws:PrincipalArn", [f"arn:aws:iam::{USER_ACCOUNT}:role/Ops"], SESSION, "Decrypt", {}, {}),
    ("aws:PrincipalArn", [], SERVICE, "Decrypt", {}, {}),
    ("aws:PrincipalIsAWSService", ["true"], SERVICE, "Decrypt", {}, {}),
    ("aws:PrincipalIsAWSService", ["false"], VIA_MQ, "Decrypt", {}, {}),
    ("aws:PrincipalServiceName", ["mq.amazonaws.com"], SERVICE, "Decrypt", {}, {}),
    ("aws:PrincipalServiceNamesList", ["mq.amazonaws.com"], SERVICE, "Decrypt", {}, {}),
    ("aws:PrincipalType", ["Account"], USER, "Decrypt", {}, {}),
    ("aws:PrincipalType", ["User"], ADMIN, "Decrypt", {}, {}),
    ("aws:referer", ["https://example.com/"], CLIENT, "Decrypt", {}, {}),
    ("aws:RequestedRegion", ["us-east-1"], ADMIN, "Decrypt", {}, {}),
    ("aws:RequestTag/team", ["blue"], ADMIN, "TagResource", TAGS, {}),
    ("aws:RequestTag/cost", ["7"], ADMIN, "CreateKey", TAGS, NEW),
    ("aws:RequestTag/other", [], ADMIN, "CreateKey", TAGS, NEW),
    ("aws:ResourceAccount", [USER_ACCOUNT], GRANTEE, "Decrypt", {}, {}),
    ("aws:SecureTransport", ["true"], ADMIN, "Decrypt", {}, {}),
    ("aws:SourceAccount", [USER_ACCOUNT], replace(SERVICE, source_arn=BROKER), "Decrypt", {},
     {}),
    ("aws:SourceAccount", [], ADMIN, "Decrypt", {}, {}),
    ("aws:SourceArn", [BROKER], replace(SERVICE, source_arn=BROKER), "Decrypt", {}, {}),
    ("aws:SourceArn", [], ADMIN, "Decrypt", {}, {}),
    ("aws:SourceIp", ["192.0.2.7"], CLIENT, "Decrypt", {}, {}),
    ("aws:SourceIp", [], replace(CLIENT, invoked_by="mq.amazonaws.com"), "CreateGrant", {}, {}),
    ("aws:SourceIp", [], SERVICE, "Decrypt", {}, {}),
    ("aws:TagKeys", ["Team", "Cost"], ADMIN, "CreateKey", TAGS, NEW),
    ("aws:TagKeys", ["Team"], ADMIN, "UntagResource", {"TagKeys": ["Team"]}, {}),
    ("aws:UserAgent", ["aws-cli/2.31"], CLIENT, "Decrypt", {}, {}),
    ("aws:UserAgent", ["mq.amazonaws.com"], SERVICE, "Decrypt", {}, {}),
    ("aws:userid", [USER_ACCOUNT], USER, "Decrypt", {}, {}),
    ("aws:username", ["admin"], ADMIN, "Decrypt", {}, {}),
    ("aws:username", [], SESSION, "Decrypt", {}, {}),
    ("aws:ViaAWSService", ["true"], VIA_MQ, "Decrypt", {}, {}),
    ("aws:ViaAWSService", ["false"], SERVICE, "Decrypt", {}, {}),
]  # fmt: skip
# What LocalStack keeps and the trail knows; below.
STORED = {"kms:ResourceAliases", "aws:ResourceTag/", "kms:TrailingDaysWithoutKeyUsage"}


def values(
    name: str,
    caller: Caller,
    operation: str,
    parameters: Mapping[str, Any],
    rest: Mapping[str, Any],
) -> list[str]:
    return list(request(caller, operation, parameters, **rest).values.get(name.lower(), ()))


@pytest.mark.parametrize(("name", "expected", "caller", "operation", "parameters", "rest"), CASES)
def test_the_values_of_a_key(
    name: str,
    expected: list[str],
    caller: Caller,
    operation: str,
    parameters: Mapping[str, Any],
    rest: Mapping[str, Any],
) -> None:
    assert values(name, caller, operation, parameters, rest) == expected


@pytest.mark.parametrize("known", [*keys.GLOBAL, *keys.KMS], ids=lambda known: known.name)
def test_every_key_of_awss_list_is_evaluated_or_known_to_be_absent(
    known: keys.ConditionKey,
) -> None:
    evaluated = {keys.find(name) for name, expected, *_ in CASES if expected}
    evaluated |= {key for key in (*keys.GLOBAL, *keys.KMS) if key.name in STORED}
    assert (known in evaluated) is not bool(known.absent)
    if known.absent:
        member = known.name + "1" * known.is_family
        assert {tuple(values(member, *case[2:])) for case in CASES} == {()}


def test_the_page_names_every_key_that_is_absent_with_the_reason() -> None:
    rows = re.findall(r"^\| `.*$", Path("docs/key-policies.md").read_text(), re.MULTILINE)
    for known in (*keys.GLOBAL, *keys.KMS):
        name = f"`{known.name}...`" if known.is_family else f"`{known.name}`"
        row = next((row for row in rows if name in row), "")
        assert bool(row) is bool(known.absent), known.name
        assert known.absent in row


def test_the_time_is_the_testbeds_in_both_forms() -> None:
    """``aws:EpochTime`` compares with dates and numbers, and so does ``kms:ValidTo``."""
    for operation, value in (
        ("DateLessThan", "2025-06-15T15:06:41Z"),
        ("DateLessThan", "1750000000.5"),
        ("NumericLessThan", "1750000000.5"),
    ):
        condition = {operation: {"aws:EpochTime": value}}
        assert_applies(condition, request(ADMIN))
    assert_applies({"DateLessThan": {"aws:CurrentTime": "2025-06-15T15:06:41Z"}}, request(ADMIN))


def assert_applies(condition: Mapping[str, Any], asked: Any) -> None:
    [statement] = in_force(document(allow(Condition=condition))).statements
    assert statement.applies(asked.action, asked.resource, asked.values)


# What LocalStack keeps of a key


def put(aws: Authority, key: str, *statements: Mapping[str, Any]) -> None:
    root = allow({"AWS": USER_ACCOUNT})
    policy = document(root, *map(dict, statements))
    aws.call(USER, "PutKeyPolicy", KeyId=key, Policy=policy)


@pytest.mark.containers
def test_the_tags_of_a_key(aws: Authority) -> None:
    key = aws.key(Tags=[{"TagKey": "Team", "TagValue": "blue"}])
    blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    put(aws, key, allow({"AWS": GRANTEE.principal}, "kms:Encrypt", Condition=blue))
    request = {"KeyId": key, "Plaintext": b"p"}
    assert aws.code(GRANTEE, "Encrypt", **request) == ""
    aws.call(USER, "TagResource", KeyId=key, Tags=[{"TagKey": "Team", "TagValue": "red"}])
    assert aws.code(GRANTEE, "Encrypt", **request) == "AccessDeniedException"
    other = [{"TagKey": f"tag-{number}", "TagValue": "x"} for number in range(49)]
    aws.call(USER, "TagResource", KeyId=key, Tags=other)
    aws.call(USER, "TagResource", KeyId=key, Tags=[{"TagKey": "Team", "TagValue": "blue"}])
    assert aws.code(GRANTEE, "Encrypt", **request) == "", "it is among all 50"
    aws.call(USER, "UntagResource", KeyId=key, TagKeys=["Team"])
    assert aws.code(GRANTEE, "Encrypt", **request) == "AccessDeniedException"


@pytest.mark.containers
def test_the_aliases_of_a_key_and_the_one_in_the_request(aws: Authority) -> None:
    key = aws.key()
    finance, other = f"alias/finance-{key[-8:]}", f"alias/other-{key[-8:]}"
    named = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/finance-*"}}
    asked = {"StringEquals": {"kms:RequestAlias": other}}
    put(
        aws,
        key,
        allow({"AWS": GRANTEE.principal}, "kms:Encrypt", Condition=named),
        deny({"AWS": ADMIN.principal}, "kms:Encrypt", Condition=asked),
    )
    request = {"KeyId": key, "Plaintext": b"p"}
    assert aws.code(GRANTEE, "Encrypt", **request) == "AccessDeniedException"
    for alias in (finance, other):
        aws.call(USER, "CreateAlias", AliasName=alias, TargetKeyId=key)
    assert aws.code(GRANTEE, "Encrypt", **request) == ""
    aws.call(USER, "DeleteAlias", AliasName=finance)
    assert aws.code(GRANTEE, "Encrypt", **request) == "AccessDeniedException"

    assert aws.code(ADMIN, "Encrypt", **request) == ""
    for name in (other, key.partition(":key/")[0] + f":{other}"):
        assert aws.code(ADMIN, "Encrypt", **{**request, "KeyId": name}) == "AccessDeniedException"


@pytest.mark.containers
def test_a_key_in_use_is_kept_from_disabling_and_deletion(tmp_path: Path) -> None:
    """An unused key counts from its creation, and days are whole (KMSKEYS, 2026)."""
    used: dict[str, datetime] = {}
    aws = over(
        container(),
        tmp_path / "state",
        last_usage=lambda arn: {"Timestamp": used[arn]} if arn in used else {},
    )
    key = aws.key()
    in_use = {"NumericLessThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}}
    put(aws, key, deny("*", ["kms:DisableKey", "kms:ScheduleKeyDeletion"], Condition=in_use))
    aws.clock.turn(30.9 * DAY)
    assert aws.code(USER, "DisableKey", KeyId=key) == "AccessDeniedException"
    used[key] = datetime.fromtimestamp(aws.clock.now(), UTC)
    aws.clock.turn(30.9 * DAY)
    assert aws.code(USER, "ScheduleKeyDeletion", KeyId=key) == "AccessDeniedException"
    aws.clock.turn(0.1 * DAY)
    assert aws.code(USER, "DisableKey", KeyId=key) == ""
    assert aws.code(USER, "ScheduleKeyDeletion", KeyId=key) == ""


@pytest.mark.containers
def test_a_deny_by_context_stops_a_service_with_a_grant(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, SERVICE.principal, "Decrypt", by=VIA_MQ)
    blob = aws.encrypt(key)
    assert aws.decrypt(blob, caller=SERVICE)
    [(name, volume)] = VOLUME.items()
    for condition, denied in (
        ({"StringEquals": {f"kms:EncryptionContext:{name}": volume}}, True),
        ({"StringEquals": {f"kms:EncryptionContext:{name}": "vol-other"}}, False),
        ({"StringNotEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, True),
        ({"StringEquals": {"kms:ViaService": "mq.us-east-1.amazonaws.com"}}, False),
    ):
        put(aws, key, deny("*", "kms:Decrypt", Condition=condition))
        refused = aws.code(
            SERVICE, "Decrypt", CiphertextBlob=blob, KeyId=key, EncryptionContext=VOLUME
        )
        assert refused == ("AccessDeniedException" if denied else "")
