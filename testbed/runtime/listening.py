"""The ports of a container that something listens on, according to its kernel."""

from testbed.runtime.containers import Containers

_LISTEN = "0A"
# Docker's name server is in every container of a user-defined network, on 127.0.0.11.
_NAME_SERVER = "0B00007F"


def listening(containers: Containers, container_id: str) -> dict[int, set[str]]:
    """Return each port with the addresses it is bound to, as ``/proc/net/tcp`` writes them.

    The engine's own name server is left out. Raises ``ContainerFailed``.
    """
    _, output = containers.execute(container_id, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
    bound: dict[int, set[str]] = {}
    for line in output.decode().splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            bound.setdefault(int(port, 16), set()).add(address)
    return {port: addresses for port, addresses in bound.items() if addresses != {_NAME_SERVER}}
