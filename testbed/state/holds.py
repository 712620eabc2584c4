"""What a fault holds: maintenance leaves it alone until the fault is undone.

Faults are stored before they are injected, each with what it holds, so that every process of the
testbed sees it.
"""

from testbed.state.store import State

KIND = "fault"
KMS = "kms"


def node(broker_id: str, name: str) -> str:
    """Return the name under which a node is held."""
    return f"{broker_id}/{name}"


def is_held(state: State, subject: str) -> bool:
    """Return whether a fault holds ``subject``: ``KMS``, or a ``node``."""
    return any(subject in document["holds"] for document in state.all(KIND))
