"""Ports on 127.0.0.1, the only address the testbed publishes on.

``TESTBED_PORTS`` in the environment, such as ``21000-21999``, is where free ones are taken from.
"""

import errno
import os
import secrets
import socket
import threading
from itertools import chain, islice

from testbed.errors import PortTaken, TestbedError

LOOPBACK = "127.0.0.1"


# Below what Linux, macOS and Windows use for outgoing connections, none of which may get the port
# of a broker while it reboots.
_DEFAULT = "20000-32767"
# The oldest first. The owner of a port may need seconds until it listens, and does not while it is
# rebooted: one is handed out again only when there is no other.
_handed_out: dict[int, None] = {}
_choosing = threading.Lock()


def free(count: int) -> list[int]:
    """Return ports that nothing listens on now; a broker keeps them for its life.

    Raises ``TestbedError`` when ``TESTBED_PORTS`` is not a range, or has too few free ports.
    """
    ports = _range()
    # From anywhere on: testbeds that start at the same time hardly meet.
    start = secrets.randbelow(len(ports))
    with _choosing:
        unused = (p for p in chain(ports[start:], ports[:start]) if p not in _handed_out)
        again = [port for port in _handed_out if port in ports]
        chosen = list(islice(filter(_is_free, chain(unused, again)), count))
        if len(chosen) < count:
            raise TestbedError(
                "No port is free.", hint="TESTBED_PORTS is where free ports are taken from."
            )
        for port in chosen:
            _handed_out.pop(port, None)
            _handed_out[port] = None
    return chosen


def _range() -> range:
    text = os.environ.get("TESTBED_PORTS") or _DEFAULT
    first, _, last = text.partition("-")
    try:
        ports = range(int(first), int(last) + 1)
    except ValueError:
        ports = range(0)
    if not ports or ports.start < 1 or ports.stop > 65536:
        raise TestbedError(
            f"TESTBED_PORTS is not a range of ports: {text}", hint="For example 21000-21999."
        )
    return ports


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
                hint=f"`ss -ltnp 'sport = :{port}'` names it. Stop it, "
                "or leave fixed ports out to get free ones.",
            ) from error
