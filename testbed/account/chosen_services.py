"""Which of the services around Amazon MQ the endpoint serves: all, unless some were chosen."""

from collections.abc import Iterable

from testbed.documented.neighbours import NEIGHBOURS
from testbed.errors import TestbedError
from testbed.state.store import State

ALL = "all"
_OWN = ("kms", "mq", "cloudtrail", "iam", "sts")
_KIND, _KEY = "settings", "services"


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, and the names of all services for ``all``.

    Raises ``TestbedError`` for an unknown one.
    """
    chosen = {name.strip() for name in names}
    known = (*_OWN, *NEIGHBOURS)
    if unknown := sorted(chosen.difference(known, [ALL])):
        raise TestbedError(
            f"The testbed has no service {unknown[0]!r}.", hint=f"It has {', '.join(known)}."
        )
    return known if ALL in chosen else tuple(sorted(chosen))


def choose(state: State, names: Iterable[str]) -> None:
    """Choose for the life of the folder. KMS, Amazon MQ, CloudTrail, IAM and STS stay.

    Raises ``TestbedError`` for an unknown name.
    """
    state.put(_KIND, _KEY, {"chosen": checked(names)})


def includes(state: State, name: str) -> bool:
    """Return whether a service around Amazon MQ is served."""
    stored = state.get(_KIND, _KEY)
    return stored is None or name in stored["chosen"]
