"""The broker that a CreateBroker request asks for, and whether this machine has room for it."""

import secrets
import uuid
from datetime import datetime

from testbed.broker import topology
from testbed.broker.encryption import BrokerKey
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.broker.rules import NOT_OFFERED
from testbed.documented.engines import STORAGE_TYPES
from testbed.engines.all import ENGINES
from testbed.runtime import ports
from testbed.runtime.containers import Containers

_DISK = 512 * 2**20  # bytes of free disk that one broker needs


def check_machine(request: CreateBroker, containers: Containers) -> None:
    """Raise ``PortTaken`` or ``NotEnoughDisk`` if this machine cannot run the broker."""
    if request.fixed_ports:
        for listener in topology.listeners(request, ENGINES[request.engine_type]):
            ports.require_free(listener.port)
    containers.require_disk(_DISK, "A broker")


def plan(request: CreateBroker, image: str, key: BrokerKey | None, created: datetime) -> Broker:
    """Return the broker as it will be, before any part of it exists.

    ``image`` is a tag; ``key`` is None for a control broker on a plain volume.
    """
    engine = ENGINES[request.engine_type]
    broker_id = f"b-{uuid.uuid4()}"
    storage_type = request.storage_type or STORAGE_TYPES[request.engine_type][0]
    nodes, load_balancer = topology.plan(request, engine, broker_id, storage_type)
    settings = {name: value for name, value in request.settings.items() if name not in NOT_OFFERED}
    return Broker(
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
        settings=settings,
        configuration=request.configuration,
        network_connectors=request.network_connectors,
        inter_node_tls=request.inter_node_tls,
        defects=request.defects,
        keystore_password=secrets.token_hex(16),
        cookie=secrets.token_hex(32) if load_balancer else "",
    )
