"""A message at rest: absent from the volume's raw bytes, readable through the mount."""

import logging
import secrets
from collections.abc import Iterator

from testbed import clients
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.engines.all import ENGINES
from testbed.engines.base import UNENCRYPTED
from testbed.results import Finding, Verdict
from testbed.storage import raw
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "What the disk has of a durable message"
CLAIMS = ("R1",)
_PROTOCOL = {"RABBITMQ": "amqp", "ACTIVEMQ": "openwire"}


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a broker of each engine, and a control of each whose volume is not encrypted."""
    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        logger.info("  %s: writing a canary and reading the raw volume", engine_type)
        broker = testbed.default_broker(engine_type)
        control = testbed.control(engine_type, UNENCRYPTED)
        yield Finding(
            "R1",
            broker.broker_name,
            *_canary(testbed, broker),
            Finding("R1", "a volume without encryption", *_canary(testbed, control)),
        )


def _canary(testbed: Testbed, broker: Broker) -> tuple[Verdict, tuple[str, ...]]:
    """Send a canary, look for it on the disk, through the mount, and at a consumer."""
    canary = f"canary-{secrets.token_hex(16)}".encode()
    queue = Destination.queue(f"at-rest-{secrets.token_hex(4)}")
    with clients.connect(testbed.brokers.address(broker, _PROTOCOL[broker.engine_type])) as client:
        client.publish(queue, canary)
        container = broker.nodes[0].container_id
        disk = raw.on_disk(testbed.containers, container, canary)
        mounted = raw.in_mount(
            testbed.containers, container, ENGINES[broker.engine_type].user, canary
        )
        client.subscribe(queue)
        message = client.receive()
        if message:
            message.acknowledge()
    back = message is not None and message.body == canary
    evidence = (
        (
            f"confirmed by the broker, the canary is {disk.hits} times in {disk.scanned:,} "
            f"raw bytes of {broker.nodes[0].volume.volume_id}"
        ),
        f"through the mount it is in {', '.join(mounted) or 'no file'}",
        f"a consumer {'gets it as it was sent' if back else 'does not get it'}",
    )
    return (
        Verdict.HOLDS if disk.hits == 0 and disk.scanned and mounted and back else Verdict.FAILS
    ), evidence


if __name__ == "__main__":
    run_file(__file__)
