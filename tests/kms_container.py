"""A LocalStack container for the tests of ``testbed/kms``, built from ``containers/localstack``."""

import io
import os
import socket
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from testbed.kms.localstack import LocalStackKms

IMAGE = "testbed-test-localstack"
FOLDER = Path(__file__).parents[1] / "containers" / "localstack"
CA_BUNDLE = Path(os.environ.get("REQUESTS_CA_BUNDLE") or "/etc/ssl/certs/ca-certificates.crt")


def build(client: docker.DockerClient) -> str:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(FOLDER, arcname=".")
        bundle = CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else b""
        info = tarfile.TarInfo("ca.crt")
        info.size = len(bundle)
        tar.addfile(info, io.BytesIO(bundle))
    context.seek(0)
    base = {"BASE": os.environ.get("TESTBED_BASE_IMAGE", "debian:trixie-slim")}
    client.images.build(fileobj=context, custom_context=True, tag=IMAGE, buildargs=base, rm=True, forcerm=True)
    return IMAGE


class Container:
    """LocalStack on a fixed port of 127.0.0.1, so that a client outlives a restart."""

    def __init__(self, client: docker.DockerClient, volume: str, **options: object) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.container = client.containers.create(
            build(client),
            name=volume,
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
        code, output = self.container.exec_run(["sh", "-c", script], user=user)
        assert code == 0, output.decode()
        return output.decode().strip()

    def _still_alive(self) -> None:
        self.container.reload()
        assert self.container.status == "running", self.container.logs().decode()


@contextmanager
def localstack(**options: object) -> Iterator[Container]:
    client = docker.from_env()
    name = f"testbed-test-kms-{uuid.uuid4().hex[:8]}"
    container = None
    try:
        container = Container(client, name, **options)
        yield container
    finally:
        if container:
            container.container.remove(force=True)
            client.volumes.get(name).remove()
        client.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Container]:
    with localstack() as container:
        container.start()
        yield container
