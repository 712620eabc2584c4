"""UpdatePrimaryRegion: where no replica is, none becomes the primary."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.key import Key, related_arn
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import NoBackend

PRIMARY = Key(
    f"arn:aws:kms:{DEFAULT_REGION}:{USER_ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    key_policy.default(USER_ACCOUNT),
    primary_region=DEFAULT_REGION,
)
WEST = "us-west-2"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "state")
    with Ledger(state).change() as change:
        change.put_key(PRIMARY)
        change.put_key(replace(PRIMARY, arn=related_arn(PRIMARY, WEST)))
    return state


@pytest.mark.parametrize("region", [DEFAULT_REGION, "mars-north-1"])
def test_a_region_without_a_replica_is_refused(state: State, region: str) -> None:
    kms = KmsAuthority(NoBackend(), state, Clock(state))
    with pytest.raises(KmsError) as refusal:
        kms.call(USER, "UpdatePrimaryRegion", {"KeyId": PRIMARY.arn, "PrimaryRegion": region})
    assert refusal.value.code == "NotFoundException"
    assert Ledger(state).key(PRIMARY.arn) == PRIMARY
    moved = {"KeyId": PRIMARY.arn, "PrimaryRegion": WEST}
    assert kms.call(USER, "UpdatePrimaryRegion", moved) == {}, "the control"
