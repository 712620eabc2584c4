"""The brokers that a benchmark needs, made for it and gone afterwards: one for each kind of volume.

Every broker that takes part is of the benchmark's own, the encrypted ones too: a user's broker would keep its queues.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.reach import by
from testbed.bench.target import EnvelopeKey, Target
from testbed.broker.model import Broker
from testbed.engines.base import Defects
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed


class Stage:
    """Brokers for these encryptions, started when a driver first needs them; a context manager that removes them."""

    def __init__(self, testbed: Testbed, encryptions: Sequence[Encryption]) -> None:
        self._testbed, self._encryptions = testbed, encryptions
        self._plaintext = any(each.listener == "plaintext" for each in encryptions)
        self._volumes = tuple(dict.fromkeys(each.volume for each in encryptions))
        self._brokers: dict[tuple[str, str, str], dict[str, Broker]] = {}
        self._stack = ExitStack()
        self._envelope: EnvelopeKey | None = None

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def targets(
        self, driver: Driver, encryptions: Sequence[Encryption] = ()
    ) -> Mapping[str, Target]:
        """A target for each of ``encryptions`` (of those given at first; all if empty), by its label.

        Raises as ``Brokers.create`` does.
        """
        kind = (driver.engine, driver.version, driver.deployment)
        if kind not in self._brokers:
            started = run_concurrently(
                [partial(self._start, driver, volume) for volume in self._volumes],
                self._testbed.stop,
            )
            self._brokers[kind] = dict(zip(self._volumes, started, strict=True))
        chosen = encryptions or self._encryptions
        return {
            each.label: self._target(driver, self._brokers[kind][each.volume], each)
            for each in chosen
        }

    def _start(self, driver: Driver, volume: str) -> Broker:
        plain = volume == "plain"
        defects = (
            Defects(plaintext_listener=self._plaintext, plain_volume=plain)
            if self._plaintext or plain
            else None
        )
        request = self._testbed.request(
            driver.engine,
            f"bench-{volume}",
            engine_version=driver.version,
            deployment_mode=driver.deployment,
            defects=defects,
        )
        return self._stack.enter_context(self._testbed.brief(request))

    def _target(self, driver: Driver, broker: Broker, encryption: Encryption) -> Target:
        if encryption.payload != "clear" and self._envelope is None:
            self._envelope = EnvelopeKey(
                self._testbed.new_key("payloads of a benchmark"), self._testbed.kms_container.url
            )
        address = self._testbed.brokers.address(
            broker, driver.protocol, tls=encryption.listener == "tls"
        )
        target = Target(
            engine_type=driver.engine,
            address=address,
            encryption=encryption,
            container=address.beside,
            running=broker.running_version or broker.image,
            envelope=self._envelope,
        )
        return by(driver.route, target)
