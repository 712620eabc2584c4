"""The condition keys: those of the service authorization reference, each known with its type."""

import pytest

from testbed.policy import keys
from testbed.policy.evaluate import ADMINISTRATOR, Policies
from tests.support.policy_documents import USER, allow, decide, deny, policy

# "Actions, resources, and condition keys for AWS Key Management Service", "Condition keys", 2026
KMS = {
    "aws:RequestTag/${TagKey}": "String",
    "aws:ResourceTag/${TagKey}": "String",
    "aws:TagKeys": "ArrayOfString",
    "kms:BypassPolicyLockoutSafetyCheck": "Bool",
    "kms:CallerAccount": "String",
    "kms:CustomerMasterKeySpec": "String",
    "kms:CustomerMasterKeyUsage": "String",
    "kms:DataKeyPairSpec": "String",
    "kms:EncryptionAlgorithm": "String",
    "kms:EncryptionContext:${EncryptionContextKey}": "String",
    "kms:EncryptionContextKeys": "ArrayOfString",
    "kms:ExpirationModel": "String",
    "kms:GrantConstraintSourceArn": "ARN",
    "kms:GrantConstraintType": "String",
    "kms:GrantIsForAWSResource": "Bool",
    "kms:GrantOperations": "ArrayOfString",
    "kms:GranteePrincipal": "String",
    "kms:GranteeServicePrincipal": "String",
    "kms:KeyAgreementAlgorithm": "String",
    "kms:KeyOrigin": "String",
    "kms:KeySpec": "String",
    "kms:KeyUsage": "String",
    "kms:MacAlgorithm": "String",
    "kms:MessageType": "String",
    "kms:MultiRegion": "Bool",
    "kms:MultiRegionKeyType": "String",
    "kms:PolicyName": "String",  # API reference, GetKeyPolicy and PutKeyPolicy
    "kms:PrimaryRegion": "String",
    "kms:ReEncryptOnSameKey": "Bool",
    "kms:RecipientAttestation:ImageSha384": "String",
    **{f"kms:RecipientAttestation:NitroTPMPCR{register}": "String" for register in range(24)},
    **{f"kms:RecipientAttestation:PCR{register}": "String" for register in range(32)},
    "kms:ReplicaRegion": "String",
    "kms:RequestAlias": "String",
    "kms:ResourceAliases": "ArrayOfString",
    "kms:RetiringPrincipal": "String",
    "kms:RetiringServicePrincipal": "String",
    "kms:RotationPeriodInDays": "Numeric",
    "kms:ScheduleKeyDeletionPendingWindowInDays": "Numeric",
    "kms:SigningAlgorithm": "String",
    "kms:TrailingDaysWithoutKeyUsage": "Numeric",
    "kms:ValidTo": "Date",
    "kms:ViaService": "String",
    "kms:WrappingAlgorithm": "String",
    "kms:WrappingKeySpec": "String",
}
# "Actions, resources, and condition keys for Amazon MQ", "Condition keys", 2026
AMAZON_MQ = {
    "aws:RequestTag/${TagKey}": "String",
    "aws:ResourceTag/${TagKey}": "String",
    "aws:TagKeys": "ArrayOfString",
}


@pytest.mark.parametrize(("name", "kind"), [*KMS.items(), *AMAZON_MQ.items()])
def test_the_keys_of_the_service_authorization_reference(name: str, kind: str) -> None:
    known = keys.find(name)
    assert known is not None
    assert (known.kind, known.many) == (
        kind.removeprefix("ArrayOf").lower(),
        kind.startswith("ArrayOf"),
    )


def test_kms_has_no_other_keys() -> None:
    documented = {keys.find(name) for name in KMS if name.startswith("kms:")}
    assert documented == set(keys.KMS)


def test_amazon_mq_has_no_keys_but_those_of_tags() -> None:
    assert {keys.find(name) for name in AMAZON_MQ} == set(keys.AMAZON_MQ)


@pytest.mark.parametrize(
    "name",
    ["aws:username", "AWS:UserName", "aws:PrincipalTag/a b", "aws:principaltag/Team",
     "kms:EncryptionContext:aws:ebs:id", "kms:RecipientAttestation:PCR0", "sts:ExternalId"],
)  # fmt: skip
def test_known_keys_in_any_case(name: str) -> None:
    assert keys.find(name) is not None


@pytest.mark.parametrize(
    "name",
    ["", "aws:", "aws:Username2", "aws:PrincipalTag", "aws:PrincipalTag/", "kms:EncryptionContext:",
     "kms:EncryptionContext", "s3:prefix", "mq:BrokerName"],
)  # fmt: skip
def test_unknown_keys(name: str) -> None:
    assert keys.find(name) is None


def test_every_key_says_what_it_means_and_stands_once() -> None:
    listed = (*keys.GLOBAL, *keys.KMS, *keys.IDENTITY)
    assert all(key.meaning for key in listed)
    assert len({key.name.lower() for key in listed}) == len(listed)


@pytest.mark.parametrize("operation", ["StringNotEquals", "StringEqualsIfExists", "Null"])
def test_an_unknown_key_never_allows_and_may_deny(operation: str) -> None:
    condition = {operation: {"s3:prefix": "true"}}
    asking = policy(allow(Condition=condition))
    refusing = Policies([ADMINISTRATOR, policy(deny(Condition=condition))])
    assert not decide(USER, Policies([asking])).allowed
    assert decide(USER, refusing).reason.startswith("with an explicit deny")


def test_a_key_that_the_request_has_is_not_unknown() -> None:
    listing = Policies([policy(allow(Condition={"StringNotEquals": {"s3:prefix": "private"}}))])
    assert decide(USER, listing, context={"s3:prefix": "public"}).allowed
    assert not decide(USER, listing, context={"s3:prefix": "private"}).allowed
