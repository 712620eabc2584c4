"""Every protocol over TLS: what one client sends, the clients of all others receive."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from testbed import clients
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.documented.listeners import CLOSED, LISTENERS
from testbed.engines.base import UNENCRYPTED
from testbed.errors import ClientError
from testbed.evidence import Observation, contrast
from testbed.results import Finding, Verdict
from testbed.runtime.listening import listening
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "A message sent over one protocol is received over each of the others"
CLAIMS = ("T2", "T5")
_CLAIM = {"RABBITMQ": "T2", "ACTIVEMQ": "T5"}
_PATIENCE = 30.0  # seconds for each message


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a topic, which every protocol supports."""
    for engine_type, claim in _CLAIM.items():
        broker = testbed.default_broker(engine_type)
        protocols = [
            protocol
            for listener in LISTENERS[engine_type]
            for protocol in listener.protocols
            if protocol in clients.PROTOCOLS
        ]
        logger.info("  %s: %s", broker.broker_name, ", ".join(protocols))
        name = f"protocols.{secrets.token_hex(4)}"
        yield contrast(
            claim,
            f"{broker.broker_name}, each of {len(protocols)} protocols to each",
            _each_to_each(testbed, broker, protocols, name, name),
            "subscribers of another topic",
            _each_to_each(testbed, broker, protocols, name, f"{name}.other"),
        )
        control = testbed.control(engine_type, UNENCRYPTED)
        yield Finding(
            claim,
            f"{broker.broker_name}, what the service does not offer",
            *_closed(testbed, broker),
            Finding(claim, "a broker with a plaintext listener", *_closed(testbed, control)),
        )


def _each_to_each(
    testbed: Testbed, broker: Broker, protocols: list[str], sent_to: str, subscribed_to: str
) -> list[Observation]:
    """Send over each protocol; each subscriber's look is ``yes`` if it gets every message.

    A last message to the subscribers' own topic ends the wait, and shows that they receive.
    """
    sent = {
        protocol: f"sent over {protocol} {secrets.token_hex(8)}".encode() for protocol in protocols
    }
    last = f"the last one {secrets.token_hex(8)}".encode()
    with ExitStack() as stack:
        subscribers = {
            protocol: stack.enter_context(
                clients.connect(testbed.brokers.address(broker, protocol))
            )
            for protocol in protocols
        }
        for subscriber in subscribers.values():
            subscriber.subscribe(Destination.topic(subscribed_to))
        for protocol, body in sent.items():
            with (
                clients.connect(testbed.brokers.address(broker, protocol)) as sender,
                suppress(ClientError),
            ):
                # RabbitMQ releases a message without subscriber over AMQP 1.0: the receivers tell.
                sender.publish(Destination.topic(sent_to), body)
        with clients.connect(testbed.brokers.address(broker, protocols[0])) as sender:
            sender.publish(Destination.topic(subscribed_to), last)
        looks = []
        for protocol, subscriber in subscribers.items():
            received = _until(subscriber, last)
            over = ", ".join(name for name, body in sent.items() if body in received) or "nothing"
            looks.append(
                Observation(
                    received == {*sent.values(), last},
                    f"over {protocol}: received what was sent over {over}",
                )
            )
        return looks


def _until(subscriber: clients.Client, last: bytes) -> set[bytes]:
    """Receive messages up to ``last``. Raises ``ClientError`` when it does not come."""
    received: set[bytes] = set()
    while last not in received:
        message = subscriber.receive(timeout=_PATIENCE)
        if message is None:
            raise ClientError("a subscriber does not get what is sent to its own topic")
        received.add(message.body)
        message.acknowledge()
    return received


def _closed(testbed: Testbed, broker: Broker) -> tuple[Verdict, tuple[str, ...]]:
    """Find listeners in the broker's container that are reachable but undocumented."""
    offered = {listener.container_port for listener in LISTENERS[broker.engine_type]}
    open_ports = listening(testbed.containers, broker.nodes[0].container_id)
    # 0100007F is 127.0.0.1, for the node's own use.
    reachable = {port for port, addresses in open_ports.items() if addresses != {"0100007F"}}
    open_ones = [
        f"{name} ({port}) is open"
        for name, port in CLOSED[broker.engine_type].items()
        if port in reachable - offered
    ]
    evidence = (
        (
            f"listening in the container: {', '.join(map(str, sorted(reachable)))}; "
            f"documented: {', '.join(map(str, sorted(offered)))}"
        ),
    )
    undocumented = reachable - offered
    return (Verdict.FAILS if undocumented else Verdict.HOLDS), (*open_ones, *evidence)


if __name__ == "__main__":
    run_file(__file__)
