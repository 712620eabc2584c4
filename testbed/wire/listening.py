"""Which ports of a container something listens on, as its kernel says."""

from testbed.runtime.containers import Containers

_LISTEN = "0A"
# Docker's own name server is in every container of a network of one's own, on 127.0.0.11.
_DOCKER = "0B00007F"


def listening(containers: Containers, container_id: str) -> dict[int, set[str]]:
    """Each port with the addresses that it is bound to, as ``/proc/net/tcp`` writes them. Raises ``ContainerFailed``."""
    _, output = containers.execute(container_id, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
    found: dict[int, set[str]] = {}
    for line in output.decode().splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            found.setdefault(int(port, 16), set()).add(address)
    return {port: addresses for port, addresses in found.items() if addresses != {_DOCKER}}
