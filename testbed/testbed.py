"""A testbed: the engine, KMS, the authority and the brokers of one state folder, put together.

``Testbed.open`` joins what the folder has and starts what is missing of the ground (the engine and KMS), so every
command and every test begins with it. ``temporary`` is a testbed for the length of a ``with`` block, gone afterwards
whatever happens to the process.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import docker

from testbed.broker.model import Broker, CreateBroker
from testbed.broker.service import Brokers, Say
from testbed.broker.standing import NAMES, USERNAME, Wish, new_password, standing
from testbed.engines.base import Control, User
from testbed.errors import ContainerFailed, EngineUnavailable
from testbed.kms.awaiting import AwaitingKms
from testbed.kms.base import Kms
from testbed.kms.localstack import LocalStackKms
from testbed.kms.retrying import RetryingKms
from testbed.pki import Authority
from testbed.runtime import engine, images, ports
from testbed.runtime.parallel import Task
from testbed.runtime.containers import ContainerSpec, Containers, purge
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

    def __init__(self, state: State, client: docker.DockerClient, say: Say, kms_image: str = "") -> None:
        self.state, self.client, self.say = state, client, say
        self.containers = Containers(client, state.instance)
        self.clock = Clock(state)
        self._kms_port = self._port()
        starting = Task(lambda: self._start_kms(kms_image))
        self.authority = self._authority()
        self.kms: Kms = AwaitingKms(RetryingKms(LocalStackKms(self.kms_url)), starting.result)
        self.brokers = Brokers(state, self.containers, self.kms, self.authority, self.clock, say)

    @classmethod
    def open(cls, folder: Path | str, say: Say = _silent, *, kms_image: str = "") -> "Testbed":
        """The testbed of ``folder``, with its engine running and its KMS at least on its way.

        ``kms_image`` is a LocalStack image of the user's own. Raises ``EngineUnavailable`` or ``StateBroken``; what
        keeps KMS from starting is raised by the first call of ``kms``.
        """
        return cls(State(folder), engine.connect(say), say, kms_image)

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.state.ca_file

    @property
    def kms_url(self) -> str:
        """Where boto3 finds KMS: its ``endpoint_url``."""
        return f"http://{ports.LOOPBACK}:{self._kms_port}"

    def standing(self, engine_type: str, wish: Wish = Wish()) -> Broker:
        """The testbed's own broker of ``engine_type``; see ``testbed.broker.standing``."""
        return standing(self.brokers, self.kms, engine_type, wish)

    @contextmanager
    def brief(self, request: CreateBroker) -> Iterator[Broker]:
        """A broker for the length of a ``with`` block: a scenario's own, or a control. Raises as ``Brokers.create`` does."""
        broker = self.brokers.create(request)
        try:
            yield broker
        finally:
            self.brokers.delete(broker.broker_id)

    def control(self, engine_type: str, control: Control) -> AbstractContextManager[Broker]:
        """A broker with planted defects, for the control run of a check; gone after the ``with`` block."""
        name = f"control-{NAMES[engine_type]}-{secrets.token_hex(3)}"
        users = (User(USERNAME, new_password()),)
        return self.brief(CreateBroker(name, engine_type, users, storage_type="EBS", control=control))

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

    def _start_kms(self, image: str) -> None:
        if not any(row["status"] == "running" for row in self.containers.find("kms")):
            wanted = images.own_kms(image) if image else images.KMS
            self._run_kms(images.ensure(self.client, [wanted], self.say)[wanted])
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
def temporary(say: Say = _silent) -> Iterator[Testbed]:
    """A testbed of its own in a temporary folder; all of it is gone afterwards, even after ``kill -9``."""
    folder = Path(tempfile.mkdtemp(prefix="testbed-"))
    reaper = Reaper(instance_of(folder), folder)
    try:
        yield Testbed.open(folder, say)
    finally:
        try:
            down(folder)
        finally:
            reaper.dismiss()


def down(folder: Path | str, everything: bool = False) -> dict[str, int]:
    """Remove all that runs for ``folder``, sound or broken, or for any folder, and the folder itself if it is the testbed's.

    Starts no engine: where none runs, nothing of ours does. Counts what was removed.
    """
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    try:
        client = engine.connect(start=False)
    except EngineUnavailable:
        client = None
    if client:
        try:
            counts = purge(client, "" if everything else instance_of(folder))
        finally:
            client.close()
    if is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return counts
