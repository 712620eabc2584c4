"""What a broker's container used between two moments: processor time, bytes on the wire, syncs.

The numbers are the kernel's, or the container engine's (control group and interface counters), so they are the broker's and
its volume's together: the encrypted filesystem runs in the same container. Bytes are those of the container's network
interface, frames and acknowledgements of TCP included; what stays inside the container (its loopback) is not in them.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.bench.syncs import open_syncs
from testbed.runtime.usage import ContainerUsage


@dataclass(frozen=True)
class Reading:
    """``at`` is in seconds of the monotonic clock, ``cpu`` in seconds of processor time; bytes count from the container's start."""

    at: float
    cpu: float
    received: int
    sent: int
    syncs: int | None = None


@dataclass(frozen=True)
class Usage:
    """``cores`` is processor time per second; bytes into and out of the container; ``syncs`` None where they cannot be counted."""

    seconds: float
    cores: float
    received: int
    sent: int
    syncs: int | None = None


class Meter:
    """Reads one container; also a context manager. Raises ``ContainerFailed`` when the engine does not know it."""

    def __init__(self, container: str) -> None:
        self._container = ContainerUsage(container)
        self._syncs = open_syncs(self._container.processes())

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._syncs:
            self._syncs.close()
        self._container.__exit__(*exc)

    @property
    def at_once(self) -> bool:
        """Whether a reading is of its moment; otherwise it takes a second, and is of some moment in it."""
        return self._container.at_once

    def read(self) -> Reading:
        before = time.monotonic()
        counters = self._container.counters()
        at = (before + time.monotonic()) / 2
        return Reading(
            at,
            counters.cpu,
            counters.received,
            counters.sent,
            self._syncs.read() if self._syncs else None,
        )


def stolen(stat: Path = Path("/proc/stat")) -> float:
    """Seconds of processor time that the hypervisor gave to other machines since this one started, of all processors together.

    0 where the kernel does not tell. See "steal" in proc_stat(5).
    """
    try:
        ticks = stat.read_text().partition("\n")[0].split()[8]
    except (OSError, IndexError):
        return 0.0
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def used(readings: Sequence[Reading]) -> Usage:
    """In all turns together, of which ``readings`` has the begin and the end: begin, end, begin, end."""
    turns = list(zip(readings[::2], readings[1::2], strict=True))
    seconds = max(sum(end.at - begin.at for begin, end in turns), 1e-9)
    syncs = [
        end.syncs - begin.syncs
        for begin, end in turns
        if begin.syncs is not None and end.syncs is not None
    ]
    return Usage(
        seconds=seconds,
        cores=sum(end.cpu - begin.cpu for begin, end in turns) / seconds,
        received=sum(end.received - begin.received for begin, end in turns),
        sent=sum(end.sent - begin.sent for begin, end in turns),
        syncs=sum(syncs) if len(syncs) == len(turns) else None,
    )
