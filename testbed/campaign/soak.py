"""A soak: faults, calls, keys that change and brokers that come and go, watched for growth."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import boto3
import msgspec
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from testbed.aws.endpoint import Endpoint
from testbed.campaign.growth import Growth, Sample, growths
from testbed.campaign.plan import TOPOLOGIES, schedule
from testbed.campaign.play import play
from testbed.campaign.results import Campaign, Played
from testbed.campaign.run import inject, keeping
from testbed.campaign.stage import stage
from testbed.daemon import process
from testbed.documented.engines import DEFAULT_VERSION
from testbed.errors import TestbedError
from testbed.scenario import environment
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

KIND = "amazonmq-testbed soak"
SCHEMA = 1  # goes up with every incompatible change of the document
_TOPOLOGIES = ("rabbitmq-single", "activemq-single")
_CALLS = 50  # pairs of calls to KMS in a turn
_CREATE_EVERY = 3  # turns
_CREATED_WITHIN = 300.0  # seconds
_POLL = 0.5  # seconds
_FOREIGN = (BotoCoreError, ClientError, psutil.Error, OSError)  # of the calls and the samples


@dataclass(frozen=True)
class Soak:
    """What came of it: the rounds, what was held after each, and the calls and brokers beside."""

    campaign: Campaign
    samples: tuple[Sample, ...]
    growth: tuple[Growth, ...]
    calls: int
    created: int

    @property
    def ok(self) -> bool:
        """Whether every round is ok and nothing has grown; too short a soak says neither."""
        return self.campaign.ok and bool(self.growth) and all(grown.ok for grown in self.growth)


def encode(soak: Soak) -> str:
    """Return the document."""
    document = {"schema": SCHEMA, "kind": KIND, **msgspec.to_builtins(soak)}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def run(
    testbed: Testbed,
    folder: Path,
    *,
    seed: int,
    seconds: float,
    command: str,
    on_played: Callable[[Played], None] = lambda played: None,
) -> Soak:
    """Go on for so many seconds, and write the histories of the rounds into ``folder``.

    What ends it after its first round is in the result; before, it raises as ``Brokers.create``
    and the calls to KMS do.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    done = _Done()
    with keeping(done.played, *_FOREIGN) as reasons:
        _go(testbed, folder, done, seed=seed, begun=begun, seconds=seconds, on_played=on_played)
    took = round(time.monotonic() - begun, 1)
    campaign = Campaign(
        started, took, command, seed, done.environment, tuple(done.played), " ".join(reasons)
    )
    samples = tuple(done.samples)
    return Soak(campaign, samples, growths(samples), done.calls, done.created)


class _Done:
    """What was done so far."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.played: list[Played] = []
        self.samples: list[Sample] = []
        self.calls = self.created = 0


def _go(
    testbed: Testbed,
    folder: Path,
    done: _Done,
    *,
    seed: int,
    begun: float,
    seconds: float,
    on_played: Callable[[Played], None],
) -> None:
    with _served(testbed) as (server, endpoint), ExitStack() as stack:
        stages = [
            stack.enter_context(stage(testbed, TOPOLOGIES[name], maintained=False))
            for name in _TOPOLOGIES
        ]
        done.environment = environment(testbed)
        random = Random(f"{seed}/soak")  # noqa: S311 - no secret
        calls = stack.enter_context(closing(_Calls(endpoint, random, done)))
        for turn in count():
            if turn and time.monotonic() - begun > seconds:
                break
            number, index = divmod(turn, len(stages))
            planned = schedule(seed, stages[index].topology, number + 1)[-1]
            logger.info("%s", planned)
            done.played.append(play(stages[index], planned, inject, folder))
            on_played(done.played[-1])
            calls.use_keys()
            if turn % _CREATE_EVERY == 0:
                calls.create_and_delete()
            done.samples.append(_sample(testbed, server, round(time.monotonic() - begun, 1)))


@contextmanager
def _served(testbed: Testbed) -> Iterator[tuple[psutil.Process, Endpoint]]:
    """Serve the testbed by a process of its own, which also maintains it."""
    folder = testbed.state.folder
    testbed.kms_container.wait_until_ready()
    with process.launch(folder) as launch:
        launch.serve()
    try:
        server = process.find(folder)
        if server is None:
            raise TestbedError("The endpoint ended at once.", hint="endpoint.log says why.")
        yield psutil.Process(server.pid), Endpoint.of(testbed, server.port)
    finally:
        process.stop(folder)


class _Calls:
    """What goes on through the endpoint beside the rounds."""

    def __init__(self, endpoint: Endpoint, random: Random, done: _Done) -> None:
        self._kms: Any = boto3.client("kms", **endpoint.client())
        self._mq: Any = boto3.client("mq", **endpoint.client())
        self._random, self._done = random, done
        self._key = self._kms.create_key(Description="Of a soak")["KeyMetadata"]["KeyId"]

    def use_keys(self) -> None:
        """Encrypt and decrypt, and disable and enable the key in between."""
        for number in range(_CALLS):
            secret = self._random.randbytes(64)
            blob = self._kms.encrypt(KeyId=self._key, Plaintext=secret)["CiphertextBlob"]
            if number == _CALLS // 2:
                self._kms.disable_key(KeyId=self._key)
                self._kms.enable_key(KeyId=self._key)
                self._done.calls += 2
            opened = self._kms.decrypt(CiphertextBlob=blob)["Plaintext"]
            if opened != secret:
                raise TestbedError("KMS decrypted to something else.")
            self._done.calls += 2

    def create_and_delete(self) -> None:
        """Create a broker under the key, wait until it runs, and delete it."""
        broker_id = self._mq.create_broker(
            BrokerName=f"soak-{self._done.created}",
            EngineType="RABBITMQ",
            EngineVersion=DEFAULT_VERSION["RABBITMQ"],
            HostInstanceType="mq.m7g.large",
            DeploymentMode="SINGLE_INSTANCE",
            PubliclyAccessible=True,
            AutoMinorVersionUpgrade=True,
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": self._key},
            Users=[{"Username": "someone", "Password": self._random.randbytes(12).hex()}],
        )["BrokerId"]
        self._wait(lambda: self._state(broker_id) == "RUNNING", f"the creation of {broker_id}")
        self._mq.delete_broker(BrokerId=broker_id)
        self._wait(lambda: not self._state(broker_id), f"the deletion of {broker_id}")
        self._done.created += 1

    def close(self) -> None:
        self._kms.close()
        self._mq.close()

    def _state(self, broker_id: str) -> str:
        known = self._mq.list_brokers()["BrokerSummaries"]
        return next((b["BrokerState"] for b in known if b["BrokerId"] == broker_id), "")

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _CREATED_WITHIN
        while not reached():
            if time.monotonic() > end:
                raise TestbedError(f"Waited {_CREATED_WITHIN:g} s for {what}.")
            time.sleep(_POLL)


def _sample(testbed: Testbed, server: psutil.Process, at: float) -> Sample:
    files = [path.stat().st_size for path in testbed.state.folder.iterdir() if path.is_file()]
    mebibyte = 2**20
    return Sample(
        at=at,
        memory=round(server.memory_info().rss / mebibyte, 1),
        descriptors=server.num_fds(),
        threads=server.num_threads(),
        containers=len(testbed.containers.find()),
        volumes=len(testbed.containers.volumes()),
        mounts=len(psutil.disk_partitions(all=True)),
        disk=round(sum(files) / mebibyte, 2),
    )
