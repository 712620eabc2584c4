"""A CreateBroker request: what is refused of it, and the broker that it asks for."""

import secrets
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import docker

from testbed.broker import configuration, topology
from testbed.broker.encryption import BrokerKey
from testbed.broker.model import Broker, CreateBroker
from testbed.broker.names import check_broker_name, check_tag, check_users
from testbed.documented.engines import (
    DEFAULT_VERSION,
    DEPLOYMENT_MODES,
    ENGINE_TYPES,
    STORAGE_TYPES,
    VERSIONS,
)
from testbed.engines.all import ENGINES
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import BadRequestException, ConflictException
from testbed.runtime import ports
from testbed.runtime.containers import require_disk

_DISK = 512 * 2**20  # bytes of free disk that one broker needs


def check(request: CreateBroker, names: Collection[str], client: docker.DockerClient) -> None:
    """Raise what CreateBroker refuses before anything is made: ``BadRequestException``, ``ConflictException``, ``PortTaken`` or ``NotEnoughDisk``.

    ``names`` are those of the brokers that there are.
    """
    _one_of(request.engine_type, ENGINE_TYPES, "engine type", "engineType")
    check_broker_name(request.broker_name)
    for key, value in request.tags.items():
        check_tag(key, value)
    check_users(request.engine_type, request.users)
    version = request.engine_version or DEFAULT_VERSION[request.engine_type]
    _one_of(
        version, VERSIONS[request.engine_type], f"{request.engine_type} version", "engineVersion"
    )
    _one_of(
        request.deployment_mode,
        DEPLOYMENT_MODES[request.engine_type],
        f"{request.engine_type} deployment mode",
        "deploymentMode",
    )
    if request.storage_type:
        _one_of(
            request.storage_type,
            STORAGE_TYPES[request.engine_type],
            f"{request.engine_type} storage type",
            "storageType",
        )
    if request.broker_name in names:
        raise ConflictException(
            f"A broker named {request.broker_name} already exists.", error_attribute="brokerName"
        )
    if request.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ":
        _one_of(
            request.storage_type or "EFS",
            ("EFS",),
            "storage type of an active/standby broker",
            "storageType",
        )
        if request.fixed_ports:
            raise BadRequestException(
                "The two instances of an active/standby broker have the same documented ports, which exist once here.",
                error_attribute="deploymentMode",
                hint="Leave fixed ports out: free ones are the default.",
            )
    if request.network_connectors and request.engine_type != "ACTIVEMQ":
        raise BadRequestException(
            "Only ActiveMQ brokers have network connectors.", error_attribute="engineType"
        )
    for connector in request.network_connectors:
        check_no_credentials_in_url(connector.uri)
    if request.configuration:
        configuration.check(
            request.engine_type,
            version,
            request.deployment_mode,
            request.settings,
            request.configuration,
        )
    if request.fixed_ports:
        for listener in topology.listeners(request, ENGINES[request.engine_type]):
            ports.require_free(listener.port)
    require_disk(client, _DISK, "A broker")


def planned(request: CreateBroker, image: str, key: BrokerKey | None, created: datetime) -> Broker:
    """The broker as it will be, before anything of it exists. ``image`` is a tag, ``key`` None for a control's plain volume."""
    engine = ENGINES[request.engine_type]
    version = request.engine_version or DEFAULT_VERSION[request.engine_type]
    broker_id = f"b-{uuid.uuid4()}"
    storage = request.storage_type or STORAGE_TYPES[request.engine_type][0]
    nodes, front = topology.plan(request, engine, broker_id, storage)
    return Broker(
        broker_id=broker_id,
        broker_name=request.broker_name,
        engine_type=request.engine_type,
        engine_version=version,
        running_version="" if request.image else engine.running_version(version),
        deployment_mode=request.deployment_mode,
        broker_state="CREATION_IN_PROGRESS",
        encryption_options=request.encryption_options,
        key_arn=key.arn if key else "",
        key_ownership=key.ownership if key else "",
        users=tuple(request.users),
        nodes=nodes,
        image=image,
        front=front,
        storage_type=storage,
        created=created.isoformat(timespec="milliseconds"),
        tags=dict(request.tags),
        settings=dict(request.settings),
        configuration=request.configuration,
        network_connectors=request.network_connectors,
        inter_node_tls=request.inter_node_tls,
        defects=request.defects,
        keystore_password=secrets.token_hex(16),
        cookie=secrets.token_hex(32) if front else "",
    )


def _one_of(value: str, allowed: Sequence[str], what: str, attribute: str) -> None:
    if value not in allowed:
        raise BadRequestException(
            f"There is no {what} '{value}'. There is: {', '.join(allowed)}.",
            error_attribute=attribute,
        )
