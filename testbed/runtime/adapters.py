"""testcontainers' classes over the testbed's own Docker client.

testcontainers opens a client for each object, starts a reaper for the whole process and labels
what it makes for that reaper. Here one client serves all, containers outlive the process that
started them, and ``testbed.runtime.reaper`` cleans up. So nothing of testcontainers' own
configuration has to be changed, which is the user's.
"""

from typing import Any, Self

import docker
from docker.models.containers import Container
from docker.models.networks import Network as DockerNetwork
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network


class SharedClient(DockerClient):
    """A Docker client that testcontainers' objects use and do not own."""

    def __init__(self, client: docker.DockerClient) -> None:
        # Not the base class's, which would open another client and write DOCKER_HOST.
        self.client = client

    def create(self, image: str, **options: Any) -> Container:  # type: ignore[override] # all of the base's are among the options
        """Create a container without the label by which testcontainers' reaper would remove it."""
        return self.client.containers.create(image, **options)

    def client_networks_create(self, name: str, param: dict[str, Any]) -> DockerNetwork:
        """Create a network, likewise."""
        return self.client.networks.create(name, **param)


class EngineContainer(DockerContainer):
    """A container of the testbed's: started without testcontainers' reaper, by a shared client."""

    def __init__(self, client: docker.DockerClient, image: str, name: str = "") -> None:
        # Not the base class's, which would open another client. A test compares the attributes.
        self.env, self.ports, self.volumes, self.tmpfs = {}, {}, {}, {}
        self.image = image
        self._docker = SharedClient(client)
        self._container = None
        self._command = None
        self._name = name or None
        self._network = None
        self._network_aliases = None
        self._kwargs = {}
        self._wait_strategy = None
        self._cached_container_info = None
        self._transferable_specs = []

    @classmethod
    def get(cls, client: docker.DockerClient, identity: str) -> Self:
        """Return the existing container of this id or name. Raises ``docker.errors.NotFound``."""
        existing = client.containers.get(identity)
        container = cls(client, existing.attrs["Config"]["Image"], existing.name or "")
        container._container = existing
        return container

    def start(self) -> Self:
        """Create the container and start it."""
        self._container = self._docker.create(
            self.image,
            name=self._name,
            command=self._command,
            environment=self.env,
            ports=self.ports,
            volumes={
                name: {"bind": mount["bind"], "mode": mount["mode"]}
                for name, mount in self.volumes.items()
            },
            tmpfs=self.tmpfs,
            **self._kwargs,
        )
        self._docker.start(self._container)
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove the container with its anonymous volumes; the shared client stays open."""
        if self._container:
            self._container.remove(force=force, v=delete_volume)


class EngineNetwork(Network):
    """A network of the testbed's, made by a shared client."""

    def __init__(self, client: docker.DockerClient, name: str, labels: dict[str, str]) -> None:
        # Not the base class's, which would open another client and choose a name.
        self.name = name
        self._docker = SharedClient(client)
        self._docker_network_kw = {"labels": labels, "check_duplicate": True}
        self._network = None
