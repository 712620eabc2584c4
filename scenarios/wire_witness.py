"""The wire as witness: packets hold no message and no password unless TLS is off."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from testbed import clients
from testbed.broker import topology
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.clients.failover import failover
from testbed.documented.listeners import ACTIVEMQ_CLOSED, LISTENERS
from testbed.engines.base import UNENCRYPTED, Defects, NetworkConnector
from testbed.errors import ClientError
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.testbed import Testbed
from testbed.wire.capture import IMAGE, Capture, capturing

logger = logging.getLogger(__name__)

TITLE = "No canary and no password on any link, of clients or between ActiveMQ brokers"
CLAIMS = ("T1", "T5", "T7")
_CLAIM = {"RABBITMQ": "T1", "ACTIVEMQ": "T5"}
Looks = tuple[Observation, Observation]


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Capture client links, a network of two ActiveMQ brokers, and an active with standby."""
    for engine_type, claim in _CLAIM.items():
        broker = testbed.default_broker(engine_type)
        protocols = [
            protocol
            for listener in LISTENERS[engine_type]
            for protocol in listener.protocols
            if protocol in clients.PROTOCOLS
        ]
        logger.info("  clients of %s, over %s", broker.broker_name, ", ".join(protocols))
        looks = _of_clients(testbed, broker, protocols)
        control = testbed.control(engine_type, UNENCRYPTED)
        yield _finding(
            claim,
            f"client links of {broker.broker_name}",
            looks,
            "a client link without TLS",
            _of_clients(testbed, control, [clients.QUEUE_PROTOCOL[engine_type]], tls=False),
        )
    logger.info("  a network of two brokers")
    yield _network(testbed)
    logger.info("  an active broker and its standby")
    yield _pair(testbed)


def _of_clients(
    testbed: Testbed, broker: Broker, protocols: Sequence[str], *, tls: bool = True
) -> Looks:
    canary = _canary()

    def exchange() -> None:
        for protocol in protocols:
            with clients.connect(testbed.brokers.address(broker, protocol, tls=tls)) as client:
                client.subscribe(Destination.topic("witness"))
                client.publish(Destination.topic("witness"), canary)
                if not client.receive(timeout=15):
                    raise ClientError(f"{protocol}: what was sent did not come back")

    return _judged(_captured(testbed, [broker], exchange), _needles(broker, canary))


def _network(testbed: Testbed) -> Finding:
    """Judge T7: a message to one broker is consumed at the other; the control's link lacks TLS."""
    north = testbed.default_broker("ACTIVEMQ")
    crossed = _crossing(testbed, north, topology.network_uri(north))
    plain = testbed.control("ACTIVEMQ", UNENCRYPTED)
    uri = f"static:(tcp://{plain.nodes[0].hostname}:{ACTIVEMQ_CLOSED['openwire']})"
    in_clear = _crossing(testbed, plain, uri)
    return _finding(
        "T7", "a network of two brokers", crossed, "a connector to a plaintext listener", in_clear
    )


def _crossing(testbed: Testbed, north: Broker, uri: str) -> Looks:
    canary, queue = _canary(), Destination.queue("witness")
    connector = NetworkConnector("to-north", uri, north.users[0].username)
    with testbed.temporary_broker(
        testbed.request("ACTIVEMQ", "south", users=north.users, network_connectors=(connector,))
    ) as south:

        def exchange() -> None:
            with clients.connect(testbed.brokers.address(north, "stomp")) as consumer:
                consumer.subscribe(queue)  # there is demand at north, so messages to south go there
                with clients.connect(testbed.brokers.address(south, "stomp")) as producer:
                    producer.publish(queue, canary)
                if not consumer.receive(timeout=60):
                    raise ClientError("the message did not cross from south to north")

        return _judged(_captured(testbed, [north], exchange), _needles(north, canary))


def _pair(testbed: Testbed) -> Finding:
    """Judge T7: the active is lost with a message, the standby takes over and has it."""
    secured = _failing_over(testbed, None)
    in_clear = _failing_over(testbed, Defects(plaintext_listener=True))
    return _finding(
        "T7",
        "an active broker and its standby",
        secured,
        "the same with plaintext listeners",
        in_clear,
    )


def _failing_over(testbed: Testbed, defects: Defects | None) -> Looks:
    canary, queue = _canary(), Destination.queue("witness")
    request = testbed.request(
        "ACTIVEMQ",
        "pair",
        deployment_mode="ACTIVE_STANDBY_MULTI_AZ",
        storage_type="EFS",
        defects=defects,
    )
    with testbed.temporary_broker(request) as pair:
        addresses = testbed.brokers.addresses(pair, "stomp", tls=defects is None)

        def exchange() -> None:
            with failover(addresses)(addresses[0]) as client:
                client.publish(queue, canary)
            testbed.upkeep.detach(pair.broker_id, testbed.brokers.active(pair.broker_id).name)
            with _patiently(failover(addresses), addresses) as client:
                client.subscribe(queue)
                if not client.receive(timeout=30):
                    raise ClientError("the standby does not have the message")

        return _judged(_captured(testbed, [pair], exchange), _needles(pair, canary))


def _patiently(
    connect: Callable[[clients.Address], clients.Client], addresses: Sequence[clients.Address]
) -> clients.Client:
    """Connect as soon as an instance serves."""
    end = time.monotonic() + 60
    while True:
        try:
            return connect(addresses[0])
        except ClientError:
            if time.monotonic() > end:
                raise
            time.sleep(0.25)


def _captured(
    testbed: Testbed, brokers: Sequence[Broker], exchange: Callable[[], None]
) -> list[Capture]:
    """Return all that crossed the nodes' networks during ``exchange``."""
    image = testbed.containers.ensure_image(IMAGE)
    with ExitStack() as stack:
        recordings = [
            stack.enter_context(capturing(testbed.containers, node.container_id, image))
            for broker in brokers
            for node in broker.nodes
        ]
        exchange()
        return [recording.stop() for recording in recordings]


def _finding(
    claim: str, subject: str, looks: Looks, control_subject: str, control: Looks
) -> Finding:
    """Judge that a link has no needle; the control's has one.

    Both have to be seen whole: a control that captured nothing would find no needle on any link.
    """
    (absent, seen), (in_clear, seen_too) = looks, control
    also = (seen, seen_too)
    return contrast(claim, subject, (absent,), control_subject, (in_clear,), also=also)


def _judged(captures: Sequence[Capture], needles: Mapping[str, bytes]) -> Looks:
    """Return whether no packet has a needle, and whether every packet was seen."""
    sightings = [str(sighting) for capture in captures for sighting in capture.find(needles)]
    payload, packets = (
        sum(capture.payload_bytes for capture in captures),
        sum(capture.packets for capture in captures),
    )
    whole = all(capture.whole for capture in captures)
    absent = f"{', '.join(needles)}: in no packet, as they are, in hex or in base64"
    return (
        Observation(not sightings, "; ".join(sightings) or absent),
        Observation(
            payload > 0 and whole,
            f"{packets} packets with {payload:,} bytes of payload, "
            f"{'none' if whole else 'some'} missed in between",
        ),
    )


def _needles(broker: Broker, canary: bytes) -> dict[str, bytes]:
    return {"the canary": canary, "the password": broker.users[0].password.encode()}


def _canary() -> bytes:
    return f"canary-{secrets.token_hex(16)}".encode()


if __name__ == "__main__":
    run_file(__file__)
