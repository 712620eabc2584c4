"""ListRetirableGrants: whose grants are shown, and to whom. No key is looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.grant import Grant
from testbed.kms.ledger import Ledger
from testbed.policy.evaluate import Policies
from testbed.policy.language import parse
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import NoBackend

OTHER_ACCOUNT = "222222222222"
KEY = f"arn:aws:kms:us-east-1:{OTHER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = f"arn:aws:iam::{USER_ACCOUNT}:role/Ops"
ALICE = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/alice", USER_ACCOUNT, "IAMUser")
OWNER = Caller(f"arn:aws:iam::{OTHER_ACCOUNT}:root", OTHER_ACCOUNT, "Root")
ALLOWED = {"Effect": "Allow", "Action": "kms:ListRetirableGrants", "Resource": ROLE}


@pytest.fixture
def kms(tmp_path: Path) -> KmsAuthority:
    state = State(tmp_path / "state")
    for retiring in (ROLE, "mq.amazonaws.com"):
        grant = Grant(
            retiring.encode().hex(), KEY, ROLE, ("Decrypt",), OTHER_ACCOUNT, 0, 0, retiring
        )
        with Ledger(state).change() as change:
            change.put_grant(grant)

    def identities(caller: Caller) -> Policies:
        return Policies((parse({"Statement": ALLOWED}, "identity"),) if caller == ALICE else ())

    return KmsAuthority(NoBackend(), state, Clock(state), identities=identities)


def retirable(kms: KmsAuthority, caller: Caller, principal: str) -> list[str]:
    answer = kms.call(caller, "ListRetirableGrants", {"RetiringPrincipal": principal})
    return [grant["KeyId"] for grant in answer["Grants"]]


def test_grants_on_keys_of_other_accounts_are_shown_to_the_retirers_account(
    kms: KmsAuthority,
) -> None:
    assert retirable(kms, USER, ROLE) == [KEY]


@pytest.mark.parametrize("principal", [ROLE, "mq.amazonaws.com"])
def test_grants_are_shown_in_the_region_of_their_key_alone(
    kms: KmsAuthority, principal: str
) -> None:
    caller = USER if principal == ROLE else OWNER
    assert retirable(kms, caller, principal) == [KEY]
    assert retirable(kms, replace(caller, region="eu-west-1"), principal) == []


def test_the_resource_is_the_retiring_principal(kms: KmsAuthority) -> None:
    assert retirable(kms, ALICE, ROLE) == [KEY]
    with pytest.raises(KmsError, match=f"on resource: {ALICE.principal} because no identity"):
        retirable(kms, ALICE, ALICE.principal)


def test_nobody_asks_for_principals_of_another_account(kms: KmsAuthority) -> None:
    with pytest.raises(KmsError, match="not authorized"):
        retirable(kms, OWNER, ROLE)


@pytest.mark.parametrize("nobody", ["nobody", "arn:aws:s3:::bucket"])
def test_what_is_no_principal_is_refused(kms: KmsAuthority, nobody: str) -> None:
    with pytest.raises(KmsError, match="^InvalidArnException: .* valid principal"):
        retirable(kms, USER, nobody)


def test_of_a_services_grants_everyone_sees_those_of_the_own_account(kms: KmsAuthority) -> None:
    assert retirable(kms, OWNER, "mq.amazonaws.com") == [KEY]
    assert retirable(kms, USER, "mq.amazonaws.com") == []
