"""What faults at work do to each call of KMS: delay it, or throttle it.

A fault's record says so under ``KEY``, so that it acts in every process of the testbed, ends when
the fault is undone, and at its deadline should nobody undo it.
"""

import random
import time
from dataclasses import dataclass

from testbed.kms import refusals
from testbed.state import holds
from testbed.state.clock import steady_time
from testbed.state.store import State

KEY = "kms"


@dataclass(frozen=True)
class Disturbance:
    """``delay`` is in seconds for each call, ``throttled`` the share of calls that is refused.

    ``deadline`` is by ``steady_time``; 0 for none.
    """

    delay: float = 0.0
    throttled: float = 0.0
    deadline: float = 0.0


class Disturbances:
    """The disturbances that are stored in ``state``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: tuple[int, tuple[Disturbance, ...]] = (-1, ())  # with the state's ``changes``

    def meet(self) -> None:
        """Delay a call, or refuse it with ThrottlingException (``KmsError``)."""
        for disturbance in self._read():
            if disturbance.deadline and steady_time() > disturbance.deadline:
                continue
            if disturbance.delay:
                time.sleep(disturbance.delay)
            if random.random() < disturbance.throttled:  # noqa: S311 - no secret
                raise refusals.throttled()

    def _read(self) -> tuple[Disturbance, ...]:
        changes, (known, disturbances) = self._state.changes(), self._known
        if changes != known:
            rows = self._state.all(holds.KIND)
            disturbances = tuple(
                Disturbance(**row["record"][KEY], deadline=row["deadline"])
                for row in rows
                if KEY in row["record"]
            )
            self._known = changes, disturbances
        return disturbances
