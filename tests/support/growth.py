"""What a served testbed holds, and clients that come and go: nothing of theirs may stay."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import boto3
import psutil

from testbed.aws.endpoint import Endpoint
from testbed.daemon import process
from testbed.kms.base import USER
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served
from tests.support.broker_node import wait_for

KEPT = 25  # docker.constants.DEFAULT_NUM_POOLS
DESCRIPTORS = 1024  # the usual soft limit of a Linux shell
_PASSWORD = "correct-horse-battery"


@dataclass(frozen=True)
class Held:
    """What the process of a testbed holds, and what there is of the testbed.

    ``engine`` are connections to the container engine, which ``descriptors`` leaves out: the SDK
    keeps one for each of the last ``KEPT`` URLs.
    """

    descriptors: int
    engine: int
    threads: int
    mebibytes: int
    files: int
    containers: int
    volumes: int
    grants: int

    def exceeds(self, other: "Held", **tolerated: int) -> dict[str, tuple[int, int]]:
        """Return what there is more of than in ``other``, by more than what is tolerated."""
        mine, theirs = asdict(self), asdict(other)
        theirs["engine"] = KEPT
        return {
            name: (theirs[name], mine[name])
            for name in mine
            if mine[name] > theirs[name] + tolerated.get(name, 0)
        }


@dataclass(frozen=True)
class ServedProcess:
    """A testbed that is served by a process of its own."""

    testbed: Testbed
    process: psutil.Process
    endpoint: Endpoint

    @property
    def clients(self) -> Served:
        return Served(self.testbed, self.endpoint)

    def held(self, key: str) -> Held:
        """Return what is held now; ``key`` is the one whose grants count."""
        grants = self.testbed.kms.call(USER, "ListGrants", {"KeyId": key})["Grants"]
        engine = len(self.process.net_connections("unix"))
        return Held(
            self.process.num_fds() - engine,
            engine,
            self.process.num_threads(),
            self.process.memory_info().rss // 2**20,
            sum(1 for _ in self.testbed.state.folder.iterdir()),
            len(self.testbed.containers.find()),
            len(self.testbed.containers.volumes()),
            len(grants),
        )

    def burst(self, count: int, target: str, parameters: object) -> list[int]:
        """Make the same call over ``count`` new connections at once; return the statuses."""
        statuses, barrier = [0] * count, threading.Barrier(count)

        def call(number: int) -> None:
            barrier.wait(60)
            statuses[number] = self.clients.call(target, parameters).status

        threads = [threading.Thread(target=call, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
        return statuses

    def cycle(self, key: str, name: str) -> None:
        """Create a broker under ``key`` through the endpoint, and delete it."""
        mq: Any = boto3.client("mq", **self.endpoint.client())
        broker_id = mq.create_broker(
            BrokerName=name,
            EngineType="RABBITMQ",
            EngineVersion="4.2",
            HostInstanceType="mq.m7g.large",
            DeploymentMode="SINGLE_INSTANCE",
            PubliclyAccessible=True,
            AutoMinorVersionUpgrade=True,
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": key},
            Users=[{"Username": "someone", "Password": _PASSWORD}],
        )["BrokerId"]

        def state() -> str:
            return str(mq.describe_broker(BrokerId=broker_id)["BrokerState"])

        wait_for("the broker", lambda: state() == "RUNNING", 180)
        mq.delete_broker(BrokerId=broker_id)
        wait_for("its deletion", lambda: not self._has(broker_id), 60)
        mq.close()

    def _has(self, broker_id: str) -> bool:
        return broker_id in self.testbed.brokers.ids()


@contextmanager
def served_process(descriptors: int = DESCRIPTORS) -> Iterator[ServedProcess]:
    """Start a testbed without brokers, and its server, which may open so many descriptors."""
    with Testbed(delay=0) as testbed:
        testbed.kms_container.wait_until_ready()
        with process.launch(testbed.state.folder) as launch:
            launch.serve()
        server = process.find(testbed.state.folder)
        assert server
        running = psutil.Process(server.pid)
        running.rlimit(psutil.RLIMIT_NOFILE, (descriptors, descriptors))
        try:
            endpoint = Endpoint.of(testbed, server.port)
            yield ServedProcess(testbed, running, endpoint)
        finally:
            process.stop(testbed.state.folder)


def settled(look: Callable[[], Held], wanted: Callable[[Held], bool], seconds: float) -> Held:
    """Return what is held once it is as wanted, or after so many seconds."""
    end = time.monotonic() + seconds
    while not wanted(held := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return held
