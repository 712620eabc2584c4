"""A RabbitMQ cluster under one key: five grants, plaintext replication, and a lost node."""

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed import checker, clients, evidence, traffic
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.clients.console import Console
from testbed.documented.listeners import RABBITMQ
from testbed.kms.base import USER_ACCOUNT, Caller, assumed_role
from testbed.results import Finding, Output
from testbed.testbed import Testbed
from testbed.traffic import Traffic
from testbed.trail.compare import trail_differences
from testbed.trail.lookup import events
from testbed.trail.samples import samples
from testbed.watch import dependencies
from testbed.wire.capture import IMAGE, Capture, capturing

logger = logging.getLogger(__name__)

TITLE = "A cluster of three: five grants, replication in the clear, and quorum without a key"
CLAIMS = ("G2", "R9", "R10", "T4")
TURNS_CLOCK = True
# The page's samples are of a user who has assumed a role.
_SESSION = "AmazonMqConsole/alice"
_QUEUE = Destination.queue("cluster")
_CLIENT_PORT = next(
    listener.container_port for listener in RABBITMQ if "amqp" in listener.protocols
)


def run(testbed: Testbed) -> Iterator[Output]:
    """Use a cluster like the service's, and as control one with TLS between its nodes."""
    alice = assumed_role(USER_ACCOUNT, testbed.region, _SESSION)
    key = testbed.kms.call(alice, "CreateKey", {"Description": "of a cluster"})["KeyMetadata"][
        "Arn"
    ]
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "cluster", key, deployment_mode="CLUSTER_MULTI_AZ"), alice
    ) as cluster:
        yield dependencies(testbed, cluster.broker_id, "a cluster of three, as it was created")
        yield _grants(testbed, key, alice)
        logger.info("  a canary, and a capture in the network of one node")
        replicated = _captured(testbed, cluster)
        yield from _without_key(testbed, cluster)
    with testbed.temporary_broker(
        testbed.request(
            "RABBITMQ", "encrypted", deployment_mode="CLUSTER_MULTI_AZ", inter_node_tls=True
        )
    ) as contrast:
        logger.info("  the same with TLS between the nodes")
        encrypted = _captured(testbed, contrast)
    between, to_clients = _in_the_clear(replicated)
    # Of both, what crossed between nodes was seen: otherwise the control would have no canary, too.
    between_encrypted, to_clients_too = _in_the_clear(encrypted)
    yield evidence.contrast(
        "T4",
        cluster.broker_name,
        (between,),
        "a cluster with TLS between its nodes",
        (between_encrypted,),
        also=(to_clients, to_clients_too),
    )


def _grants(testbed: Testbed, key: str, alice: Caller) -> Finding:
    """Compare the CreateGrant events with the page's; in the control there is one more."""
    page = samples("cluster")

    def look() -> evidence.Observation:
        records = [
            record
            for record in events(testbed.trail, USER_ACCOUNT, region=testbed.region)
            if record["eventName"] == "CreateGrant" and key in json.dumps(record)
        ][::-1]
        deviations = map(str, trail_differences(records, page))
        lines = (f"{len(records)} events beside the page's {len(page)}", *deviations)
        seen = "; ".join((*lines, *map(_describe, records)))
        return evidence.Observation(len(lines) == 1, seen)

    as_created = look()
    own = {"KeyId": key, "GranteePrincipal": alice.principal, "Operations": ["DescribeKey"]}
    testbed.kms.call(alice, "CreateGrant", own)
    return evidence.contrast(
        "G2",
        "a cluster's CreateGrant events",
        (as_created,),
        "after another CreateGrant",
        (look(),),
    )


def _describe(record: dict[str, Any]) -> str:
    parameters = record["requestParameters"]
    bound = parameters.get("constraints", {}).get("encryptionContextSubset", {})
    return f"{', '.join(parameters['operations'])} by {record['userIdentity']['type']}" + (
        f", bound to {', '.join(bound.values())}" if bound else ""
    )


@dataclass(frozen=True)
class _Crossed:
    """A confirmed canary, and what crossed a node's network and the load balancer's."""

    canary: bytes
    node: Capture
    front: Capture


def _captured(testbed: Testbed, cluster: Broker) -> _Crossed:
    assert cluster.load_balancer
    canary = f"canary-{secrets.token_hex(16)}".encode()
    image = testbed.containers.ensure_image(IMAGE)
    with clients.connect(testbed.brokers.address(cluster, "amqp")) as client:
        client.publish(
            Destination.queue("replicated"), b"before"
        )  # the queue is there, on all three nodes
        with (
            capturing(testbed.containers, cluster.nodes[0].container_id, image) as at_node,
            capturing(testbed.containers, cluster.load_balancer.container_id, image) as at_front,
        ):
            for _ in range(5):
                client.publish(Destination.queue("replicated"), canary)
            return _Crossed(canary, at_node.stop(), at_front.stop())


def _in_the_clear(crossed: _Crossed) -> tuple[evidence.Observation, evidence.Observation]:
    """Return whether the canary is on the link between nodes, and absent from that to clients.

    The second is no, too, if what crossed is too little to have a canary in it.
    """
    needle = {"the canary": crossed.canary}
    replicated = crossed.node.payload_bytes - crossed.node.on(_CLIENT_PORT).payload_bytes
    to_clients, client = crossed.front.on(_CLIENT_PORT), crossed.front.find(needle)
    between = [
        sighting
        for sighting in crossed.node.find(needle)
        if _CLIENT_PORT not in (sighting.source.port, sighting.destination.port)
    ]
    return (
        evidence.Observation(
            bool(between),
            f"between the nodes, in {crossed.node.packets} packets at one: "
            f"{between[0] if between else 'the canary is in no packet'}",
        ),
        evidence.Observation(
            not client
            and to_clients.payload_bytes > 0
            and replicated >= len(crossed.canary)
            and crossed.node.whole
            and crossed.front.whole,
            f"to clients: {client[0] if client else 'the canary is in no packet'}, "
            f"of {to_clients.payload_bytes:,} bytes on port {_CLIENT_PORT} "
            f"and {replicated:,} between the nodes, "
            f"{'none' if crossed.node.whole and crossed.front.whole else 'some'} missed in between",
        ),
    )


def _without_key(testbed: Testbed, cluster: Broker) -> Iterator[Finding]:
    """Disable the key and lose a node: the others serve on; it returns only with the key."""
    brokers, identity, lost = testbed.brokers, cluster.broker_id, cluster.nodes[2].name
    with Traffic(brokers.address(cluster, "amqp"), _QUEUE, rate=50) as flow:
        flow.wait_confirmed(75, 60)
        logger.info("  DisableKey, and a node is lost")
        testbed.kms.call(testbed.user, "DisableKey", {"KeyId": cluster.key_arn})
        testbed.wait_out_delay()
        without_key = evidence.reports_invalid_key(brokers, identity)
        reboot = evidence.refuses_reboot(brokers, identity)
        brokers.upkeep.detach(identity, lost)
        down = evidence.stays_down(brokers, identity, lost)
        quorum = evidence.serves(flow, 50, timeout=60)
        incomplete = _all_nodes_run(testbed, cluster)
        logger.info("  EnableKey")
        testbed.kms.call(testbed.user, "EnableKey", {"KeyId": cluster.key_arn})
        returned = evidence.stays_down(brokers, identity, lost)
        with_key = evidence.reports_invalid_key(brokers, identity)
        complete = _all_nodes_run(testbed, cluster)
        flow.wait_confirmed(20, 60)
    account = checker.check(traffic.drain(brokers.address(cluster, "amqp"), _QUEUE, flow.recorder))
    yield evidence.contrast(
        "R9",
        "a cluster that loses a node while its key is disabled",
        (without_key, down),
        "the cluster once its key is enabled",
        (with_key, returned),
        also=(reboot, quorum),
    )
    yield evidence.contrast(
        "R10",
        "the cluster with its key enabled again",
        (with_key.inverse, complete),
        "the cluster before EnableKey",
        (without_key.inverse, incomplete),
        also=(evidence.Observation(account.ok, str(account)),),
    )


def _all_nodes_run(testbed: Testbed, cluster: Broker) -> evidence.Observation:
    """Ask the management interface which nodes run; ``yes`` if all of them do."""
    console = Console(testbed.brokers.address(cluster, "management"))
    running = sum(node["running"] for node in console.get("/api/nodes"))
    return evidence.Observation(
        running == len(cluster.nodes),
        f"the management interface says that {running} of {len(cluster.nodes)} nodes run",
    )


if __name__ == "__main__":
    run_file(__file__)
