"""A testbed: the engine, KMS, the authority and the brokers of one state folder, put together.

``Testbed.open`` joins what the folder has and starts what is missing of the ground (the engine and KMS), so every
command and every test begins with it. ``temporary`` is a testbed for the length of a ``with`` block, gone afterwards
whatever happens to the process.
"""

import logging
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import docker

from testbed.broker import default_broker
from testbed.broker.default_broker import NAMES, USERNAME, DefaultBrokerOptions, new_password
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker, CreateBroker
from testbed.broker.service import Brokers
from testbed.engines.base import Defects, User
from testbed.errors import ContainerFailed, EngineUnavailable, Interrupted, KmsError
from testbed.kms.authority import DELAY, assemble
from testbed.kms.awaiting import AwaitingKms
from testbed.kms.base import USER, Caller, Kms
from testbed.kms.localstack import LocalStackKms
from testbed.kms.retrying import RetryingKms
from testbed.pki import Authority
from testbed.runtime import engine, images, ports
from testbed.runtime.containers import Containers, ContainerSpec, purge
from testbed.runtime.parallel import Task
from testbed.runtime.reaper import Reaper
from testbed.state.clock import Clock
from testbed.state.store import State, instance_of, remove_folder
from testbed.state.locks import hold_lock
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.store import Trail

logger = logging.getLogger(__name__)

KMS_PORT = 4566  # LocalStack's own
_KMS_FOLDER = "/var/lib/testbed-kms"
_SETTINGS = "settings"
_PATIENCE = 20.0  # seconds that the start of KMS gets to notice that it is given up


class Testbed:
    """See ``open``. ``kms`` is the one door to KMS, ``brokers`` Amazon MQ's control plane."""

    __test__ = False  # the name starts with "Test": pytest must not collect it

    def __init__(
        self,
        state: State,
        client: docker.DockerClient,
        kms_image: str = "",
        delay: float | None = None,
        *,
        start: bool = True,
    ) -> None:
        """``start=False``: KMS is not started when it does not run, and its calls say so."""
        self.state, self.client = state, client
        self._stopping = threading.Event()
        self.containers = Containers(client, state.instance)
        self.clock = Clock(state)
        with self._alone("settings"):
            self._settings = self._settled(delay)
        self._starting = Task((lambda: self._start_kms(kms_image)) if start else self._join_kms)
        try:
            self._assemble()
        except (
            BaseException
        ):  # Ctrl-C, too: what KMS's start has asked the engine for would come after the removal
            self._stopping.set()
            self._starting.wait(_PATIENCE)
            raise

    def _assemble(self) -> None:
        with self._alone("authority"):  # making one takes a moment, in which KMS starts
            self.authority = self._authority()
        self.trail = Trail(self.state.folder)
        self.recorder = Recorder(self.trail, self.clock)
        localstack = AwaitingKms(
            RetryingKms(LocalStackKms(self.localstack_url)), self._starting.result
        )
        self.kms: Kms = RecordingKms(
            assemble(localstack, self.state, self.clock, delay=self.delay, happened=self._happened),
            self.recorder,
        )
        self.brokers = Brokers(
            self.state,
            self.containers,
            self.kms,
            self.recorder,
            self.authority,
            self.clock,
        )

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        kms_image: str = "",
        delay: float | None = None,
    ) -> "Testbed":
        """The testbed of ``folder``, with its engine running and its KMS at least on its way.

        ``kms_image`` is a LocalStack image of the user's own. ``delay`` is how many seconds it takes until a disabled
        key or a revoked grant is felt; it is kept for the folder's life, and the default is ``DELAY``. Raises
        ``EngineUnavailable`` or ``StateBroken``; what keeps KMS from starting is raised by the first call of ``kms``.
        """
        return cls(State(folder), engine.connect(), kms_image, delay)

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.state.ca_file

    @property
    def localstack_url(self) -> str:
        """Where LocalStack is. It keeps the keys and does the cryptography; who asks it directly passes by all the rest."""
        return f"http://{ports.LOOPBACK}:{self._settings['port']}"

    @property
    def delay(self) -> float:
        """Seconds by ``clock`` until a disabled key or a revoked grant is felt."""
        return self._settings["delay"]

    def wait_out_delay(self) -> None:
        """Turn the clock past the delay: what was asked of KMS before is in effect now."""
        self.clock.turn(self.delay + 1)

    def default_broker(
        self, engine_type: str, options: DefaultBrokerOptions | None = None
    ) -> Broker:
        """Return the default broker of ``engine_type``; see ``testbed.broker.default_broker``."""
        with self._alone(f"broker-{NAMES[engine_type]}"):
            return default_broker.ensure(
                self.brokers, self.kms, engine_type, options or DefaultBrokerOptions()
            )

    @contextmanager
    def brief(self, request: CreateBroker, caller: Caller = USER) -> Iterator[Broker]:
        """A broker for the length of a ``with`` block: a scenario's own, or a control. Raises as ``Brokers.create`` does."""
        broker = self.brokers.create(request, caller)
        try:
            yield broker
        finally:
            self.brokers.delete(broker.broker_id)

    def request(
        self, engine_type: str, purpose: str, key_arn: str = "", **options: Any
    ) -> CreateBroker:
        """A CreateBroker request for a broker of a scenario's own, under ``key_arn`` or Amazon MQ's own key."""
        return CreateBroker(
            broker_name=f"{purpose}-{NAMES[engine_type]}-{secrets.token_hex(3)}",
            engine_type=engine_type,
            **{
                "users": (User(USERNAME, new_password()),),
                "storage_type": "EBS",
                "encryption_options": EncryptionOptions(False, key_arn)
                if key_arn
                else EncryptionOptions(),
                **options,
            },
        )

    def control(self, engine_type: str, defects: Defects) -> AbstractContextManager[Broker]:
        """A broker with planted defects, for the control run of a check; gone after the ``with`` block."""
        return self.brief(self.request(engine_type, "control", defects=defects))

    def new_key(self, description: str, **parameters: Any) -> str:
        """The ARN of a new customer managed key of the user's."""
        return self.kms.call(USER, "CreateKey", {"Description": description, **parameters})[
            "KeyMetadata"
        ]["Arn"]

    def close(self) -> None:
        """Let go of the engine; everything runs on."""
        self.client.close()

    def stop(self) -> None:
        """Give up whatever is being started in other threads. Nothing can be started with this object afterwards."""
        self._stopping.set()
        self.brokers.cancel()

    def down(self) -> dict[str, int]:
        """Remove everything: containers, volumes, network, and the state folder. Counts what was there."""
        self.stop()
        self._starting.wait(
            _PATIENCE
        )  # what it has asked the engine for would come after the removal
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

    def _settled(self, delay: float | None) -> dict[str, Any]:
        """What every process that uses the folder has to agree on. KMS keeps its port, so that a client outlives its restart."""
        document = self.state.get(_SETTINGS, "kms")
        if document is None or delay not in (None, document["delay"]):
            port = document["port"] if document else ports.free(1)[0]
            document = {"port": port, "delay": DELAY if delay is None else delay}
            self.state.put(_SETTINGS, "kms", document)
        return document

    def _happened(self, event: str, key_arn: str, at: float) -> None:
        """What KMS did to a key by itself, for the trail."""
        details = {"rotationType": "AUTOMATIC"} if event == "RotateKey" else {}
        self.recorder.service_event(event, key_arn, at, **details)

    def _start_kms(self, image: str) -> None:
        with self._alone("kms"):
            if not self._kms_runs():
                wanted = images.own_kms(image) if image else images.KMS
                tag = Task(lambda: images.ensure(self.client, [wanted])).result(self._stopping)[
                    wanted
                ]
                self._run_kms(tag)
        LocalStackKms(self.localstack_url).wait_until_answering(still_alive=self._require_kms)

    def _join_kms(self) -> None:
        if not self._kms_runs():
            raise KmsError(
                "KMS does not run.",
                code="KMSInternalException",
                status=500,
                hint="`testbed up` starts it again with its keys.",
            )

    def _kms_runs(self) -> bool:
        return any(row["status"] == "running" for row in self.containers.find("kms"))

    def _alone(self, name: str) -> AbstractContextManager[None]:
        return hold_lock(
            self.state.folder,
            name,
            self._stopping,
            lambda: logger.info(
                "waiting: another command is at work on %s in %s", name, self.state.folder
            ),
        )

    def _run_kms(self, tag: str) -> None:
        logger.info("KMS: starting")
        for row in self.containers.find("kms"):
            self.containers.remove(row["id"])
        volume = f"testbed-{self.state.instance}-kms"
        self.containers.create_volume(volume)
        self.containers.run(
            ContainerSpec(
                name=volume,
                image=tag,
                role="kms",
                ports=((self._settings["port"], KMS_PORT),),
                volumes={volume: _KMS_FOLDER},
            )
        )

    def _require_kms(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("The start of KMS was interrupted.")
        for row in self.containers.find("kms"):
            if row["status"] not in ("running", "created"):
                raise ContainerFailed(
                    f"KMS stopped while starting: {self.containers.last_words(row['id'])}",
                    hint="`testbed down` removes it with all its keys; the next `testbed up` starts anew.",
                )


@contextmanager
def temporary(*, delay: float | None = None) -> Iterator[Testbed]:
    """A testbed of its own in a temporary folder; all of it is gone afterwards, even after ``kill -9``. ``delay``: see ``open``."""
    folder = Path(tempfile.mkdtemp(prefix="testbed-"))
    reaper = Reaper(instance_of(folder), folder)
    testbed = None
    try:
        testbed = Testbed.open(folder, delay=delay)
        yield testbed
    finally:
        logger.info("taking everything down")
        if testbed:
            testbed.down()
        down(folder)
        reaper.dismiss()  # not when the removal itself was interrupted: then it is the reaper's


def down(folder: Path | str, everything: bool = False, *, settle: float = 0.0) -> dict[str, int]:
    """Remove all that runs for ``folder``, sound or broken, or for any folder, and the folder itself if it is the testbed's.

    Starts no engine: where none runs, nothing of ours does. Counts what was removed. ``settle``: see ``purge``.
    """
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    try:
        client = engine.connect(start=False)
    except EngineUnavailable:
        client = None
    if client:
        try:
            counts = purge(client, "" if everything else instance_of(folder), settle=settle)
        finally:
            client.close()
    remove_folder(folder)
    return counts
