"""Whether the endpoint accepts known access keys alone, and the root's key where it does."""

import secrets

from testbed.account.directory import AccessKey
from testbed.state.store import State

_KIND, _KEY = "settings", "known-keys"


def require(state: State, *, required: bool) -> None:
    """Say for the life of the folder whether unknown access keys are refused.

    The root of the user's account gets a key of its own, which stays the same.
    """
    stored = state.get(_KIND, _KEY) or {
        "access_key_id": "AKIA" + secrets.token_hex(8).upper(),
        "secret": secrets.token_urlsafe(30),
    }
    state.put(_KIND, _KEY, {**stored, "required": required})


def required(state: State) -> AccessKey | None:
    """Return the root's access key where known keys are required; None where they are not."""
    stored = state.get(_KIND, _KEY)
    if not stored or not stored["required"]:
        return None
    return AccessKey(stored["access_key_id"], stored["secret"])
