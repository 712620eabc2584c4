"""A call of KMS on its way through the gates, and what an operation works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.kms.backend import Backend
from testbed.kms.base import Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger, View


@dataclass(frozen=True, slots=True)
class KmsCall:
    """One request, decided on at one time and one view of the ledger, however long it takes.

    ``parameters`` have boto3's shape; past the gate ``naming`` every key is named by its ARN, and
    ``requested`` are the parameters as they came. Past ``authorization`` grant tokens have become
    ``granted``, the ids of their grants. ``keys`` are the keys that the request is about, by the
    parameter that names them. ``implied_key`` is the ARN of a key that only the ciphertext names.
    """

    caller: Caller
    operation: str
    parameters: Mapping[str, Any]
    now: float
    ledger: View
    requested: Mapping[str, Any] = field(default_factory=dict)
    implied_key: str = ""
    granted: tuple[str, ...] = ()
    keys: Mapping[str, Key] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """The key under ``KeyId``."""
        return self.keys["KeyId"]


# What KMS does by itself: the event's name in CloudTrail (DeleteKey, RotateKey,
# DeleteExpiredKeyMaterial), the key's ARN, the time in seconds since 1970, and what
# ``serviceEventDetails`` has besides the key's id. Called before the work is committed: once, or
# again after a crash.
OnServiceEvent = Callable[[str, str, float, Mapping[str, str]], None]
# Returns KMS's ``KeyLastUsageData`` of the key with an ARN, empty for a key that was never used.
LastUsage = Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True)
class KmsServices:
    """What operations work with. Delays are in seconds; see ``KmsAuthority``."""

    backend: Backend
    ledger: Ledger
    delay: float
    grant_start_delay: float
    grants_per_key: int
    on_event: OnServiceEvent
    last_usage: LastUsage


Handler = Callable[[KmsServices, KmsCall], dict[str, Any]]
