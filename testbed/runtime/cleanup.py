"""Remove everything that carries the testbed's label."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import docker
from docker.errors import APIError

from testbed.errors import ContainerFailed
from testbed.runtime.docker_errors import translate
from testbed.runtime.tasks import run_concurrently

LABEL = "amazonmq-testbed"  # its value is the instance
_PAUSE = 0.2  # seconds between two rounds
_ROUNDS = 20


def purge(
    client: docker.DockerClient, instance: str = "", *, quiet_for: float = 0.0
) -> dict[str, int]:
    """Remove the containers, volumes and networks of ``instance``, or of all instances.

    Returns the numbers of what was there. Looks again until nothing has appeared for ``quiet_for``
    seconds, since the engine may still be creating what a killed process requested. Raises
    ``ContainerFailed`` when something stays.
    """
    filters = {"label": f"{LABEL}={instance}" if instance else LABEL}
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    empty_since = 0.0
    with translate("The engine's containers, volumes and networks could not be listed"):
        # Something may still be starting, or being removed, while this runs.
        for attempt in range(_ROUNDS + int(quiet_for / _PAUSE)):
            removed = _remove_all(client, filters)
            if attempt == 0:
                counts = removed
            if not any(removed.values()):
                empty_since = empty_since or time.monotonic()
                if time.monotonic() - empty_since >= quiet_for:
                    return counts
            else:
                empty_since = 0.0
            if attempt:
                time.sleep(_PAUSE)
    raise ContainerFailed(
        "Some containers, volumes or networks of the testbed could not be removed.",
        hint=f"`docker ps -a --filter label={LABEL}` shows them.",
    )


def _remove_all(client: docker.DockerClient, filters: dict[str, Any]) -> dict[str, int]:
    """Try to remove everything once, and count what was there."""
    containers = client.api.containers(all=True, filters=filters)
    run_concurrently(
        [
            partial(_try, partial(client.api.remove_container, row["Id"], force=True, v=True))
            for row in containers
        ]
    )
    volumes = client.api.volumes(filters=filters)["Volumes"] or []
    for volume in volumes:
        _try(partial(client.api.remove_volume, volume["Name"], force=True))
    networks = client.api.networks(filters=filters)
    for network in networks:
        _try(partial(client.api.remove_network, network["Id"]))
    return {"containers": len(containers), "volumes": len(volumes), "networks": len(networks)}


def _try(action: Callable[[], Any]) -> None:
    with suppress(APIError, OSError):  # refused, or no answer in time: the next round looks again
        action()
