"""ReplicateKey: a replica has all materials of its primary, those of this moment too."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.authorization import administrators
from testbed.kms.base import USER, USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State

ARN = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
WEST = "us-west-2"
PRIMARY = Key(
    ARN, key_policy.default(USER_ACCOUNT), first_material="11" * 32, primary_region="us-east-1"
)
ROTATED = replace(PRIMARY, rotations=(("22" * 32, 1.0, "ON_DEMAND"),))


class Replicating:
    """LocalStack, which copies the material that the primary has."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "ReplicateKey"
        return {"ReplicaKeyMetadata": {}}


def test_a_rotation_at_the_same_time_is_not_missed(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    ledger = Ledger(state)
    with ledger.change() as change:
        change.put_key(PRIMARY)

    def rotated(caller: Caller) -> Any:
        """Look up the caller's policies, while another process rotates the key."""
        with ledger.change() as change:
            change.put_key(ROTATED)
        return administrators(caller)

    kms = KmsAuthority(Replicating(), state, Clock(state), identities=rotated)
    kms.call(USER, "ReplicateKey", {"KeyId": ARN, "ReplicaRegion": WEST})
    replica = ledger.key(ARN.replace("us-east-1", WEST))
    assert replica
    assert replica.material_ids == ROTATED.material_ids
