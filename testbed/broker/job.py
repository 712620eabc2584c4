"""What remains of an operation once it has been answered."""

from collections.abc import Callable
from dataclasses import dataclass

from testbed.broker.model import Broker


@dataclass(frozen=True)
class Job:
    """An operation that has begun: the broker as the answer describes it, and ``finish``.

    ``finish`` may be called in any thread; a later one, or another process, may be faster.
    """

    broker: Broker
    finish: Callable[[], None]
