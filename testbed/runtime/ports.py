"""Ports on 127.0.0.1, the only address the testbed publishes on."""

import errno
import socket

from testbed.errors import PortTaken

LOOPBACK = "127.0.0.1"


def free(count: int) -> list[int]:
    """``count`` ports that nothing listens on now. They stay a broker's for its life, reboots included."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def require_free(port: int) -> None:
    """Raise ``PortTaken`` when ``port`` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise PortTaken(
                f"Port {port} on {LOOPBACK} may not be opened by this user.", hint="Leave fixed ports out, or run as root."
            ) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"Port {port} on {LOOPBACK} is in use by another program.",
                hint=f"`ss -ltnp 'sport = :{port}'` names it. Stop it, or leave fixed ports out: free ones are the default.",
            ) from error
