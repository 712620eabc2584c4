"""A message at rest: absent from the volume's raw bytes, readable through the mount."""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from testbed import clients
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.engines.all import ENGINES
from testbed.engines.base import UNENCRYPTED
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.storage import raw
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "What the disk has of a durable message"
CLAIMS = ("R1",)
_PROTOCOL = {"RABBITMQ": "amqp", "ACTIVEMQ": "openwire"}


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a broker of each engine, one with no EncryptionOptions, and unencrypted controls."""
    for engine_type in ("ACTIVEMQ", "RABBITMQ"):
        control = _look(testbed, testbed.control(engine_type, UNENCRYPTED))
        broker = testbed.default_broker(engine_type)
        yield _finding(broker.broker_name, _look(testbed, broker), control)
    with testbed.temporary_broker(testbed.request("RABBITMQ", "no-options")) as broker:
        yield _finding("a broker without EncryptionOptions", _look(testbed, broker), control)


def _finding(subject: str, looks: "_Looks", control: "_Looks") -> Finding:
    also = (*looks.kept, *control.kept)
    unencrypted = "a volume without encryption"
    return contrast("R1", subject, looks.absent, unencrypted, control.absent, also=also)


@dataclass(frozen=True)
class _Looks:
    """Whether a canary and names are absent from the disk; the canary is there for its readers."""

    absent: tuple[Observation, ...]
    kept: tuple[Observation, ...]


def _look(testbed: Testbed, broker: Broker) -> _Looks:
    """Send a canary, look for it on the disk, through the mount, and at a consumer.

    On the disk also for the queue's name, and for the user's, which RabbitMQ keeps on its volume.
    """
    logger.info("  %s: writing a canary and reading the raw volume", broker.broker_name)
    canary = f"canary-{secrets.token_hex(16)}".encode()
    queue = Destination.queue(f"at-rest-{secrets.token_hex(4)}")
    with clients.connect(testbed.brokers.address(broker, _PROTOCOL[broker.engine_type])) as client:
        client.publish(queue, canary)
        container = broker.nodes[0].container_id
        names = [broker.users[0].username] if broker.engine_type == "RABBITMQ" else []
        on_disk = {
            what: raw.on_disk(testbed.containers, container, text)
            for what, text in {
                "the canary": canary,
                **{f"the name {name}": name.encode() for name in (queue.name, *names)},
            }.items()
        }
        mounted = raw.in_mount(
            testbed.containers, container, ENGINES[broker.engine_type].user, canary
        )
        client.subscribe(queue)
        message = client.receive()
        if message:
            message.acknowledge()
    back = message is not None and message.body == canary
    volume = broker.nodes[0].volume.volume_id
    return _Looks(
        tuple(
            Observation(
                disk.hits == 0 and disk.scanned > 0,
                f"{what} is {disk.hits} times in {disk.scanned:,} raw bytes of {volume}",
            )
            for what, disk in on_disk.items()
        ),
        (
            Observation(
                bool(mounted),
                "the broker confirmed the canary: through the mount of "
                f"{volume} it is in {', '.join(mounted) or 'no file'}",
            ),
            Observation(
                back, f"a consumer {'gets it as it was sent' if back else 'does not get it'}"
            ),
        ),
    )


if __name__ == "__main__":
    run_file(__file__)
