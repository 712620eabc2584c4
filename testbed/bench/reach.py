"""Targets from addresses, by the route that the driver asks for."""

import socket
from dataclasses import replace

from docker.errors import DockerException

from testbed.bench.target import Target
from testbed.runtime import engine

_SECONDS = 1.0  # a container on this machine answers at once, or cannot be reached


def direct(target: Target) -> Target:
    """The same listener at the container's own address, where this machine can reach it (Linux, no virtual machine).

    A port on 127.0.0.1 is served by the engine's proxy, which copies every byte and takes up to half a core for it.
    """
    if not target.container:
        return target
    try:
        client = engine.connect(start=False)
        try:
            network = client.api.inspect_container(target.container)["NetworkSettings"]
        finally:
            client.close()
    except DockerException:
        return target
    addresses = [each["IPAddress"] for each in (network["Networks"] or {}).values() if each["IPAddress"]]
    inside = [
        int(port.partition("/")[0])
        for port, outside in (network["Ports"] or {}).items()
        for each in outside or []
        if int(each["HostPort"]) == target.address.port
    ]
    if not addresses or not inside:
        return target
    try:
        socket.create_connection((addresses[0], inside[0]), _SECONDS).close()
    except OSError:
        return target
    address = replace(target.address, host=addresses[0], port=inside[0])
    return replace(target, address=address, server_name=target.server_name or target.address.host)


def route(target: Target) -> str:
    """How the target is reached: at the ``container``'s own address, at a ``published`` port, or at a ``remote`` endpoint."""
    if not target.container:
        return "remote"
    return "published" if target.address.host in ("localhost", "127.0.0.1", "::1") else "container"
