"""The brokers that a benchmark needs, one for each kind of volume, deleted afterwards.

A benchmark never uses a user's broker, whose queues would stay behind.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Self

from testbed.bench.encryption import Encryption
from testbed.bench.spec import Driver
from testbed.bench.target import EnvelopeKey, Target, choose_route
from testbed.broker.model import Broker
from testbed.engines.base import Defects
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed


class BenchmarkBrokers:
    """Brokers for these encryptions, created when a driver first needs them.

    A context manager that deletes them.
    """

    def __init__(self, testbed: Testbed, encryptions: Sequence[Encryption]) -> None:
        self._testbed, self._encryptions = testbed, encryptions
        self._plaintext = any(encryption.listener == "plaintext" for encryption in encryptions)
        self._volumes = tuple(dict.fromkeys(encryption.volume for encryption in encryptions))
        self._brokers: dict[tuple[str, str, str], dict[str, Broker]] = {}
        self._stack = ExitStack()
        self._envelope: EnvelopeKey | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def targets(
        self, driver: Driver, encryptions: Sequence[Encryption] = ()
    ) -> Mapping[str, Target]:
        """Return a target for each of ``encryptions`` (all if empty), by its label.

        Raises as ``Brokers.create`` does.
        """
        kind = (driver.engine, driver.version, driver.deployment)
        if kind not in self._brokers:
            started = run_concurrently(
                [partial(self._start, driver, volume) for volume in self._volumes],
                self._testbed.stop,
            )
            self._brokers[kind] = dict(zip(self._volumes, started, strict=True))
        brokers = self._brokers[kind]
        return {
            encryption.label: self._target(driver, brokers[encryption.volume], encryption)
            for encryption in encryptions or self._encryptions
        }

    def _start(self, driver: Driver, volume: str) -> Broker:
        plain = volume == "plain"
        request = self._testbed.request(
            driver.engine,
            f"bench-{volume}",
            engine_version=driver.version,
            deployment_mode=driver.deployment,
            defects=Defects(plaintext_listener=self._plaintext, plain_volume=plain)
            if self._plaintext or plain
            else None,
        )
        return self._stack.enter_context(self._testbed.temporary_broker(request))

    def _target(self, driver: Driver, broker: Broker, encryption: Encryption) -> Target:
        if encryption.payload != "clear" and self._envelope is None:
            key = self._testbed.new_key("payloads of a benchmark")
            self._envelope = EnvelopeKey(key, self._testbed.kms_container.url)
        tls = encryption.listener == "tls"
        address = self._testbed.brokers.address(broker, driver.protocol, tls=tls)
        target = Target(
            engine_type=driver.engine,
            address=address,
            encryption=encryption,
            container=address.beside,
            running=broker.running_version or broker.image,
            envelope=self._envelope,
        )
        return choose_route(driver.route, target)
