"""The broker that a CreateBroker request asks for: nodes, volumes, and the addresses for clients.

SINGLE_INSTANCE is one node on one volume. CLUSTER_MULTI_AZ is three nodes, each on its own volume,
behind one load balancer. ACTIVE_STANDBY_MULTI_AZ is two nodes on one file system, each with its
own addresses, of which one node's answer at a time.
"""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime

from testbed.broker import network
from testbed.broker.encryption import BrokerKey
from testbed.broker.model import Broker, Endpoint, LoadBalancer, Node
from testbed.broker.requests import CreateBroker
from testbed.broker.rules import NOT_OFFERED
from testbed.documented import regions
from testbed.documented.engines import STORAGE_TYPES
from testbed.documented.listeners import Listener
from testbed.engines.all import ENGINES
from testbed.engines.base import Engine
from testbed.kms.base import Caller
from testbed.runtime import ports
from testbed.runtime.containers import Containers
from testbed.storage import volumes

HOST = "localhost"
_DISK = 512 * 2**20  # bytes of free disk that one broker needs
_NODES = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 3}


def check_machine(request: CreateBroker, containers: Containers) -> None:
    """Raise ``PortTaken`` or ``NotEnoughDisk`` if this machine cannot run the broker."""
    check_ports(request)
    containers.require_disk(_DISK, "A broker")


def check_ports(request: CreateBroker) -> None:
    """Raise ``PortTaken`` for a fixed port that is in use."""
    if request.fixed_ports:
        for listener in listeners(request, ENGINES[request.engine_type]):
            ports.require_free(listener.port)


def plan(
    request: CreateBroker, caller: Caller, image: str, key: BrokerKey | None, created: datetime
) -> Broker:
    """Return the broker as it will be for ``caller``, before any part of it exists.

    ``image`` is a tag; ``key`` is None for a control broker on a plain volume.
    """
    engine = ENGINES[request.engine_type]
    broker_id = f"b-{uuid.uuid4()}"
    storage_type = request.storage_type or STORAGE_TYPES[request.engine_type][0]
    nodes, load_balancer = plan_nodes(request, engine, broker_id, storage_type, caller.region)
    settings = {name: value for name, value in request.settings.items() if name not in NOT_OFFERED}
    return Broker(
        account=caller.account,
        region=caller.region,
        broker_id=broker_id,
        broker_name=request.broker_name,
        engine_type=request.engine_type,
        engine_version=request.version,
        running_version="" if request.image else engine.running_version(request.version),
        deployment_mode=request.deployment_mode,
        broker_state="CREATION_IN_PROGRESS",
        encryption_options=request.encryption_options,
        key_arn=key.arn if key else "",
        key_ownership=key.ownership if key else "",
        users=tuple(request.users),
        nodes=nodes,
        image=image,
        load_balancer=load_balancer,
        storage_type=storage_type,
        created=created.isoformat(timespec="milliseconds"),
        tags=dict(request.tags),
        settings=network.with_defaults(
            settings, request.deployment_mode, caller.account, caller.region
        ),
        configuration=request.configuration,
        network_connectors=request.network_connectors,
        inter_node_tls=request.inter_node_tls,
        volume_kind=request.volume_kind,
        volume_scale=request.volume_scale,
        defects=request.defects,
        keystore_password=secrets.token_hex(16),
        cookie=secrets.token_hex(32) if load_balancer else "",
    )


def listeners(request: CreateBroker, engine: Engine) -> tuple[Listener, ...]:
    """Return the listeners of the requested broker."""
    chosen = engine.listeners(request.version)
    if request.defects and request.defects.plaintext_listener:
        chosen += engine.plaintext_listeners()
    return chosen


def published(
    engine: Engine, version: str, endpoints: Sequence[Endpoint]
) -> tuple[tuple[int, int], ...]:
    """Return pairs of a port of this machine and the container's port, without repetition."""
    known = {
        listener.name: listener
        for listener in (*engine.listeners(version), *engine.plaintext_listeners())
    }
    return tuple(
        dict.fromkeys(
            (endpoint.port, known[endpoint.name].container_port) for endpoint in endpoints
        )
    )


def inside_url(broker: Broker, instance: Node | LoadBalancer, endpoint: Endpoint) -> str:
    """Return an endpoint's URL for other brokers and all containers of the testbed's network.

    It has the host name that the certificate is for.
    """
    ports = dict(published(ENGINES[broker.engine_type], broker.engine_version, (endpoint,)))
    return f"{endpoint.scheme}://{instance.hostname}:{ports[endpoint.port]}"


def network_uri(broker: Broker) -> str:
    """Return the ``uri`` of another broker's network connector to this broker.

    In the form of GUIDE22, "network-of-brokers".
    """
    port = next(
        endpoint.documented_port for endpoint in broker.endpoints if endpoint.name == "openwire"
    )
    urls = ",".join(f"ssl://{node.hostname}:{port}" for node in broker.nodes)
    return f"{'masterslave' if len(broker.nodes) > 1 else 'static'}:({urls})"


def plan_nodes(
    request: CreateBroker, engine: Engine, broker_id: str, storage_type: str, region: str
) -> tuple[tuple[Node, ...], LoadBalancer | None]:
    """Return the nodes of a new broker, on volumes without a key yet, and its load balancer."""
    domain = regions.host("mq", region)
    count = _NODES[request.deployment_mode]
    clustered = request.deployment_mode == "CLUSTER_MULTI_AZ"
    shared = (
        volumes.new_id(storage_type) if request.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ" else ""
    )
    # Only ActiveMQ's instances have their own public host names (GUIDE22, WWR).
    numbered = clustered or request.engine_type == "ACTIVEMQ"
    chosen = listeners(request, engine)
    addresses = _endpoints(engine, chosen, 1 if clustered else count, request.fixed_ports)
    nodes = tuple(
        Node(
            name=str(number),
            hostname=f"{broker_id}-{number}.{domain}" if numbered else f"{broker_id}.{domain}",
            volume=volumes.unencrypted(shared or volumes.new_id(storage_type)),
            endpoints=() if clustered else addresses[number - 1],
        )
        for number in range(1, count + 1)
    )
    return nodes, LoadBalancer(f"{broker_id}.{domain}", addresses[0]) if clustered else None


def _endpoints(
    engine: Engine, chosen: Sequence[Listener], times: int, fixed: bool
) -> tuple[tuple[Endpoint, ...], ...]:
    """Give each listener a port; listeners that share a port in the container share it here."""
    inside = list(dict.fromkeys(listener.container_port for listener in chosen))
    free = iter(ports.free(len(inside) * times))
    return tuple(
        tuple(
            Endpoint(
                listener.name,
                listener.scheme,
                HOST,
                listener.port if fixed else here[listener.container_port],
                listener.port,
                listener.protocols,
                tls=listener not in engine.plaintext_listeners(),
            )
            for listener in chosen
        )
        for here in [dict(zip(inside, free, strict=False)) for _ in range(times)]
    )
