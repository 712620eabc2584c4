"""The container of one node: its secrets, its start, and the wait for the first login."""

import logging
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Literal

from testbed.broker import log_lines, topology
from testbed.broker.model import Broker, LoadBalancer, Node
from testbed.documented.engines import VOLUME_KEY_BYTES
from testbed.documented.tls import PROFILES
from testbed.engines import balancer, entry
from testbed.engines.all import ENGINES
from testbed.engines.base import Cluster, Engine, NodeSpec
from testbed.errors import (
    ClientError,
    ContainerFailed,
    Interrupted,
    NotAuthorized,
    VolumeRefused,
)
from testbed.pki import Certificate
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.listening import listening
from testbed.storage import volumes

logger = logging.getLogger(__name__)

_REFUSALS = {12, 65, 66, 70}  # exit codes of containers/base/enter that concern the volume
_LACKS = 66  # the engine or its kernel has no loop device, or no encryption in ext4
TMPFS = {"/run/testbed": "mode=0700,size=32m", "/data": "mode=0755,size=1m"}
MOUNTS: Mapping[str, Literal["fuse", "loop"]] = {"block": "loop", "files": "fuse"}
READY_WITHIN = 120.0  # seconds
_PROGRESS_EVERY = 2.0  # seconds
_TRIAL_SIZE = 16 * 2**20  # bytes
_LINES = 2000  # at the end of a log, in which the first error is looked for


def spec(broker: Broker, node: Node, certificate: Certificate) -> NodeSpec:
    """Return all that the engine needs to render the node's files."""
    password = broker.keystore_password
    hostnames = tuple(member.hostname for member in broker.nodes)
    clustered = broker.load_balancer is not None
    return NodeSpec(
        broker_id=broker.broker_id,
        broker_name=broker.broker_name,
        hostname=node.hostname,
        version=broker.engine_version,
        release=broker.running_version,
        users=broker.users,
        tls=(broker.defects and broker.defects.tls) or PROFILES[broker.engine_type],
        chain_pem=certificate.chain_pem,
        private_key_pem=certificate.private_key_pem,
        keystore_p12=certificate.keystore_p12(password),
        keystore_password=password,
        ca_pem=certificate.ca_pem,
        truststore_p12=certificate.truststore_p12(password),
        defects=broker.defects,
        cluster=Cluster(hostnames, broker.cookie, broker.inter_node_tls) if clustered else None,
        network_connectors=broker.network_connectors,
        configuration=broker.configuration.data if broker.configuration else "",
        host_instance_type=broker.settings.get("HostInstanceType", ""),
        volume_size=node.volume.size,
        audit=bool((broker.settings.get("Logs") or {}).get("Audit")),
    )


def container(instance: str, broker: Broker, node: Node) -> ContainerSpec:
    """Return the node's container on its volume; ``instance`` is the testbed's."""
    engine = ENGINES[broker.engine_type]
    return ContainerSpec(
        name=f"testbed-{instance}-{broker.broker_id[:10]}-{node.name}",
        image=broker.image,
        role=f"broker {broker.broker_id}",
        ports=topology.published(engine, broker.engine_version, node.endpoints),
        volumes={node.volume.volume_id: "/volume"},
        tmpfs=TMPFS,
        aliases=(node.hostname,),
        mounts=MOUNTS[node.volume.kind],
    )


def run(
    containers: Containers,
    engine: Engine,
    broker: Broker,
    node: Node,
    *,
    rendered: NodeSpec,
    data_key: bytes | None,
) -> str:
    """Start the node's container on its volume, and return its id. ``wait`` waits for it."""
    specification = container(containers.instance, broker, node)
    containers.remove(specification.name)  # one that a killed process started and did not note
    return containers.run(
        specification,
        stdin=entry.secrets(
            engine,
            rendered,
            data_key,
            shared=broker.standby,
            attempt=node.volume.attempts,
            attached=node.volume.attached,
            kind=node.volume.kind,
            size=node.volume.size,
        ),
    )


def try_block(containers: Containers, image: str) -> str:
    """Attach an encrypted block volume in a container of its own; return why it fails, or "".

    The answer is kept for the life of a folder. Raises ``ContainerFailed`` for what is none: an
    engine that does not answer in time, or a container that was killed.
    """
    volume = volumes.new_id()
    containers.create_volume(volume)
    try:
        container_id = containers.run(
            ContainerSpec(
                name=f"testbed-{containers.instance}-{volume}",
                image=image,
                role="trial of a block volume",
                volumes={volume: "/volume"},
                tmpfs=TMPFS,
                mounts="loop",
            ),
            stdin=entry.bare(b"exit 0", secrets.token_bytes(VOLUME_KEY_BYTES), _TRIAL_SIZE),
        )
        try:
            code = containers.wait(container_id)
            words = containers.last_words(container_id) or f"exit {code}"
        finally:
            containers.remove(container_id)
    except ContainerFailed as error:
        if "/dev/" in str(error) or "device" in str(error).lower():  # the engine refuses it
            return str(error)
        raise
    finally:
        containers.remove_volume(volume)
    if code and code not in _REFUSALS:
        raise ContainerFailed(
            f"Whether block volumes attach here could not be tried: {words}.",
            hint="The next broker tries again; `testbed up --volumes files` needs no trial.",
        )
    return words if code else ""


def load_balancer(
    instance: str, broker: Broker, load_balancer: LoadBalancer
) -> tuple[ContainerSpec, bytes]:
    """Return the container that forwards connections to the broker's nodes, and its input."""
    engine = ENGINES[broker.engine_type]
    ports = topology.published(engine, broker.engine_version, load_balancer.endpoints)
    hostnames = [node.hostname for node in broker.nodes]
    spec = ContainerSpec(
        name=f"testbed-{instance}-{broker.broker_id[:10]}",
        image=load_balancer.image,
        role=f"broker {broker.broker_id}",
        ports=ports,
        tmpfs=balancer.TMPFS,
        aliases=(load_balancer.hostname,),
    )
    return spec, balancer.configuration(hostnames, sorted({inside for _, inside in ports}))


def wait(
    containers: Containers,
    engine: Engine,
    broker: Broker,
    node: Node,
    *,
    rendered: NodeSpec,
    cancelled: threading.Event,
) -> None:
    """Return when every listener answers a TLS handshake and a login.

    Of nodes on a shared volume, one answers for all. A refused login is an answer, too, where the
    broker may have other users by now. Raises ``VolumeRefused`` when the volume does not attach,
    ``ContainerFailed`` when the broker stops or is not ready after ``READY_WITHIN`` seconds, and
    ``Interrupted`` when ``cancelled`` is set.
    """
    candidates = [
        instance.addresses()
        for instance in broker.instances
        if broker.standby
        or instance is broker.load_balancer
        or instance.container_id == node.container_id
    ]
    start = reported = time.monotonic()
    while True:
        for addresses in candidates:
            try:
                engine.login(rendered, addresses)
            except NotAuthorized as error:
                if _may_refuse(containers, broker, node):
                    require_running(containers, broker, node)
                    return
                reason: ClientError = error
            except ClientError as error:
                reason = error
            else:
                return
        require_running(containers, broker, node)
        now = time.monotonic()
        if now - start > READY_WITHIN:
            raise ContainerFailed(
                f"The broker {broker.broker_name} was not ready after {READY_WITHIN:.0f} s: "
                f"{reason}; it said: {log_lines.telling(log(containers, broker, node))}",
                hint="A slow machine may need fewer brokers at once: "
                "`testbed up --engine rabbitmq` starts one.",
            ) from reason
        if now - reported > _PROGRESS_EVERY:
            reported = now
            logger.info(
                "%s: starting, %.0f s (%s)",
                broker.broker_name,
                now - start,
                str(reason).partition(":")[0].removesuffix("."),
            )
        if cancelled.wait(0.05):
            raise Interrupted(f"The start of {broker.broker_name} was interrupted.")


def _may_refuse(containers: Containers, broker: Broker, node: Node) -> bool:
    """Return whether the node is ready although a login is refused.

    A RabbitMQ broker that has served before has users of its own, which may have changed. A standby
    is ready while the other node serves that has yet to restart, with the users from before.
    """
    if broker.engine_type == "RABBITMQ":
        return bool(node.volume.attached) and not closed_ports(containers, broker, node)
    return broker.standby and any(other.restart_due for other in broker.nodes)


def closed_ports(containers: Containers, broker: Broker, node: Node) -> str:
    """Return the node's ports that nothing listens on. On a standby that is all of them."""
    endpoints = broker.instances[0].endpoints if broker.load_balancer else node.endpoints
    published = topology.published(ENGINES[broker.engine_type], broker.engine_version, endpoints)
    try:
        bound = listening(containers, node.container_id)
    except ContainerFailed:
        if containers.state(node.container_id).running:
            raise
        bound = {}  # it has ended
    return ", ".join(sorted({str(inside) for _, inside in published if inside not in bound}))


def require_running(containers: Containers, broker: Broker, node: Node) -> None:
    """Raise ``VolumeRefused`` or ``ContainerFailed`` when the node's container has stopped."""
    state = containers.state(node.container_id)
    if state.running:
        return
    words = log_lines.telling(log(containers, broker, node))
    if state.exit_code in _REFUSALS:
        raise VolumeRefused(
            f"The volume {node.volume.volume_id} does not attach: {words}",
            hint="After `testbed up --volumes files`, new brokers need no loop device."
            if node.volume.kind == "block" and state.exit_code == _LACKS
            else "Nothing on it was changed.",
        )
    raise ContainerFailed(
        f"The broker {broker.broker_name} stopped while starting (exit {state.exit_code}): "
        f"{words or 'it printed nothing'}",
        hint="`docker info` shows whether the engine is well; the next try starts from nothing."
        if broker.broker_state.startswith("CREATION_")
        else f"`testbed logs {broker.broker_name}` shows what it printed. It is tried again by "
        "itself, and by `testbed up`.",
    )


def log(containers: Containers, broker: Broker, node: Node) -> str:
    """Return the end of what the node's container printed, without secrets; "" if it is gone."""
    try:
        pieces = b"".join(containers.logs(node.container_id, _LINES))
    except ContainerFailed:
        return ""
    return log_lines.without(pieces.decode(errors="replace"), broker.secrets)
