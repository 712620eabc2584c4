"""The engine, an image that does nothing, and containers under a separate label."""

import io
import uuid
from collections.abc import Iterator

import docker
import pytest

from testbed.runtime import engine, images
from testbed.runtime.builder import ensure_images
from testbed.runtime.containers import Containers


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    client = engine.connect()
    yield client
    client.close()


@pytest.fixture(scope="session")
def base(client: docker.DockerClient) -> str:
    return ensure_images(client, [images.BROKER_BASE])[images.BROKER_BASE]


@pytest.fixture(scope="session")
def idle(client: docker.DockerClient, base: str) -> Iterator[str]:
    """Build an image that does nothing for a while."""
    recipe = io.BytesIO(f'FROM {base}\nENTRYPOINT ["sleep", "300"]\n'.encode())
    tag = f"testbed-test-idle-{uuid.uuid4().hex[:8]}"  # another worker has its own
    client.images.build(fileobj=recipe, tag=tag, rm=True, forcerm=True)
    yield tag
    client.images.remove(tag, force=True)


@pytest.fixture
def containers(client: docker.DockerClient) -> Iterator[Containers]:
    containers = Containers(client, f"test-{uuid.uuid4().hex[:8]}")
    yield containers
    containers.purge()
