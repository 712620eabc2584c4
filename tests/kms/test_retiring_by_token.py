"""RetireGrant by a token: the grant alone decides who may, whatever else is sent. No container."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import KmsError
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.grant import Grant
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import NoBackend

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = KEY.replace("key/1234", "key/4321")
STRANGER = Caller("arn:aws:iam::222222222222:user/stranger", "222222222222", "IAMUser")


@pytest.mark.parametrize(
    "beside", [{}, {"KeyId": KEY}, {"KeyId": OTHER_KEY}, {"GrantId": "0" * 64}]
)
def test_who_has_a_token_may_not_retire_its_grant_for_that(
    tmp_path: Path, beside: dict[str, str]
) -> None:
    state = State(tmp_path / "state")
    grant = Grant("12" * 32, KEY, USER.principal, ("Decrypt",), USER_ACCOUNT, 0, 0, secret="secret")
    with Ledger(state).change() as change:
        change.put_key(Key(KEY, "{}"))
        change.put_grant(grant)
    kms = KmsAuthority(NoBackend(), state, Clock(state))
    sent = {"GrantToken": grant.token(), **beside}
    with pytest.raises(KmsError) as refused:
        kms.call(STRANGER, "RetireGrant", sent)
    assert refused.value.code == "AccessDeniedException"
    assert Ledger(state).view().grant(grant.grant_id) == grant
    kms.call(USER, "RetireGrant", sent)
    ended = Ledger(state).view().grant(grant.grant_id)
    assert ended
    assert ended.ends is not None


@pytest.mark.parametrize(
    ("operation", "member"), [("RetireGrant", "GrantToken"), ("DescribeKey", "GrantTokens")]
)
def test_a_token_is_unknown_in_other_regions(tmp_path: Path, operation: str, member: str) -> None:
    state = State(tmp_path / "state")
    grant = Grant("12" * 32, KEY, USER.principal, ("Decrypt",), USER_ACCOUNT, 0, 0, secret="secret")
    west = KEY.replace("us-east-1", "us-west-2")
    with Ledger(state).change() as change:
        change.put_key(Key(KEY, "{}"))
        change.put_key(Key(west, "{}"))
        change.put_grant(grant)
    kms, token = KmsAuthority(NoBackend(), state, Clock(state)), grant.token()
    request = {member: token} if member == "GrantToken" else {"KeyId": west, member: [token]}
    with pytest.raises(KmsError) as refused:
        kms.call(replace(USER, region="us-west-2"), operation, request)
    assert refused.value.code == "InvalidGrantTokenException"
    assert Ledger(state).view().grant(grant.grant_id) == grant
