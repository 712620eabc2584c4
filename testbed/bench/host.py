"""What the benchmark reads from the host: a broker's resources, disk syncs, stolen time.

Counts are the kernel's or the container engine's own, so they cover the broker and its volume
together: the encrypted filesystem runs in the same container.
"""

import ctypes
import os
import platform
import secrets
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from testbed.runtime.usage import ContainerUsage

# fsopen(2), fsconfig(2) and fsmount(2), in glibc since 2.36; the numbers hold on all architectures.
_FSOPEN, _FSCONFIG, _FSMOUNT, _CLOEXEC, _CREATE = 430, 431, 432, 1, 6
_SYNC_CALLS = ("fsync", "fdatasync", "msync", "sync_file_range")
_NOT_THE_BROKER = ("gocryptfs",)
_CLONE_NEWNET = 0x40000000
_CPUINFO, _BOOT_ID = Path("/proc/cpuinfo"), Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Reading:
    """Counters at one point in time.

    ``at`` is in seconds of the monotonic clock, ``cpu`` in seconds of processor time; bytes count
    from the container's start.
    """

    at: float
    cpu: float
    received: int
    sent: int
    syncs: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a container used.

    ``cores`` is processor time per second. Bytes are those into and out of the container's network
    interface, frames and acknowledgements of TCP included, its loopback not. ``syncs`` is None
    where they cannot be counted.
    """

    seconds: float
    cores: float
    received: int
    sent: int
    syncs: int | None = None


class Meter:
    """Reads one container; also a context manager.

    Raises ``ContainerFailed`` for a container that is unknown to the engine.
    """

    def __init__(self, container: str) -> None:
        self._container = ContainerUsage(container)
        self._syncs = open_syncs(self._container.processes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._syncs:
            self._syncs.close()
        self._container.__exit__(*exc)

    @property
    def at_once(self) -> bool:
        """Whether a reading is immediate. Otherwise it takes a second."""
        return self._container.at_once

    def read(self) -> Reading:
        """Read the counters now."""
        before = time.monotonic()
        counters = self._container.counters()
        return Reading(
            at=(before + time.monotonic()) / 2,
            cpu=counters.cpu,
            received=counters.received,
            sent=counters.sent,
            syncs=self._syncs.read() if self._syncs else None,
        )


def usage(readings: Sequence[Reading]) -> Usage:
    """Return what all turns used together; ``readings`` has begin, end, begin, end and so on."""
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


def stolen(stat: Path = Path("/proc/stat")) -> float:
    """Return the seconds of processor time that the hypervisor gave to other machines.

    Counted since this machine started, over all its processors; 0 where the kernel does not say.
    See "steal" in proc_stat(5).
    """
    try:
        ticks = stat.read_text().partition("\n")[0].split()[8]
    except (OSError, IndexError):
        return 0.0
    return int(ticks) / os.sysconf("SC_CLK_TCK")


class Syncs:
    """Counts the calls of fsync and its like by these processes (ids of this machine).

    Needs root on the machine that the containers run on. A trace instance in the kernel selects
    the calls of the broker's threads, and only their number is read, which costs next to nothing.
    Calls that the encrypted filesystem makes for the broker are left out: they would count twice.
    Raises ``OSError`` where the kernel refuses.
    """

    def __init__(self, processes: Iterable[int]) -> None:
        threads = [thread for process in processes for thread in _threads(process)]
        if not threads:
            raise ProcessLookupError("the processes are not this machine's")
        instances = _tracing() / "instances"
        _remove_leftovers(instances)
        self._instance = instances / f"{_prefix()}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._instance.mkdir()
        try:
            # Threads that start later count too.
            (self._instance / "options" / "event-fork").write_text("1")
            # Not Python's mode "a", which would seek.
            selected = os.open(self._instance / "set_event_pid", os.O_WRONLY | os.O_APPEND)
            try:
                # Few writes: the kernel takes some 40 ms for each, whatever the number of ids.
                ids = "\n".join(map(str, [*threads, ""])).encode()
                while ids:
                    ids = ids[os.write(selected, ids) :]
            finally:
                os.close(selected)
            for call in _SYNC_CALLS:
                self._enable(call, "1")
        except OSError:
            self.close()
            raise

    def _enable(self, call: str, value: str) -> None:
        (self._instance / "events" / "syscalls" / f"sys_enter_{call}" / "enable").write_text(value)

    def read(self) -> int:
        """Return the number of calls so far."""
        return sum(
            count_events((folder / "stats").read_text())
            for folder in (self._instance / "per_cpu").iterdir()
        )

    def close(self) -> None:
        """Stop counting and remove the trace instance."""
        for call in _SYNC_CALLS:
            self._enable(call, "0")
        self._instance.rmdir()


def open_syncs(processes: Iterable[int]) -> Syncs | None:
    """Return a counter of syncs, or None where they cannot be counted."""
    try:
        return Syncs(processes)
    except OSError:
        return None


def count_events(stats: str) -> int:
    """Return how many events a processor's trace buffer has had, overwritten ones included.

    ``stats`` is the text of its file (Documentation/trace/ftrace.rst).
    """
    counts = dict(line.split(":", 1) for line in stats.splitlines() if ":" in line)
    names = ("entries", "overrun", "dropped events", "read events")
    return sum(int(counts.get(name, "0")) for name in names)


@cache
def _tracing() -> Path:
    """Mount the kernel's tracing files, invisible to others, for the life of this process."""
    filesystem = _syscall(_FSOPEN, b"tracefs", _CLOEXEC)
    try:
        _syscall(_FSCONFIG, filesystem, _CREATE, None, None, 0)
        return Path(f"/proc/self/fd/{_syscall(_FSMOUNT, filesystem, _CLOEXEC, 0)}")
    finally:
        os.close(filesystem)


def _syscall(*call: int | bytes | None) -> int:
    result = ctypes.CDLL(None, use_errno=True).syscall(*call)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def _prefix() -> str:
    """Return how the names of our instances begin.

    The kernel shows instances of all PID namespaces, and a process id means something only in its
    own one.
    """
    return f"testbed-{Path('/proc/self/ns/pid').stat().st_ino}-"


def _remove_leftovers(instances: Path) -> None:
    """Remove the instances of killed processes."""
    for instance in instances.glob(f"{_prefix()}*"):
        if not Path("/proc", instance.name.removeprefix(_prefix()).split("-")[0]).exists():
            with suppress(OSError):  # another process of ours was faster
                instance.rmdir()


def _threads(process: int) -> list[int]:
    """List a process's threads; none if it is gone or not the broker's."""
    folder = Path(f"/proc/{process}")
    try:
        if (folder / "comm").read_text().strip() in _NOT_THE_BROKER:
            return []
        return [int(entry.name) for entry in (folder / "task").iterdir()]
    except OSError:
        return []


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Create this thread's sockets in a network ``namespace`` (``/proc/PID/ns/net``).

    They stay there after the block. Nothing happens when ``namespace`` is empty. Linux and root
    only; raises ``OSError`` where the kernel refuses.
    """
    if not namespace:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(namespace)
        try:
            yield
        finally:
            _set_namespace(home)
    finally:
        os.close(home)


def can_enter(namespace: str) -> bool:
    """Return whether this process may enter a network namespace."""
    try:
        with inside(namespace):
            return True
    except OSError:
        return False


def _enter(namespace: str) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _set_namespace(descriptor)
    finally:
        os.close(descriptor)


def _set_namespace(descriptor: int) -> None:
    # os.setns is new in Python 3.12.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def environment() -> dict[str, str]:
    """Describe the machine and the software that a result depends on."""
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs{_processor()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
    for package in ("amazonmq-testbed", "pika", "hdrhistogram"):
        with suppress(PackageNotFoundError):
            facts[package] = version(package)
    return facts


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    model = next(models, "")
    return f", {model}{', AES instructions' if 'aes' in flags else ''}" if model else ""


def machine_number() -> int:
    """Return 16 bits that identify this machine: clocks of different machines do not agree."""
    try:
        return zlib.crc32(_BOOT_ID.read_bytes()) & 0xFFFF
    except OSError:
        return secrets.randbits(16)
