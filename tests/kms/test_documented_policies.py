"""AWS's examples of key policies, as KMS takes them and as their pages say that they decide.

From the KMS Developer Guide: "Creating a key policy", "Default key policy", "AWS KMS condition
keys", "Permissions for AWS services in key policies", "Allowing users in other accounts to use a
KMS key"; from the guides of services that need a statement in a key's policy; and from IAM's
examples with global condition keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.kms import key_policy
from testbed.kms.base import Caller
from tests.support.key_policies import KEY, allow, decide, deny, document, request

ACCOUNT, OTHER = "111122223333", "444455556666"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
OWN = replace(KEY, arn=KEY.arn.replace("000000000000", ACCOUNT))


def user(name: str, account: str = ACCOUNT) -> Caller:
    return Caller(f"arn:aws:iam::{account}:user/{name}", account, "IAMUser")


def session(role: str, account: str = ACCOUNT) -> Caller:
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/session"
    return Caller(arn, account, "AssumedRole")


def service(name: str, source_arn: str = "") -> Caller:
    return Caller(f"{name}.amazonaws.com", ACCOUNT, "AWSService", source_arn=source_arn)


USER, OTHER_USER = user("ExampleUser"), user("bob", OTHER)
APP, TESTERS = session("RoleForExampleApp"), session("testers")
TO_USER = {"AWS": USER.principal}
TO_APP = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/RoleForExampleApp"}
USES = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
ADMINISTERS = [
    "kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*",
    "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource",
    "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
]  # fmt: skip
KEY_USERS = {"AWS": [USER.principal, f"arn:aws:iam::{ACCOUNT}:role/ExampleRole",
                     f"arn:aws:iam::{OTHER}:root"]}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call and whether the example allows it."""

    allowed: bool
    caller: Caller
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def yes(caller: Caller, operation: str, rest: Mapping[str, Any] = {}, /, **params: Any) -> Call:
    return Call(True, caller, operation, params, rest)


def no(caller: Caller, operation: str, rest: Mapping[str, Any] = {}, /, **params: Any) -> Call:
    return Call(False, caller, operation, params, rest)


def pairs(**context: str) -> dict[str, Any]:
    return {"EncryptionContext": context}


def via(caller: Caller, name: str) -> Caller:
    return replace(caller, invoked_by=f"{name}.amazonaws.com")


def to_app(action: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return allow(TO_APP, action, Condition=condition)


def to_user(action: Any, condition: Mapping[str, Any]) -> dict[str, Any]:
    return allow(TO_USER, action, Condition=condition)


NEEDS_APP_NAME = {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}
IT_AND_ALPHA = {
    "StringEquals": {
        "kms:EncryptionContext:Department": "IT",
        "kms:EncryptionContext:Project": "Alpha",
    }
}
TRAIL = f"arn:aws:cloudtrail:us-west-2:{ACCOUNT}:trail/finance"
EXPIRES = datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC)
KEYS = "kms:EncryptionContextKeys"

EXAMPLES: dict[str, tuple[list[dict[str, Any]], list[Call]]] = {
    "the whole policy of a key": (
        [
            allow(ROOT, Sid="Enable IAM policies"),
            allow({"AWS": [user("KMSAdminUser").principal,
                           f"arn:aws:iam::{ACCOUNT}:role/KMSAdminRole"]},
                  ADMINISTERS, Sid="Allow access for Key Administrators"),
            allow(KEY_USERS, USES, Sid="Allow use of the key"),
            allow(KEY_USERS, ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
                  Sid="Allow attachment of persistent resources",
                  Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ],
        [yes(user("anyone"), "Sign"), yes(user("KMSAdminUser"), "PutKeyPolicy"),
         yes(session("ExampleRole"), "Decrypt"), yes(OTHER_USER, "Encrypt"),
         no(OTHER_USER, "PutKeyPolicy"), no(OTHER_USER, "CreateGrant"),
         yes(via(OTHER_USER, "ec2"), "CreateGrant"), no(user("x", "999988887777"), "Decrypt")],
    ),
    "administrators without the account": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/KMSAdminRole"}, ADMINISTERS)],
        [yes(session("KMSAdminRole"), "ScheduleKeyDeletion"),
         no(session("KMSAdminRole"), "Decrypt"),
         no(USER, "DescribeKey")],
    ),
    "the key of EBS that AWS manages": (
        [allow({"AWS": "*"}, [*USES, "kms:CreateGrant"],
               Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT,
                                           "kms:ViaService": "ec2.us-east-1.amazonaws.com"}})],
        [yes(via(USER, "ec2"), "CreateGrant"), no(USER, "CreateGrant"),
         no(via(USER, "rds"), "Decrypt"), no(via(OTHER_USER, "ec2"), "Decrypt")],
    ),
    "kms:BypassPolicyLockoutSafetyCheck": (
        [allow(TO_USER, "kms:PutKeyPolicy",
               Condition={"Null": {"kms:BypassPolicyLockoutSafetyCheck": True}})],
        [yes(USER, "PutKeyPolicy"), no(USER, "PutKeyPolicy", BypassPolicyLockoutSafetyCheck=True)],
    ),
    "kms:DataKeyPairSpec": (
        [to_user(["kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext"],
                 {"StringLike": {"kms:DataKeyPairSpec": "RSA*"}})],
        [yes(USER, "GenerateDataKeyPair", KeyPairSpec="RSA_3072"),
         no(USER, "GenerateDataKeyPair", KeyPairSpec="ECC_NIST_P256")],
    ),
    "kms:EncryptionAlgorithm": (
        [allow(ROOT),
         deny(TO_APP, ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"],
              Condition={"StringNotEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}})],
        [yes(APP, "Encrypt", EncryptionAlgorithm="RSAES_OAEP_SHA_256"), no(APP, "Encrypt"),
         yes(USER, "Encrypt"),
         no(APP, "ReEncrypt", {"action": "ReEncryptTo"},
            DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1"),
         yes(APP, "ReEncrypt", {"action": "ReEncryptTo"},
             DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256")],
    ),
    "an encryption context with a pair": (
        [to_app("kms:GenerateDataKey", NEEDS_APP_NAME)],
        [yes(APP, "GenerateDataKey", **pairs(AppName="ExampleApp")),
         yes(APP, "GenerateDataKey", **pairs(Appname="ExampleApp", Other="x")),
         no(APP, "GenerateDataKey", **pairs(AppName="exampleapp")), no(APP, "GenerateDataKey"),
         no(APP, "Decrypt", **pairs(AppName="ExampleApp"))],
    ),
    "an encryption context of one pair alone": (
        [to_app("kms:GenerateDataKey",
                NEEDS_APP_NAME | {"ForAllValues:StringEquals": {KEYS: ["AppName"]}})],
        [yes(APP, "GenerateDataKey", **pairs(AppName="ExampleApp")),
         no(APP, "GenerateDataKey", **pairs(AppName="ExampleApp", Other="x")),
         no(APP, "GenerateDataKey")],
    ),
    "an encryption context that is forbidden": (
        [allow(ROOT), deny(TO_APP, "kms:GenerateDataKey", Condition={
            "StringEquals": {"kms:EncryptionContext:Stage": ["Restricted", "Production"]}})],
        [no(APP, "GenerateDataKey", **pairs(Stage="Restricted")),
         no(APP, "GenerateDataKey", **pairs(stage="Production", a="b")),
         yes(APP, "GenerateDataKey", **pairs(Stage="Test")), yes(APP, "GenerateDataKey")],
    ),
    "an encryption context of two pairs": (
        [to_app("kms:Decrypt", IT_AND_ALPHA)],
        [yes(APP, "Decrypt", **pairs(Department="IT", Project="Alpha", a="b")),
         no(APP, "Decrypt", **pairs(Department="IT")), no(APP, "Decrypt")],
    ),
    "one of two pairs": (
        [to_app("kms:Decrypt", {"StringEquals": {f"kms:EncryptionContext:{name}": value}})
         for name, value in (("Department", "IT"), ("Project", "Alpha"))],
        [yes(APP, "Decrypt", **pairs(Department="IT")),
         yes(APP, "Decrypt", **pairs(Project="Alpha")),
         no(APP, "Decrypt", **pairs(Department="Alpha"))],
    ),
    "the pair's key in its case, too": (
        [to_app("kms:GenerateDataKey",
                NEEDS_APP_NAME | {"ForAnyValue:StringEquals": {KEYS: "AppName"}})],
        [yes(APP, "GenerateDataKey", **pairs(AppName="ExampleApp", a="b")),
         no(APP, "GenerateDataKey", **pairs(appname="ExampleApp"))],
    ),
    "the caller's name in the encryption context": (
        [allow(ROOT), deny({"AWS": "*"}, "kms:Decrypt", Condition={
            "StringNotEquals": {"kms:EncryptionContext:user": "${aws:username}"}})],
        [yes(USER, "Decrypt", **pairs(user="ExampleUser")),
         no(USER, "Decrypt", **pairs(user="bob")), no(USER, "Decrypt")],
    ),
    "an encryption context of any kind": (
        [to_app("kms:Encrypt", {"Null": {KEYS: False}})],
        [yes(APP, "Encrypt", **pairs(a="b")), no(APP, "Encrypt"),
         no(APP, "Encrypt", EncryptionContext={})],
    ),
    "kms:ExpirationModel": (
        [to_user("kms:ImportKeyMaterial",
                 {"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}})],
        [yes(USER, "ImportKeyMaterial", ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"),
         no(USER, "ImportKeyMaterial")],
    ),
    "kms:ExpirationModel by its default": (
        [to_user("kms:ImportKeyMaterial", {"Null": {"kms:ExpirationModel": True}})],
        [yes(USER, "ImportKeyMaterial"),
         no(USER, "ImportKeyMaterial", ExpirationModel="KEY_MATERIAL_EXPIRES")],
    ),
    "kms:ValidTo": (
        [to_user("kms:ImportKeyMaterial",
                 {"NumericLessThanEquals": {"kms:ValidTo": "1546257599.0"}})],
        [yes(USER, "ImportKeyMaterial", ValidTo=datetime.fromtimestamp(1546257599, UTC)),
         no(USER, "ImportKeyMaterial", ValidTo=datetime.fromtimestamp(1546257600, UTC)),
         no(USER, "ImportKeyMaterial")],
    ),
    "kms:GrantConstraintType": (
        [to_user("kms:CreateGrant",
                 {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}})],
        [yes(USER, "CreateGrant", Constraints={"EncryptionContextEquals": {"a": "b"}}),
         no(USER, "CreateGrant", Constraints={"EncryptionContextSubset": {"a": "b"}}),
         no(USER, "CreateGrant")],
    ),
    "kms:GrantIsForAWSResource": (
        [to_user("kms:CreateGrant", {"Bool": {"kms:GrantIsForAWSResource": True}})],
        [yes(via(USER, "mq"), "CreateGrant"), no(USER, "CreateGrant")],
    ),
    "kms:GrantOperations": (
        [to_user("kms:CreateGrant",
                 {"ForAllValues:StringEquals": {
                     "kms:GrantOperations": ["Encrypt", "ReEncryptTo"]}})],
        [yes(USER, "CreateGrant", Operations=["Encrypt"]),
         yes(USER, "CreateGrant", Operations=["ReEncryptTo", "Encrypt"]),
         no(USER, "CreateGrant", Operations=["Encrypt", "Decrypt"])],
    ),
    "kms:GranteePrincipal": (
        [to_user("kms:CreateGrant", {"StringEquals": {
            "kms:GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/LimitedAdminRole"}})],
        [yes(USER, "CreateGrant",
             GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/LimitedAdminRole"),
         no(USER, "CreateGrant", GranteePrincipal=USER.principal)],
    ),
    "kms:RetiringPrincipal": (
        [to_user("kms:CreateGrant", {"StringEquals": {"kms:RetiringPrincipal": [
            f"arn:aws:iam::{ACCOUNT}:role/LimitedAdminRole", user("OpsAdmin").principal]}})],
        [yes(USER, "CreateGrant", RetiringPrincipal=user("OpsAdmin").principal),
         no(USER, "CreateGrant", RetiringPrincipal=USER.principal), no(USER, "CreateGrant")],
    ),
    "kms:KeySpec": (
        [allow(TO_USER, "kms:DescribeKey",
               Condition={"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}})],
        [yes(USER, "DescribeKey"), no(USER, "DescribeKey", {"key": replace(OWN, spec="RSA_2048")})],
    ),
    "kms:KeyOrigin": (
        [to_user("kms:Encrypt", {"StringEquals": {"kms:KeyOrigin": "AWS_CLOUDHSM"}})],
        [yes(USER, "Encrypt", {"key": replace(OWN, origin="AWS_CLOUDHSM")}), no(USER, "Encrypt")],
    ),
    "kms:KeyUsage": (
        [to_user("kms:GetPublicKey", {"StringEquals": {"kms:KeyUsage": "SIGN_VERIFY"}})],
        [yes(USER, "GetPublicKey", {"key": replace(OWN, usage="SIGN_VERIFY")}),
         no(USER, "GetPublicKey")],
    ),
    "kms:MacAlgorithm": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/testers"},
               ["kms:GenerateMac", "kms:VerifyMac"],
               Condition={"StringEquals": {"kms:MacAlgorithm": algorithm}})
         for algorithm in ("HMAC_SHA_384", "HMAC_SHA_512")],
        [yes(TESTERS, "GenerateMac", MacAlgorithm="HMAC_SHA_384"),
         yes(TESTERS, "VerifyMac", MacAlgorithm="HMAC_SHA_512"),
         no(TESTERS, "GenerateMac", MacAlgorithm="HMAC_SHA_256")],
    ),
    "kms:MessageType": (
        [to_user("kms:Sign", {"StringEquals": {"kms:MessageType": "RAW"}})],
        [yes(USER, "Sign"), yes(USER, "Sign", MessageType="RAW"),
         no(USER, "Sign", MessageType="DIGEST")],
    ),
    "kms:MultiRegion": (
        [to_user("kms:Decrypt", {"Bool": {"kms:MultiRegion": False}})],
        [yes(USER, "Decrypt"),
         no(USER, "Decrypt", {"key": replace(OWN, arn=OWN.arn[:-36] + "mrk-" + "a" * 32)})],
    ),
    "kms:PrimaryRegion": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/Developer"}, "kms:UpdatePrimaryRegion",
               Condition={"StringEquals": {"kms:PrimaryRegion": ["us-east-1", "eu-west-3"]}})],
        [yes(session("Developer"), "UpdatePrimaryRegion", PrimaryRegion="eu-west-3"),
         no(session("Developer"), "UpdatePrimaryRegion", PrimaryRegion="eu-west-1")],
    ),
    "kms:ReplicaRegion": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/Administrator"}, "kms:ReplicateKey",
               Condition={"StringLike": {"kms:ReplicaRegion": ["us-east-1", "eu-*"]}})],
        [yes(session("Administrator"), "ReplicateKey", ReplicaRegion="eu-west-3"),
         no(session("Administrator"), "ReplicateKey", ReplicaRegion="ap-southeast-2")],
    ),
    "kms:ReEncryptOnSameKey": (
        [to_user("kms:ReEncrypt*", {"Bool": {"kms:ReEncryptOnSameKey": True}})],
        [yes(USER, "ReEncrypt", {"action": "ReEncryptFrom"}, SourceKeyId="a", DestinationKeyId="a"),
         no(USER, "ReEncrypt", {"action": "ReEncryptTo"}, SourceKeyId="a", DestinationKeyId="b")],
    ),
    "kms:RequestAlias": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/developer"}, "kms:GenerateDataKey",
               Sid="Key policy using a request alias condition",
               Condition={"StringEquals": {"kms:RequestAlias": "alias/finance-key"}})],
        [yes(session("developer"), "GenerateDataKey", {"requested": {
             "KeyId": "alias/finance-key"}}),
         yes(session("developer"), "GenerateDataKey", {"requested": {
             "KeyId": f"arn:aws:kms:us-west-2:{ACCOUNT}:alias/finance-key"}}),
         no(session("developer"), "GenerateDataKey", {"requested": {"KeyId": OWN.arn}})],
    ),
    "kms:SigningAlgorithm": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/testers"}, "kms:Sign",
               Condition={"StringLike": {"kms:SigningAlgorithm": "RSASSA_PSS*"}})],
        [yes(TESTERS, "Sign", SigningAlgorithm="RSASSA_PSS_SHA_512"),
         no(TESTERS, "Sign", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_512")],
    ),
    "kms:ScheduleKeyDeletionPendingWindowInDays": (
        [allow(ROOT), deny(ROOT, "kms:ScheduleKeyDeletion", Condition={
            "NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}})],
        [no(USER, "ScheduleKeyDeletion", PendingWindowInDays=7), yes(USER, "ScheduleKeyDeletion"),
         yes(USER, "ScheduleKeyDeletion", PendingWindowInDays=30)],
    ),
    "kms:RotationPeriodInDays": (
        [allow(ROOT), deny("*", "kms:EnableKeyRotation", Condition={
            "NumericGreaterThan": {"kms:RotationPeriodInDays": "180"}})],
        [no(USER, "EnableKeyRotation"), yes(USER, "EnableKeyRotation", RotationPeriodInDays=180)],
    ),
    "kms:ViaService of two services": (
        [to_user([*USES, "kms:CreateGrant", "kms:ListGrants"],
                 {"StringEquals": {"kms:ViaService": ["ec2.us-east-1.amazonaws.com",
                                                      "rds.us-east-1.amazonaws.com"]}})],
        [yes(via(USER, "rds"), "Decrypt"), no(USER, "Decrypt"), no(via(USER, "mq"), "Decrypt")],
    ),
    "kms:ViaService that is denied": (
        [allow(ROOT), deny(TO_USER, ["kms:Encrypt"], Condition={
            "StringEquals": {"kms:ViaService": ["lambda.us-east-1.amazonaws.com"]}})],
        [no(via(USER, "lambda"), "Encrypt"), yes(USER, "Encrypt"),
         yes(via(APP, "lambda"), "Encrypt")],
    ),
    "kms:WrappingAlgorithm": (
        [to_user("kms:GetParametersForImport",
                 {"StringNotEquals": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_1"}})],
        [yes(USER, "GetParametersForImport", WrappingAlgorithm="RSAES_OAEP_SHA_256"),
         no(USER, "GetParametersForImport", WrappingAlgorithm="RSAES_OAEP_SHA_1")],
    ),
    "kms:WrappingKeySpec": (
        [to_user("kms:GetParametersForImport",
                 {"StringEquals": {"kms:WrappingKeySpec": "RSA_2048"}})],
        [yes(USER, "GetParametersForImport", WrappingKeySpec="RSA_2048"),
         no(USER, "GetParametersForImport", WrappingKeySpec="RSA_4096")],
    ),
    "CloudTrail, for one trail": (
        [allow({"Service": "cloudtrail.amazonaws.com"}, "kms:GenerateDataKey",
               Sid="Allow CloudTrail to encrypt logs", Condition={
            "ArnEquals": {"aws:SourceArn": [TRAIL]},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": [
                f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"]}})],
        [yes(service("cloudtrail", TRAIL), "GenerateDataKey",
             EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(service("cloudtrail", TRAIL + "2"), "GenerateDataKey",
            EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(service("cloudtrail", TRAIL), "GenerateDataKey"),
         no(service("logs", TRAIL), "GenerateDataKey",
            EncryptionContext={"aws:cloudtrail:arn": TRAIL})],
    ),
    "Amazon Location, on behalf of a team": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/LocationTeam"}, "kms:CreateGrant", Condition={
            "StringEquals": {"kms:ViaService": "geo.us-east-1.amazonaws.com",
                             "kms:CallerAccount": ACCOUNT,
                             "kms:EncryptionContext:aws:geo:arn": "arn:aws:geo:x"}})],
        [yes(via(session("LocationTeam"), "geo"), "CreateGrant",
             Constraints={"EncryptionContextEquals": {"aws:geo:arn": "arn:aws:geo:x"}}),
         no(via(session("LocationTeam"), "geo"), "CreateGrant"),
         no(session("LocationTeam"), "CreateGrant",
            Constraints={"EncryptionContextEquals": {"aws:geo:arn": "arn:aws:geo:x"}})],
    ),
    "CloudWatch Logs, for the groups of an account": (
        [allow({"Service": "logs.us-east-1.amazonaws.com"},
               ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
               Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn":
                                      f"arn:aws:logs:us-east-1:{ACCOUNT}:*"}})],
        [yes(service("logs.us-east-1"), "Decrypt",
             EncryptionContext={"aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:*"}),
         no(service("logs.us-east-1"), "Decrypt",
            EncryptionContext={"aws:logs:arn": f"arn:aws:logs:us-east-1:{OTHER}:log-group:g"})],
    ),
    "a service for the resources of one account": (
        [allow({"Service": "sns.amazonaws.com"}, ["kms:GenerateDataKey*", "kms:Decrypt"],
               Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})],
        [yes(service("sns", f"arn:aws:sns:us-east-1:{ACCOUNT}:t"), "Decrypt"),
         no(service("sns", f"arn:aws:sns:us-east-1:{OTHER}:t"), "Decrypt"),
         no(service("sns"), "Decrypt")],
    ),
    "another account's role": (
        [allow({"AWS": f"arn:aws:iam::{OTHER}:role/ExampleRole"}, USES)],
        [yes(session("ExampleRole", OTHER), "Decrypt"), no(OTHER_USER, "Decrypt"),
         no(USER, "Decrypt")],
    ),
    "everyone in the account but one is denied": (
        [allow(ROOT), deny("*", "kms:*", Condition={
            "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/Break*"}})],
        [yes(session("BreakGlass"), "PutKeyPolicy"), no(USER, "PutKeyPolicy"),
         no(service("mq"), "Decrypt")],
    ),
    "only addresses of the company, unless a service calls": (
        [allow(ROOT), deny("*", "kms:*", Condition={
            "NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]},
            "Bool": {"aws:ViaAWSService": "false"}})],
        [yes(replace(USER, source_ip="192.0.2.77"), "Decrypt"), no(USER, "Decrypt"),
         yes(via(USER, "mq"), "CreateGrant")],
    ),
    "only over TLS, and only in one Region": (
        [allow(ROOT), deny("*", "kms:*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
         deny("*", "kms:*", Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}})],
        [yes(USER, "Decrypt")],
    ),
    "deletion with MFA alone": (
        [allow(ROOT), deny("*", "kms:ScheduleKeyDeletion", Condition={
            "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})],
        [no(USER, "ScheduleKeyDeletion"), yes(USER, "DescribeKey")],
    ),
    "an organization's accounts": (
        [allow({"AWS": "*"}, USES, Condition={
            "StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})],
        [no(USER, "Decrypt"), no(OTHER_USER, "Decrypt")],
    ),
    "until a date": (
        [to_user("kms:Decrypt", {"DateLessThan": {"aws:CurrentTime": "2025-06-16T00:00:00Z"},
                                 "DateGreaterThan": {"aws:CurrentTime": "2025-06-15"}})],
        [yes(USER, "Decrypt"), no(USER, "Encrypt")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_awss_examples_decide_as_their_pages_say(name: str) -> None:
    statements, calls = EXAMPLES[name]
    text = key_policy.accepted(document(*statements))
    assert {call.allowed for call in calls} >= {False} or name.startswith("only over TLS")
    for call in calls:
        rest = {"key": OWN, **call.rest}
        asked = request(call.caller, call.operation, call.parameters, **rest)
        assert decide(text, asked).allowed is call.allowed, (call, decide(text, asked))


def test_the_order_of_their_statements_does_not_matter() -> None:
    for statements, calls in EXAMPLES.values():
        text = document(*reversed(statements))
        for call in calls:
            asked = request(
                call.caller, call.operation, call.parameters, **{"key": OWN, **call.rest}
            )
            assert decide(text, asked).allowed is call.allowed


def test_a_deny_of_everything_outweighs_each_of_them() -> None:
    for statements, calls in EXAMPLES.values():
        text = document(*statements, deny())
        for call in calls:
            asked = request(
                call.caller, call.operation, call.parameters, **{"key": OWN, **call.rest}
            )
            assert not decide(text, asked).allowed
