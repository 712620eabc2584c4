"""A LocalStack container for the tests of ``testbed/kms``, built from ``containers/localstack``."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker

from testbed.kms.localstack import LocalStackKms
from testbed.runtime import engine, images
from testbed.runtime.builder import ensure_images


def build(client: docker.DockerClient) -> str:
    return ensure_images(client, [images.KMS])[images.KMS]


class Container:
    """LocalStack on its own network and a fixed port, so that a client survives a restart."""

    def __init__(self, client: docker.DockerClient, volume: str, **options: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.container = client.containers.create(
            build(client),
            name=volume,
            network=volume,
            ports={"4566/tcp": ("127.0.0.1", port)},
            volumes={volume: {"bind": "/var/lib/testbed-kms", "mode": "rw"}},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            **options,
        )
        self.kms = LocalStackKms(self.endpoint)

    def start(self) -> None:
        self.container.start()
        self.kms.wait_until_answering(still_alive=self._still_alive)

    def kill(self) -> None:
        self.container.kill("KILL")
        self.container.wait()

    def run(self, script: str, user: str = "") -> str:
        result = self.container.exec_run(["sh", "-c", script], user=user)
        assert isinstance(result.output, bytes)
        assert result.exit_code == 0, result.output.decode()
        return result.output.decode().strip()

    def _still_alive(self) -> None:
        self.container.reload()
        assert self.container.status == "running", self.container.logs().decode()


@contextmanager
def localstack(**options: Any) -> Iterator[Container]:
    client = engine.connect()
    name = f"testbed-test-kms-{uuid.uuid4().hex[:8]}"
    container = network = None
    try:
        network = client.networks.create(name)
        container = Container(client, name, **options)
        yield container
    finally:
        if container:
            container.container.remove(force=True)
            client.volumes.get(name).remove()
        if network:
            network.remove()
        client.close()
