"""Connecting from inside a container's network, without a process in it: Linux, root, and a container on this machine."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that this thread makes in the ``with`` block are in ``namespace`` (``/proc/PID/ns/net``), and stay there.

    Nothing happens when it is empty. Raises ``OSError`` where the kernel does not let us.
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
            _set(home)
    finally:
        os.close(home)


def can_enter(namespace: str) -> bool:
    try:
        with inside(namespace):
            return True
    except OSError:
        return False


def _enter(namespace: str) -> None:
    there = os.open(namespace, os.O_RDONLY)
    try:
        _set(there)
    finally:
        os.close(there)


def _set(descriptor: int) -> None:
    # os.setns is Python 3.12's.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
