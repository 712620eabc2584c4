"""The ports of a container that something listens on, according to its kernel."""

from testbed.errors import ContainerFailed
from testbed.runtime.containers import Containers

_HEADER = b"local_address"
_LISTEN = "0A"
_ATTEMPTS = 3  # on a busy machine an engine may lose a command's output
# Docker's name server is in every container of a user-defined network, on 127.0.0.11.
_NAME_SERVER = "0B00007F"


def listening(containers: Containers, container_id: str) -> dict[int, set[str]]:
    """Return each port with the addresses it is bound to, as ``/proc/net/tcp`` writes them.

    The engine's own name server is left out. Raises ``ContainerFailed``.
    """
    output = b""
    for _ in range(_ATTEMPTS):
        _, output = containers.execute(container_id, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
        if _HEADER in output:
            break
    else:
        raise ContainerFailed("A container does not say which of its ports are in use.")
    bound: dict[int, set[str]] = {}
    for line in output.decode().splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            bound.setdefault(int(port, 16), set()).add(address)
    return {port: addresses for port, addresses in bound.items() if addresses != {_NAME_SERVER}}
