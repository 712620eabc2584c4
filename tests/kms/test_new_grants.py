"""CreateGrant: the constraints that a grant can have, decided by the ledger alone."""

from pathlib import Path
from typing import Any

import pytest

from testbed.errors import KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import USER, USER_ACCOUNT
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.state.clock import Clock
from testbed.state.store import State
from tests.support.kms_offline import NoBackend

KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PAIRS = {"tenant": "a"}
NONE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("subset", "equals", "sentence"),
    [
        (PAIRS, NONE, ""),
        (NONE, PAIRS, ""),
        (PAIRS, PAIRS, "ValidationException: More than one constraint supplied"),
    ],
)
def test_a_grant_has_one_constraint_at_most(
    tmp_path: Path, subset: dict[str, str], equals: dict[str, str], sentence: str
) -> None:
    state = State(tmp_path / "state")
    with Ledger(state).change() as change:
        change.put_key(Key(KEY, key_policy.default(USER_ACCOUNT)))
    kms = KmsAuthority(NoBackend(), state, Clock(state))
    request: dict[str, Any] = {
        "KeyId": KEY,
        "GranteePrincipal": USER.principal,
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": subset, "EncryptionContextEquals": equals},
    }
    refused = ""
    try:
        kms.call(USER, "CreateGrant", request)
    except KmsError as refusal:
        refused = str(refusal)
    assert refused == sentence
    granted = kms.call(USER, "ListGrants", {"KeyId": KEY})["Grants"]
    assert len(granted) == (0 if sentence else 1)
