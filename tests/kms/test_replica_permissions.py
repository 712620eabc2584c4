"""ReplicateKey needs CreateKey in the replica's Region: of a key like its primary."""

from pathlib import Path

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.policy.evaluate import Policies
from testbed.policy.language import parse
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import NoBackend

PRIMARY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
ALICE = Caller(f"arn:aws:iam::{USER_ACCOUNT}:user/alice", USER_ACCOUNT, "IAMUser")


@pytest.mark.parametrize(
    ("condition", "wanted", "allowed"),
    [
        ("kms:KeySpec", "RSA_2048", True),
        ("kms:KeySpec", "SYMMETRIC_DEFAULT", False),
        ("kms:KeyUsage", "SIGN_VERIFY", True),
        ("kms:KeyUsage", "ENCRYPT_DECRYPT", False),
        ("kms:KeyOrigin", "EXTERNAL", True),
        ("kms:KeyOrigin", "AWS_KMS", False),
        ("kms:MultiRegion", "true", True),
    ],
)
def test_the_permission_is_for_a_key_like_the_primary(
    tmp_path: Path, condition: str, wanted: str, allowed: bool
) -> None:
    own = [
        {"Effect": "Allow", "Action": "kms:ReplicateKey", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "kms:CreateKey",
            "Resource": "*",
            "Condition": {"StringEquals": {condition: wanted}},
        },
    ]
    policies = Policies((parse({"Statement": own}, "identity"),))
    state = State(tmp_path / "state")
    policy = key_policy.default(USER_ACCOUNT)
    key = Key(PRIMARY, policy, "RSA_2048", "SIGN_VERIFY", "EXTERNAL", primary_region="us-east-1")
    with Ledger(state).change() as change:
        change.put_key(key.disabled(0, 0))  # so that an allowed call goes no further
    kms = KmsAuthority(NoBackend(), state, Clock(state), identities=lambda _: policies)
    with pytest.raises(KmsError) as refused:
        kms.call(ALICE, "ReplicateKey", {"KeyId": PRIMARY, "ReplicaRegion": "eu-west-1"})
    assert refused.value.code == ("DisabledException" if allowed else "AccessDeniedException")
