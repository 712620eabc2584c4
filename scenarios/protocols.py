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
from testbed.results import Finding, Verdict
from testbed.runtime.listening import listening
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "A message sent over one protocol is received over each of the others"
CLAIMS = ("T2", "T5")
_CLAIM = {"RABBITMQ": "T2", "ACTIVEMQ": "T5"}


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
        yield Finding(
            claim,
            f"{broker.broker_name}, each of {len(protocols)} protocols to each",
            *_each_to_each(testbed, broker, protocols, name, name, wait=15),
            Finding(
                claim,
                "subscribers of another topic",
                *_each_to_each(testbed, broker, protocols, name, f"{name}.other", wait=0.3),
            ),
        )
        control = testbed.control(engine_type, UNENCRYPTED)
        yield Finding(
            claim,
            f"{broker.broker_name}, what the service does not offer",
            *_closed(testbed, broker),
            Finding(claim, "a broker with a plaintext listener", *_closed(testbed, control)),
        )


def _each_to_each(
    testbed: Testbed,
    broker: Broker,
    protocols: list[str],
    sent_to: str,
    subscribed_to: str,
    *,
    wait: float,
) -> tuple[Verdict, tuple[str, ...]]:
    """Check that every subscriber gets every sender's message within ``wait`` seconds."""
    sent = {
        protocol: f"sent over {protocol} {secrets.token_hex(8)}".encode() for protocol in protocols
    }
    received: dict[str, set[bytes]] = {}
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
        for protocol, subscriber in subscribers.items():
            received[protocol] = set()
            while len(received[protocol]) < len(sent) and (
                message := subscriber.receive(timeout=wait)
            ):
                received[protocol].add(message.body)
                message.acknowledge()
    evidence = [
        f"over {protocol}: received what was sent over {_names(received[protocol], sent)}"
        for protocol in protocols
    ]
    whole = all(bodies == set(sent.values()) for bodies in received.values())
    return (Verdict.HOLDS if whole else Verdict.FAILS), tuple(evidence)


def _names(bodies: set[bytes], sent: dict[str, bytes]) -> str:
    return ", ".join(protocol for protocol, body in sent.items() if body in bodies) or "nothing"


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
