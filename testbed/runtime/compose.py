"""Containers as a Compose file (https://compose-spec.io). Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from testbed.runtime.containers import ContainerSpec, privileges
from testbed.runtime.ports import LOOPBACK

_INPUT = "input"  # in /run/secrets
# The entry points of the images read their input once; a container that starts again reads it anew.
_ENTRY_POINT = ["/bin/sh", "-c", f"exec /usr/local/bin/testbed-enter </run/secrets/{_INPUT}"]


@dataclass(frozen=True)
class Service:
    """A container by its name; ``input_file``, beside the Compose file, is its standard input.

    It is healthy when something listens on all of ``listening``, and has no health if that is
    empty. It starts when those in ``after`` are healthy.
    """

    name: str
    container: ContainerSpec
    input_file: str
    listening: tuple[int, ...] = ()
    after: tuple[str, ...] = ()


def render(head: str, services: Sequence[Service]) -> str:
    """Return a Compose file; ``head`` is a comment.

    Ports are those of the containers, on 127.0.0.1 and each in a variable such as
    ``RABBITMQ_5671``.
    """
    document = {
        "services": {service.name: _service(service) for service in services},
        "volumes": {name: {} for service in services for name in sorted(service.container.volumes)},
        "secrets": {service.name: {"file": f"./{service.input_file}"} for service in services},
    }
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    return comment + yaml.safe_dump(document, sort_keys=False, width=100)


def _service(service: Service) -> Mapping[str, Any]:
    container = service.container
    prefix = re.sub(r"\W", "_", service.name).upper()
    document: dict[str, Any] = {
        "image": container.image,
        "entrypoint": list(_ENTRY_POINT),
        "secrets": [{"source": service.name, "target": _INPUT}],
        "ports": [
            f"{LOOPBACK}:${{{prefix}_{inside}:-{outside}}}:{inside}"
            for outside, inside in container.ports
        ],
        "networks": {"default": {"aliases": list(container.aliases)}},
        "volumes": [f"{name}:{path}" for name, path in container.volumes.items()],
        "tmpfs": [f"{path}:{options}" for path, options in container.tmpfs.items()],
        **privileges(container),
        "stop_grace_period": "20s",
        "depends_on": {name: {"condition": "service_healthy"} for name in service.after},
    }
    if devices := document.get("devices"):
        document["devices"] = [f"{path}:{path}" for path in devices]
    if service.listening:
        checks = (
            # Without a connection, which a broker would log: state 0A is LISTEN, see proc_net_tcp.
            f"grep -q ':{port:04X} .* 0A ' /proc/net/tcp /proc/net/tcp6"
            for port in service.listening
        )
        document["healthcheck"] = {
            "test": ["CMD-SHELL", " && ".join(checks)],
            "interval": "2s",
            "timeout": "5s",
            "retries": 90,
        }
    return {name: value for name, value in document.items() if value}
