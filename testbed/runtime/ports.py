"""Ports on 127.0.0.1, the only address the testbed publishes on."""

import errno
import random
import socket
import threading

from testbed.errors import PortTaken

LOOPBACK = "127.0.0.1"


# Below what Linux, macOS and Windows take for outgoing connections: while a broker reboots, none of those may get its port.
_RANGE = range(20000, 32768)
_handed_out: set[int] = set()
_choosing = threading.Lock()


def free(count: int) -> list[int]:
    """``count`` ports that nothing listens on now. They stay a broker's for its life, reboots included."""
    chosen: list[int] = []
    with _choosing:
        candidates = random.SystemRandom().sample(
            _RANGE, len(_RANGE)
        )  # seeding is for tests, not for ports
        while len(chosen) < count:
            port = candidates.pop()
            if port not in _handed_out and _is_free(port):
                chosen.append(port)
                _handed_out.add(port)  # what asks for it may need seconds until it listens
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raise ``PortTaken`` when ``port`` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise PortTaken(
                f"Port {port} on {LOOPBACK} may not be opened by this user.",
                hint="Leave fixed ports out, or run as root.",
            ) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"Port {port} on {LOOPBACK} is in use by another program.",
                hint=f"`ss -ltnp 'sport = :{port}'` names it. Stop it, or leave fixed ports out: free ones are the default.",
            ) from error
