"""A testbed: the engine, KMS, the authority and the brokers of one state folder, put together.

``Testbed.open`` joins what the folder has and starts what is missing of the ground (the engine and KMS), so every
command and every test begins with it. ``temporary`` is a testbed for the length of a ``with`` block, gone afterwards
whatever happens to the process.
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import docker

from testbed.broker.service import Brokers, Say
from testbed.errors import ContainerFailed, EngineUnavailable
from testbed.kms.base import Kms
from testbed.kms.localstack import LocalStackKms
from testbed.kms.retrying import RetryingKms
from testbed.pki import Authority
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import ContainerSpec, Containers, purge
from testbed.runtime.images import ImageSpec
from testbed.runtime.reaper import Reaper
from testbed.state.clock import Clock
from testbed.state.store import State, instance_of, is_ours

KMS_PORT = 4566  # LocalStack's own
_KMS_FOLDER = "/var/lib/testbed-kms"
_SETTINGS = "settings"


def _silent(line: str) -> None:
    pass


class Testbed:
    """See ``open``. ``kms`` is the one door to KMS, ``brokers`` Amazon MQ's control plane."""

    __test__ = False  # the name starts with "Test": pytest must not collect it

    def __init__(self, state: State, client: docker.DockerClient, say: Say) -> None:
        self.state, self.client, self.say = state, client, say
        self.containers = Containers(client, state.instance)
        self.clock = Clock(state)
        self.authority = self._authority()
        self._kms_port = self._port()
        self.kms: Kms = RetryingKms(LocalStackKms(self.kms_url))
        self.brokers = Brokers(state, self.containers, self.kms, self.authority, self.clock, say)

    @classmethod
    def open(cls, folder: Path | str, say: Say = _silent, *, kms_image: str = "", prepare: tuple[ImageSpec, ...] = ()) -> "Testbed":
        """The testbed of ``folder``, with its engine and its KMS running.

        ``prepare`` are images that will be needed soon: they are built side by side with KMS's. Raises
        ``EngineUnavailable``, ``ImageBuildFailed``, ``ContainerFailed`` or ``StateBroken``.
        """
        state = State(folder)
        testbed = cls(state, engine.connect(say), say)
        testbed._start_kms(kms_image, prepare)
        return testbed

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.state.ca_file

    @property
    def kms_url(self) -> str:
        """Where boto3 finds KMS: its ``endpoint_url``."""
        return f"http://{ports.LOOPBACK}:{self._kms_port}"

    def close(self) -> None:
        """Let go of the engine; everything runs on."""
        self.client.close()

    def down(self) -> dict[str, int]:
        """Remove everything: containers, volumes, network, and the state folder. Counts what was there."""
        counts = self.containers.purge()
        self.state.remove()
        self.client.close()
        return counts

    def _authority(self) -> Authority:
        document = self.state.get(_SETTINGS, "authority")
        authority = Authority.from_document(document) if document else Authority.create()
        if not document:
            self.state.put(_SETTINGS, "authority", authority.to_document())
        authority.write_ca(self.state.ca_file)
        return authority

    def _port(self) -> int:
        """KMS keeps its port for the folder's life, so that a client outlives its restart."""
        document = self.state.get(_SETTINGS, "kms")
        if document is None:
            document = {"port": ports.free(1)[0]}
            self.state.put(_SETTINGS, "kms", document)
        return document["port"]

    def _start_kms(self, image: str, prepare: tuple[ImageSpec, ...]) -> None:
        wanted = images.own_kms(image) if image else images.KMS
        running = [row for row in self.containers.find("kms") if row["status"] == "running"]
        tags = images.ensure(self.client, tuple(dict.fromkeys((wanted, *prepare))), self.say)
        if not running:
            self._run_kms(tags[wanted])
        LocalStackKms(self.kms_url).wait_until_answering(still_alive=self._require_kms)

    def _run_kms(self, tag: str) -> None:
        self.say("KMS: starting")
        for row in self.containers.find("kms"):
            self.containers.remove(row["id"])
        volume = f"testbed-{self.state.instance}-kms"
        self.containers.create_volume(volume)
        self.containers.run(
            ContainerSpec(
                name=volume,
                image=tag,
                role="kms",
                ports=((self._kms_port, KMS_PORT),),
                volumes={volume: _KMS_FOLDER},
            )
        )

    def _require_kms(self) -> None:
        for row in self.containers.find("kms"):
            if row["status"] not in ("running", "created"):
                raise ContainerFailed(
                    f"KMS stopped while starting: {self.containers.last_words(row['id'])}",
                    hint="`testbed down` removes it with all its keys; the next `testbed up` starts anew.",
                )


@contextmanager
def temporary(say: Say = _silent, *, prepare: tuple[ImageSpec, ...] = ()) -> Iterator[Testbed]:
    """A testbed of its own in a temporary folder; all of it is gone afterwards, even after ``kill -9``."""
    folder = Path(tempfile.mkdtemp(prefix="testbed-"))
    reaper = Reaper(instance_of(folder), folder)
    try:
        testbed = Testbed.open(folder, say, prepare=prepare)
        yield testbed
    finally:
        try:
            down(folder)
        finally:
            reaper.dismiss()


def down(folder: Path | str) -> dict[str, int]:
    """Remove everything of ``folder``, sound or broken, and the folder itself if it is the testbed's.

    Starts no engine: where none runs, nothing of ours does. Counts what was removed.
    """
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    try:
        client = engine.connect(start=False)
    except EngineUnavailable:
        client = None
    if client:
        try:
            counts = purge(client, instance_of(folder))
        finally:
            client.close()
    if is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def side_by_side(*work) -> list:  # type: ignore[no-untyped-def]
    """Call each of ``work`` in a thread of its own and return their results; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max(1, len(work))) as pool:
        futures: list[Future] = [pool.submit(each) for each in work]
    return [future.result() for future in futures]
