"""How often a broker makes its disk keep what it wrote: calls of fsync and its like, counted by the kernel.

Counted where that can be: as root on the machine that the containers run on. A trace instance of our own notes the calls
of the broker's threads, and only how many there were is read, which costs next to nothing. What the encrypted filesystem
calls on the broker's behalf is left out: it would count twice.
"""

import ctypes
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

# fsopen(2), fsconfig(2) and fsmount(2), which glibc has since 2.36 only; the numbers are those of all architectures.
_FSOPEN, _FSCONFIG, _FSMOUNT, _CLOEXEC, _CREATE = 430, 431, 432, 1, 6
_CALLS = ("fsync", "fdatasync", "msync", "sync_file_range")
_NOT_THE_BROKER = ("gocryptfs",)


class Syncs:
    """Counts the calls of these processes (ids of this machine) until closed. Raises ``OSError`` where the kernel does not let us."""

    def __init__(self, processes: Iterable[int]) -> None:
        threads = [thread for process in processes for thread in _threads(process)]
        if not threads:
            raise ProcessLookupError("the processes are not this machine's")
        instances = _tracing() / "instances"
        _sweep(instances)
        self._instance = instances / f"{_ours()}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._instance.mkdir()
        try:
            (self._instance / "options" / "event-fork").write_text(
                "1"
            )  # threads that start later count too
            chosen = os.open(
                self._instance / "set_event_pid", os.O_WRONLY | os.O_APPEND
            )  # Python's own "a" would seek
            try:
                for thread in threads:
                    os.write(chosen, f"{thread}\n".encode())
            finally:
                os.close(chosen)
            for call in _CALLS:
                self._enable(call, "1")
        except OSError:
            self.close()
            raise

    def _enable(self, call: str, value: str) -> None:
        (self._instance / "events" / "syscalls" / f"sys_enter_{call}" / "enable").write_text(value)

    def read(self) -> int:
        """Calls so far."""
        return sum(
            events((folder / "stats").read_text())
            for folder in (self._instance / "per_cpu").iterdir()
        )

    def close(self) -> None:
        for call in _CALLS:
            self._enable(call, "0")
        self._instance.rmdir()


def open_syncs(processes: Iterable[int]) -> Syncs | None:
    """None where they cannot be counted."""
    try:
        return Syncs(processes)
    except OSError:
        return None


@cache
def _tracing() -> Path:
    """The kernel's tracing files, mounted where nobody else sees them, for as long as this process lives."""
    kind = _kernel(_FSOPEN, b"tracefs", _CLOEXEC)
    try:
        _kernel(_FSCONFIG, kind, _CREATE, None, None, 0)
        return Path(f"/proc/self/fd/{_kernel(_FSMOUNT, kind, _CLOEXEC, 0)}")
    finally:
        os.close(kind)


def _kernel(*call: int | bytes | None) -> int:
    answer = ctypes.CDLL(None, use_errno=True).syscall(*call)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(answer)


def _ours() -> str:
    """How the names of our instances begin: the kernel shows those of all PID namespaces, and only in ours a number says who is alive."""
    return f"testbed-{os.stat('/proc/self/ns/pid').st_ino}-"


def _sweep(instances: Path) -> None:
    """Remove what killed processes left."""
    for left in instances.glob(f"{_ours()}*"):
        if not Path("/proc", left.name.removeprefix(_ours()).split("-")[0]).exists():
            with suppress(OSError):  # another of us was faster
                left.rmdir()


def events(stats: str) -> int:
    """How many events a processor's buffer has had, those that were overwritten included (Documentation/trace/ftrace.rst)."""
    counted = dict(line.split(":", 1) for line in stats.splitlines() if ":" in line)
    return sum(
        int(counted.get(name, "0"))
        for name in ("entries", "overrun", "dropped events", "read events")
    )


def _threads(process: int) -> list[int]:
    """None of a process that is not the broker's, or not there."""
    folder = Path(f"/proc/{process}")
    try:
        if (folder / "comm").read_text().strip() in _NOT_THE_BROKER:
            return []
        return [int(entry) for entry in os.listdir(folder / "task")]
    except OSError:
        return []
