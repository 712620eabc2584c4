"""The operations on grants: creating, listing and ending them; grants to services."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.documented import grants as documented
from testbed.kms.base import MQ, USER, USER_ACCOUNT, Caller
from testbed.policy.evaluate import ADMINISTRATOR, Policies
from testbed.policy.language import parse
from tests.support.key_policies import ROOT, Statement, allow, deny, document
from tests.support.kms_authority import (
    ADMIN,
    DELAY,
    EC2,
    EFS_HERE,
    GRANTEE,
    SERVICE,
    STRANGER,
    VIA_MQ,
    VOLUME,
    Authority,
    container,
    over,
)

pytestmark = pytest.mark.containers

SUBSET = {"EncryptionContextSubset": VOLUME}


def ids(aws: Authority, key: str, **parameters: Any) -> list[str]:
    answer = aws.call(USER, "ListGrants", KeyId=key, **parameters)
    return [grant["GrantId"] for grant in answer["Grants"]]


def retirable(aws: Authority, caller: Caller, principal: str = "") -> list[str]:
    grants = aws.call(
        caller, "ListRetirableGrants", RetiringPrincipal=principal or caller.principal
    )["Grants"]
    return [grant["GrantId"] for grant in grants]


# The grants of a broker


def test_amazon_mqs_grants_are_made_and_used_as_documented(aws: Authority) -> None:
    """DP: the user's session creates mq_grant, with which Amazon MQ creates the volume's."""
    key = aws.key()
    mq, ebs = documented.grants("SINGLE_INSTANCE", "EBS", USER.region)
    request = {
        "KeyId": key,
        "GranteePrincipal": mq.grantee_principal,
        "RetiringPrincipal": mq.retiring_principal,
        "Operations": list(mq.operations),
    }
    of_volume = {
        "KeyId": key,
        "GranteePrincipal": ebs.grantee_principal,
        "RetiringPrincipal": ebs.retiring_principal,
        "Operations": list(ebs.operations),
        "Constraints": SUBSET,
    }
    assert aws.code(SERVICE, "CreateGrant", **of_volume) == "AccessDeniedException", (
        "control: before mq_grant"
    )
    first = aws.call(VIA_MQ, "CreateGrant", **request)
    data_key = aws.call(
        SERVICE,
        "GenerateDataKeyWithoutPlaintext",
        KeyId=key,
        NumberOfBytes=64,
        EncryptionContext=VOLUME,
    )["CiphertextBlob"]
    second = aws.call(SERVICE, "CreateGrant", **of_volume)
    assert ids(aws, key) == [first["GrantId"], second["GrantId"]]

    aws.call(SERVICE, "RetireGrant", KeyId=key, GrantId=first["GrantId"])
    aws.clock.turn(DELAY)
    assert len(aws.decrypt(data_key, caller=SERVICE)) == 64, "by the volume's own grant"
    assert (
        aws.code(
            SERVICE,
            "Decrypt",
            CiphertextBlob=data_key,
            KeyId=key,
            EncryptionContext={"aws:ebs:id": "vol-other"},
        )
        == "AccessDeniedException"
    )
    assert (
        aws.code(EC2, "Decrypt", CiphertextBlob=data_key, KeyId=key, EncryptionContext=VOLUME)
        == "AccessDeniedException"
    ), "it can only retire it"
    assert aws.code(SERVICE, "CreateGrant", **of_volume) == "AccessDeniedException"
    aws.call(EC2, "RetireGrant", KeyId=key, GrantId=second["GrantId"])
    aws.clock.turn(DELAY)
    assert (
        aws.code(SERVICE, "Decrypt", CiphertextBlob=data_key, KeyId=key, EncryptionContext=VOLUME)
        == "AccessDeniedException"
    )


def test_efs_opens_what_amazon_mq_made_for_it(aws: Authority) -> None:
    key, context = aws.key(), {"aws:elasticfilesystem:filesystem:id": "fs-0123456789abcdef0"}
    aws.grant(
        key,
        "mq.amazonaws.com",
        "CreateGrant",
        "Decrypt",
        "GenerateDataKeyWithoutPlaintext",
        by=VIA_MQ,
    )
    data_key = aws.call(
        SERVICE,
        "GenerateDataKeyWithoutPlaintext",
        KeyId=key,
        NumberOfBytes=64,
        EncryptionContext=context,
    )["CiphertextBlob"]
    aws.grant(
        key,
        EFS_HERE.principal,
        "Decrypt",
        by=SERVICE,
        Constraints={"EncryptionContextSubset": context},
    )
    assert len(aws.decrypt(data_key, context, EFS_HERE)) == 64


def test_who_can_be_a_grantee(aws: Authority) -> None:
    key = aws.key()
    for service in ("dynamodb.us-east-1.amazonaws.com", "mq.amazonaws.com"):
        for principals in (
            {"GranteePrincipal": service},
            {"GranteePrincipal": GRANTEE.principal, "RetiringPrincipal": service},
        ):
            assert (
                aws.code(USER, "CreateGrant", KeyId=key, Operations=["Decrypt"], **principals) == ""
            )
    for nobody in ("nobody", "arn:aws:s3:::bucket", "mq.example.com"):
        refusal = aws.refusal(
            USER, "CreateGrant", KeyId=key, Operations=["Decrypt"], GranteePrincipal=nobody
        )
        assert (
            str(refusal)
            == f"InvalidArnException: ARN does not refer to a valid principal: {nobody}"
        )


def test_grants_for_services_by_their_own_member_are_not_supported(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, "mq.amazonaws.com", "Decrypt")
    named = {"GranteeServicePrincipal": "mq.amazonaws.com"}
    assert aws.call(USER, "ListGrants", KeyId=key, **named)["Grants"] == []
    source = {
        "Constraints": {"SourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b:b-1"},
        "RetiringPrincipal": USER.principal,
    }
    refusal = aws.refusal(
        USER,
        "CreateGrant",
        KeyId=key,
        Operations=["Decrypt"],
        GranteeServicePrincipal="mq.amazonaws.com",
        **source,
    )
    assert refusal
    assert refusal.code == "UnsupportedOperationException"
    assert "GranteePrincipal" in refusal.hint


# Creating grants


def test_the_name_recognises_a_request_that_was_sent_twice(aws: Authority) -> None:
    key, other_key = aws.key(), aws.key()
    request = {
        "KeyId": key,
        "GranteePrincipal": GRANTEE.principal,
        "Operations": ["Decrypt", "Encrypt"],
        "Name": "backup",
    }
    first, again = (
        aws.call(USER, "CreateGrant", **request),
        aws.call(USER, "CreateGrant", **{**request, "Operations": ["Encrypt", "Decrypt"]}),
    )
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    assert len(ids(aws, key)) == 1
    different = [
        aws.call(USER, "CreateGrant", **{**request, **change})["GrantId"]
        for change in ({"Operations": ["Decrypt"]}, {"KeyId": other_key}, {"Constraints": SUBSET})
    ]
    assert len({first["GrantId"], *different}) == 4
    nameless = {name: value for name, value in request.items() if name != "Name"}
    assert (
        aws.call(USER, "CreateGrant", **nameless)["GrantId"]
        != aws.call(USER, "CreateGrant", **nameless)["GrantId"]
    )

    for token in (first["GrantToken"], again["GrantToken"]):
        assert aws.code(GRANTEE, "Encrypt", KeyId=key, Plaintext=b"p", GrantTokens=[token]) == ""
    aws.call(USER, "RevokeGrant", KeyId=key, GrantId=first["GrantId"])
    assert aws.call(USER, "CreateGrant", **request)["GrantId"] != first["GrantId"], (
        "what was revoked does not come back"
    )


def test_many_at_once_with_one_name_make_one_grant(aws: Authority) -> None:
    key = aws.key()
    with ThreadPoolExecutor(8) as pool:
        grant_ids = set(
            pool.map(lambda _: aws.grant(key, GRANTEE.principal, "Decrypt", Name="once"), range(16))
        )
    assert ids(aws, key) == list(grant_ids)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"Operations": ["Sign"]}, "ValidationException"),
        ({"Operations": ["GetPublicKey"]}, "ValidationException"),
        ({"Operations": ["Decrypt", "Bogus"]}, "ValidationException"),
        ({"GranteePrincipal": None}, "ValidationException"),
        ({"Operations": ["CreateGrant"]}, "ValidationException"),
        (
            {"Constraints": {"EncryptionContextEquals": {str(n): "" for n in range(9)}}},
            "ValidationException",
        ),
        ({"Constraints": {"EncryptionContextSubset": {"k": "v" * 385}}}, "ValidationException"),
    ],
)
def test_what_cannot_be_granted(aws: Authority, wrong: dict[str, Any], code: str) -> None:
    key = aws.key()
    request = {"GranteePrincipal": GRANTEE.principal, "Operations": ["Decrypt"], **wrong}
    assert (
        aws.code(
            USER,
            "CreateGrant",
            KeyId=key,
            **{name: value for name, value in request.items() if value},
        )
        == code
    )
    assert ids(aws, key) == []
    largest = {"EncryptionContextSubset": {str(n): "v" * 384 for n in range(8)}}
    assert aws.grant(key, GRANTEE.principal, "Decrypt", Constraints=largest), (
        "control: the largest that can"
    )


def test_an_empty_constraint_is_none(aws: Authority) -> None:
    key = aws.key()
    pairs = {"tenant": "a"}
    both = {"EncryptionContextSubset": pairs, "EncryptionContextEquals": {}}
    constrained = aws.grant(key, GRANTEE.principal, "Decrypt", Constraints=both)
    free = aws.grant(key, GRANTEE.principal, "Encrypt", Constraints={"EncryptionContextSubset": {}})
    listed = {row["GrantId"]: row for row in aws.call(USER, "ListGrants", KeyId=key)["Grants"]}
    assert listed[constrained]["Constraints"] == {"EncryptionContextSubset": pairs}
    assert "Constraints" not in listed[free]
    aws.encrypt(key, context={"any": "thing"}, caller=GRANTEE)
    assert (
        aws.code(GRANTEE, "Decrypt", CiphertextBlob=aws.encrypt(key), KeyId=key)
        == "AccessDeniedException"
    )


def test_no_grant_gives_create_grant_alone(aws: Authority) -> None:
    key, request = aws.key(), {"GranteePrincipal": GRANTEE.principal}
    alone = aws.refusal(USER, "CreateGrant", KeyId=key, Operations=["CreateGrant"], **request)
    assert str(alone) == (
        "ValidationException: Grants must not contain only the CreateGrant operation."
    )
    aws.grant(key, GRANTEE.principal, "CreateGrant", "Decrypt")


def test_constraints_and_operations_fit_the_key(aws: Authority) -> None:
    signing, rsa = (
        aws.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        aws.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
    )
    aws.grant(signing, GRANTEE.principal, "Sign", "GetPublicKey")
    aws.grant(rsa, GRANTEE.principal, "Decrypt", "GetPublicKey")
    for key, request in (
        (signing, {"Operations": ["Decrypt"]}),
        (rsa, {"Operations": ["GenerateDataKey"]}),
        (rsa, {"Operations": ["Decrypt"], "Constraints": SUBSET}),
    ):
        assert (
            aws.code(USER, "CreateGrant", KeyId=key, GranteePrincipal=GRANTEE.principal, **request)
            == "ValidationException"
        )


def test_a_key_has_no_more_grants_than_it_can_have(tmp_path: Path) -> None:
    aws = over(container(), tmp_path / "s", grants_per_key=3)
    key = aws.key()
    named = [aws.grant(key, GRANTEE.principal, "Decrypt", Name=f"g{n}") for n in range(3)]
    assert (
        aws.code(
            USER,
            "CreateGrant",
            KeyId=key,
            GranteePrincipal=GRANTEE.principal,
            Operations=["Decrypt"],
        )
        == "LimitExceededException"
    )
    assert aws.grant(key, GRANTEE.principal, "Decrypt", Name="g0") == named[0], (
        "an existing grant does not count twice"
    )
    assert aws.grant(aws.key(), GRANTEE.principal, "Decrypt"), "the limit is per key"
    aws.call(USER, "RevokeGrant", KeyId=key, GrantId=named[0])
    aws.clock.turn(DELAY)
    assert aws.grant(key, GRANTEE.principal, "Decrypt")


# Listing grants


def test_lists_are_filtered_and_paged(aws: Authority) -> None:
    key = aws.key()
    grant_ids = [
        aws.grant(
            key, (GRANTEE, ADMIN)[n % 2].principal, "Decrypt", RetiringPrincipal=ADMIN.principal
        )
        for n in range(7)
    ]
    assert ids(aws, key) == grant_ids
    assert ids(aws, key, GrantId=grant_ids[3]) == [grant_ids[3]]
    assert ids(aws, key, GranteePrincipal=ADMIN.principal) == grant_ids[1::2]

    pages: list[list[str]] = []
    marker: dict[str, str] = {}
    while True:
        page = aws.call(USER, "ListGrants", KeyId=key, Limit=3, **marker)
        pages.append([grant["GrantId"] for grant in page["Grants"]])
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
        aws.call(
            USER, "RevokeGrant", KeyId=key, GrantId=pages[-1][-1]
        )  # the end of a grant disturbs no paging
    assert pages == [grant_ids[:3], grant_ids[3:6], grant_ids[6:]]
    assert "NextMarker" not in page
    assert aws.code(USER, "ListGrants", KeyId=key, Marker="nonsense") == "InvalidMarkerException"
    assert aws.code(USER, "ListGrants", KeyId=key, GrantId="0" * 64) == "NotFoundException"
    assert aws.code(GRANTEE, "ListGrants", KeyId=key) == "AccessDeniedException"


def test_the_fields_of_a_listed_grant(aws: Authority) -> None:
    """KMS developer guide, the ListGrants response in "Grant constraints"."""
    key = aws.key()
    aws.grant(key, "mq.amazonaws.com", "CreateGrant", "Decrypt", by=VIA_MQ)
    aws.grant(
        key,
        "mq.amazonaws.com",
        "Decrypt",
        by=SERVICE,
        RetiringPrincipal=EC2.principal,
        Constraints=SUBSET,
        Name="ebs_grant",
    )
    entry = aws.call(USER, "ListGrants", KeyId=key)["Grants"][-1]
    assert abs(entry.pop("CreationDate").timestamp() - aws.clock.now()) < 60
    assert len(entry.pop("GrantId")) == 64
    assert entry == {
        "KeyId": key,
        "Name": "ebs_grant",
        "GranteePrincipal": "mq.amazonaws.com",
        "RetiringPrincipal": EC2.principal,
        "IssuingAccount": f"arn:aws:iam::{USER_ACCOUNT}:root",
        "Operations": ["Decrypt"],
        "Constraints": SUBSET,
    }


def test_a_principal_lists_what_it_may_retire(aws: Authority) -> None:
    key, owned = aws.key(), aws.key(MQ)
    of_mq = aws.grant(
        key, "mq.amazonaws.com", "Decrypt", by=VIA_MQ, RetiringPrincipal="mq.amazonaws.com"
    )
    of_ec2 = aws.grant(
        key, "mq.amazonaws.com", "Decrypt", by=VIA_MQ, RetiringPrincipal=EC2.principal
    )
    grants = aws.grant(
        owned, GRANTEE.principal, "Decrypt", by=MQ, RetiringPrincipal="mq.amazonaws.com"
    )
    assert retirable(aws, SERVICE) == [of_mq, grants]
    assert retirable(aws, EC2) == [of_ec2]
    assert retirable(aws, USER, "mq.amazonaws.com") == [of_mq], "those of the account"
    assert retirable(aws, STRANGER, "mq.amazonaws.com") == []
    assert aws.code(USER, "ListRetirableGrants") == "ValidationException"


# Ending grants


@pytest.mark.parametrize("how", ["RevokeGrant", "RetireGrant"])
def test_an_ended_grant_is_off_the_list_at_once_and_in_effect_for_the_delay(
    aws: Authority, how: str
) -> None:
    key = aws.key()
    grant = aws.grant(
        key, "mq.amazonaws.com", "Encrypt", by=VIA_MQ, RetiringPrincipal="mq.amazonaws.com"
    )
    aws.call(USER, how, KeyId=key, GrantId=grant)
    assert ids(aws, key) == []
    assert retirable(aws, USER, "mq.amazonaws.com") == []
    assert retirable(aws, SERVICE) == [grant]
    for operation in ("RevokeGrant", "RetireGrant"):
        assert (
            str(aws.refusal(USER, operation, KeyId=key, GrantId=grant))
            == f"NotFoundException: Grant ID {grant} not found"
        )
    aws.clock.turn(DELAY - 60)
    aws.encrypt(key, caller=SERVICE)
    aws.clock.turn(60)
    assert aws.code(SERVICE, "Encrypt", KeyId=key, Plaintext=b"p") == "AccessDeniedException"
    assert retirable(aws, SERVICE) == []
    assert aws.ledger.grant(grant) is None, "and then it is deleted"


def test_a_keys_policy_has_no_effect_on_retiring(aws: Authority) -> None:
    """KMS, "AWS KMS permissions": RetireGrant "is not effective in a key policy"."""
    key = aws.key()
    grant = aws.grant(key, GRANTEE.principal, "Decrypt", RetiringPrincipal=GRANTEE.principal)

    def retire(caller: Caller, *statements: Statement) -> str:
        policy = document(allow(ROOT), *statements)
        aws.call(USER, "PutKeyPolicy", KeyId=key, Policy=policy)
        return aws.code(caller, "RetireGrant", KeyId=key, GrantId=grant)

    assert retire(STRANGER, allow({"AWS": "*"}, "kms:RetireGrant")) == "AccessDeniedException"
    assert retire(GRANTEE, deny({"AWS": GRANTEE.principal}, "kms:RetireGrant")) == ""


def test_the_callers_own_policies_have_one(tmp_path: Path) -> None:
    """A Deny is final, and who is only of the issuing account needs the permission."""
    own: dict[str, str] = {}

    def identities(caller: Caller) -> Policies:
        if caller == USER:
            return Policies((ADMINISTRATOR,))
        effect = own.get(caller.principal)
        statement = {"Effect": effect, "Action": "kms:RetireGrant", "Resource": "*"}
        return Policies((parse({"Statement": statement}, "identity"),) if effect else ())

    aws = over(container(), tmp_path / "s", identities=identities)
    key = aws.key()

    def retire(caller: Caller, effect: str = "") -> str:
        own[caller.principal] = effect
        grant = aws.grant(key, GRANTEE.principal, "Decrypt", RetiringPrincipal=GRANTEE.principal)
        return aws.code(caller, "RetireGrant", KeyId=key, GrantId=grant)

    assert retire(GRANTEE) == ""
    assert retire(GRANTEE, "Deny") == "AccessDeniedException"
    assert retire(ADMIN) == "AccessDeniedException"
    assert retire(ADMIN, "Allow") == ""
    assert retire(STRANGER, "Allow") == "AccessDeniedException"


def test_who_may_revoke_and_who_may_retire(aws: Authority) -> None:
    key = aws.key()

    def new_grant() -> str:
        return aws.grant(
            key,
            GRANTEE.principal,
            "Decrypt",
            "RetireGrant",
            by=VIA_MQ,
            RetiringPrincipal="mq.amazonaws.com",
        )

    may = {
        operation: [
            caller
            for caller in (USER, ADMIN, GRANTEE, STRANGER, SERVICE, EC2)
            if not aws.code(caller, operation, KeyId=key, GrantId=new_grant())
        ]
        for operation in ("RevokeGrant", "RetireGrant")
    }
    assert may == {"RevokeGrant": [USER, ADMIN], "RetireGrant": [USER, ADMIN, GRANTEE, SERVICE]}
    refusal = aws.refusal(STRANGER, "RetireGrant", KeyId=key, GrantId=new_grant())
    assert refusal
    assert refusal.code == "AccessDeniedException"
    assert "kms:RetireGrant" in refusal.message


def test_retiring_by_token(aws: Authority) -> None:
    key = aws.key()
    request = {
        "KeyId": key,
        "GranteePrincipal": GRANTEE.principal,
        "Operations": ["Decrypt"],
        "Name": "n",
        "RetiringPrincipal": GRANTEE.principal,
    }
    token, _ = [aws.call(USER, "CreateGrant", **request)["GrantToken"] for _ in range(2)]
    assert aws.code(STRANGER, "RetireGrant", GrantToken=token) == "AccessDeniedException"
    aws.call(GRANTEE, "RetireGrant", GrantToken=token)
    assert ids(aws, key) == []
    assert aws.code(GRANTEE, "RetireGrant", GrantToken=token) == "NotFoundException"
    assert aws.code(GRANTEE, "RetireGrant", GrantToken="bogus") == "InvalidGrantTokenException"
    for parameters in (
        {},
        {"KeyId": key},
        {"GrantToken": token, "KeyId": key, "GrantId": "0" * 64},
    ):
        assert aws.code(GRANTEE, "RetireGrant", **parameters) == "ValidationException"


def test_grants_are_ended_on_their_own_key_alone(aws: Authority) -> None:
    key, other_key = aws.key(), aws.key()
    grant = aws.grant(key, GRANTEE.principal, "Decrypt")
    for operation in ("RevokeGrant", "RetireGrant"):
        assert (
            aws.code(USER, operation, KeyId=other_key, GrantId=grant)
            == aws.code(USER, operation, KeyId=key, GrantId="0" * 64)
            == "NotFoundException"
        )
    assert ids(aws, key) == [grant]


@pytest.mark.parametrize(
    "step", [("DisableKey", {}), ("ScheduleKeyDeletion", {"PendingWindowInDays": 7})]
)
def test_grants_are_ended_in_any_key_state_and_made_only_on_a_usable_key(
    aws: Authority, step: tuple[str, dict[str, Any]]
) -> None:
    key = aws.key()
    first, second = (
        aws.grant(key, GRANTEE.principal, "Decrypt", RetiringPrincipal=GRANTEE.principal)
        for _ in range(2)
    )
    aws.call(USER, step[0], KeyId=key, **step[1])
    aws.grant(key, GRANTEE.principal, "Encrypt", Name="within-the-delay")
    aws.clock.turn(DELAY)
    assert aws.code(
        USER, "CreateGrant", KeyId=key, GranteePrincipal=GRANTEE.principal, Operations=["Decrypt"]
    ) in (
        "DisabledException",
        "KMSInvalidStateException",
    )
    aws.call(USER, "RevokeGrant", KeyId=key, GrantId=first)
    aws.call(GRANTEE, "RetireGrant", KeyId=key, GrantId=second)
    assert len(ids(aws, key)) == 1


def test_the_grantee_of_a_child_grant_can_do_no_more_than_the_parent_allows(aws: Authority) -> None:
    key = aws.key()
    aws.grant(key, GRANTEE.principal, "CreateGrant", "Decrypt", Constraints=SUBSET)
    request = {"KeyId": key, "GranteePrincipal": STRANGER.principal}
    for wider in (
        {"Operations": ["Encrypt"], "Constraints": SUBSET},
        {"Operations": ["Decrypt"]},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"k": "v"}}},
    ):
        assert aws.code(GRANTEE, "CreateGrant", **request, **wider) == "AccessDeniedException"
    aws.call(
        GRANTEE,
        "CreateGrant",
        **request,
        Operations=["CreateGrant", "Decrypt"],
        Constraints={"EncryptionContextEquals": VOLUME},
    )
    blob, wide = aws.encrypt(key), aws.encrypt(key, context={**VOLUME, "more": "x"})
    assert aws.decrypt(blob, caller=STRANGER) == b"data"
    assert (
        aws.code(
            STRANGER, "Decrypt", CiphertextBlob=wide, EncryptionContext={**VOLUME, "more": "x"}
        )
        == "AccessDeniedException"
    )
    assert (
        aws.code(
            STRANGER,
            "CreateGrant",
            KeyId=key,
            GranteePrincipal=ADMIN.principal,
            Operations=["Decrypt"],
            Constraints=SUBSET,
        )
        == "AccessDeniedException"
    )
    assert (
        aws.code(
            replace(STRANGER, principal="arn:aws:iam::333333333333:user/x"),
            "Decrypt",
            CiphertextBlob=blob,
            EncryptionContext=VOLUME,
        )
        == ""
    )
