"""A node on a block volume without a broker, for tests of the volume alone."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from testbed.broker.node_container import TMPFS
from testbed.engines import entry
from testbed.runtime import images
from testbed.runtime.containers import Containers, ContainerSpec
from tests.support.broker_node import testing, wait_for

MIB = 2**20
USER = "daemon"


@dataclass
class BareNode:
    containers: Containers
    image: str
    volume: str
    data_key: bytes | None = field(default_factory=lambda: secrets.token_bytes(64), repr=False)
    size: int = 64 * MIB
    start: bytes = b"echo attached; exec sleep 1000"
    volumes: dict[str, str] = field(default_factory=dict)  # further ones: name -> path
    mounts: Literal["", "fuse", "loop"] = "loop"
    attempt: int = 0
    container: str = ""

    def launch(self, **changes: int) -> None:
        """Start it in a new container, without waiting for its volume."""
        self.attempt += 1
        numbers = {"attempt": self.attempt, "attached": self.attempt - 1, **changes}
        self.container = self.containers.run(
            ContainerSpec(
                name=f"{self.volume}-{self.attempt}",
                image=self.image,
                role="node",
                volumes={self.volume: "/volume", **self.volumes},
                tmpfs=TMPFS,
                mounts=self.mounts,
            ),
            stdin=entry.bare(self.start, self.data_key, self.size, **numbers),
        )

    def attach(self, **changes: int) -> None:
        """Start it, and return when its volume is attached."""
        self.launch(**changes)
        wait_for("the volume", lambda: "attached" in self.log().splitlines() or self.fails())

    def fails(self) -> bool:
        assert self.containers.state(self.container).running, self.log()
        return False

    def refusal(self, **changes: int) -> tuple[int, str]:
        """Start it where its volume does not attach; return the exit code and what it said."""
        self.launch(**changes)
        wait_for("the end", lambda: not self.containers.state(self.container).running)
        return self.containers.state(self.container).exit_code, self.log()

    def detach(self) -> None:
        self.containers.kill(self.container)
        self.containers.remove(self.container)

    def log(self) -> str:
        return b"".join(self.containers.logs(self.container)).decode(errors="replace")

    def run(self, script: str, user: str = USER) -> str:
        code, output = self.containers.execute(self.container, ["sh", "-c", script], user=user)
        assert code == 0, output.decode()
        return output.decode().strip()


@contextmanager
def bare_nodes() -> Iterator[tuple[Containers, str]]:
    """Yield containers under a new label, and the tag of the base image."""
    with testing() as containers:
        yield containers, containers.ensure_image(images.BROKER_BASE)


def bare_node(containers: Containers, image: str) -> BareNode:
    """Return a node on a new volume."""
    volume = f"{containers.instance}-{secrets.token_hex(3)}"
    containers.create_volume(volume)
    return BareNode(containers, image, volume)
