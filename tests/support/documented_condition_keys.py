"""The examples of "AWS KMS condition keys", KMS Developer Guide."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.support.documented_calls import (
    ACCOUNT,
    APP,
    OWN,
    ROOT,
    TESTERS,
    TO_APP,
    TO_USER,
    USER,
    USES,
    Example,
    no,
    pairs,
    session,
    to_app,
    to_user,
    user,
    via,
    yes,
)
from tests.support.key_policies import allow, deny

NEEDS_APP_NAME = {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}
IT_AND_ALPHA = {
    "StringEquals": {
        "kms:EncryptionContext:Department": "IT",
        "kms:EncryptionContext:Project": "Alpha",
    }
}
KEYS = "kms:EncryptionContextKeys"

CONDITION_KEYS: dict[str, Example] = {
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
         no(USER, "Decrypt", {"key": replace(OWN, primary_region=OWN.region)})],
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
}  # fmt: skip
