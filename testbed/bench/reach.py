"""How a target is reached, by the route that the driver asks for."""

import socket
from dataclasses import replace

from testbed.bench.netns import can_enter
from testbed.bench.target import Target
from testbed.runtime.usage import ContainerUsage

ROUTES = ("direct", "published", "inside")
_SECONDS = 1.0  # a container on this machine answers at once, or cannot be reached


def by(wanted: str, target: Target) -> Target:
    """The target by one of ``ROUTES``; by the published port where this machine has no better.

    A port on 127.0.0.1 is served by the engine's proxy, which copies every byte and takes up to half a core for it.
    ``direct`` goes to the container's own address (Linux, no virtual machine between), ``inside`` to its loopback from
    within its network, where no byte crosses a bridge (root besides).
    """
    if wanted == "published" or not target.container:
        return target
    with ContainerUsage(target.container) as container:
        port = container.port_behind(target.address.port)
        if port is None:
            return target
        if wanted == "inside":
            namespace = f"/proc/{container.main_process()}/ns/net"
            if can_enter(namespace):
                return _moved(target, "127.0.0.1", port, namespace)
        for address in container.addresses():
            if _answers(address, port):
                return _moved(target, address, port)
    return target


def route(target: Target) -> str:
    """Where the target is: ``inside`` its network, at the ``container``'s own address, a ``published`` port, or ``remote``."""
    if not target.container:
        return "remote"
    if target.namespace:
        return "inside"
    return "published" if target.address.host in ("localhost", "127.0.0.1", "::1") else "container"


def _moved(target: Target, host: str, port: int, namespace: str = "") -> Target:
    address = replace(target.address, host=host, port=port)
    return replace(
        target,
        address=address,
        server_name=target.server_name or target.address.host,
        namespace=namespace,
    )


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _SECONDS).close()
        return True
    except OSError:
        return False
