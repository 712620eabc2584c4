"""The nodes of brokers: their images, their start on attached volumes, and a cluster's address."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from testbed.broker import grants, log_lines, maintenance, node_container, refusals
from testbed.broker.cloudwatch_logs import LogDelivery
from testbed.broker.model import Broker, LoadBalancer, Node
from testbed.broker.requests import CreateBroker
from testbed.broker.store import BrokerStore
from testbed.documented.grants import grants as shapes_of
from testbed.engines import balancer
from testbed.engines.all import ENGINES
from testbed.engines.base import NodeSpec
from testbed.errors import (
    ClientError,
    ContainerFailed,
    Interrupted,
    NotAuthorized,
    TestbedError,
    VolumeRefused,
)
from testbed.pki import Certificate
from testbed.runtime import images
from testbed.runtime.tasks import Task
from testbed.services import Services
from testbed.state.locks import hold_lock
from testbed.storage import choice, volumes

_CERTIFICATE, _FORMER, _LOG = "certificate", "former certificate", "log"


class Nodes:
    """The nodes of the brokers of one state folder."""

    def __init__(self, services: Services, store: BrokerStore) -> None:
        self._state, self._containers = services.state, services.containers
        self._kms, self._authority = services.kms, services.authority
        self._clock = services.clock
        self._store, self._cancelled = store, services.stopping
        self._logs = LogDelivery(services)

    # Images

    def image(self, request: CreateBroker) -> str:
        """Return the tag of the image; ``ensure_images`` builds it, unless it is the user's own."""
        if request.image:
            return self.ensure_image(images.own(request.engine_type, request.image))
        return ENGINES[request.engine_type].image(request.version).tag

    def ensure_image(self, image: images.ImageSpec) -> str:
        """Build or pull the image unless it is there, and return its tag."""
        return Task(partial(self._containers.ensure_image, image)).result(self._cancelled)

    def ensure_images(self, broker: Broker, version: str = "") -> Broker:
        """Build the images of ``version``, or of the broker's. An image of the user's own stays."""
        if broker.load_balancer and not broker.load_balancer.image:
            tag = self.ensure_image(balancer.IMAGE)
            broker = self._store.change(broker, partial(Broker.with_load_balancer, image=tag))
        if not broker.running_version:
            return broker
        engine, version = ENGINES[broker.engine_type], version or broker.engine_version
        tag, release = self.ensure_image(engine.image(version)), engine.running_version(version)
        return self._store.change(broker, partial(replace, image=tag, running_version=release))

    # Volumes

    def plan_volumes(self, broker: Broker) -> Broker:
        """Decide on kind and size of a new broker's volumes. Its images have to exist."""
        if broker.storage_type == "EFS":
            return broker
        attempt = partial(node_container.try_block, self._containers, broker.image)
        with hold_lock(self._state.folder, "volumes", self._cancelled):
            kind = broker.volume_kind or choice.kind(self._state, attempt)
        if kind == "files" and "StorageSize" in broker.settings:
            raise refusals.storage_without_size()
        scale = broker.volume_scale or choice.chosen(self._state).scale
        broker = self._store.change(broker, partial(replace, volume_scale=scale))  # for its life
        return self._with_volumes(broker, kind)

    def resize_volumes(self, broker: Broker) -> Broker:
        """Let block volumes have the size that the broker orders by now, from the next start."""
        [kind] = {volume.kind for volume in broker.volumes}
        return self._with_volumes(broker, kind)

    def _with_volumes(self, broker: Broker, kind: volumes.Kind) -> Broker:
        scale = broker.volume_scale or choice.chosen(self._state).scale
        size = choice.image_size(broker.storage_size, scale)
        return self._store.change(broker, partial(Broker.with_volumes, kind=kind, size=size))

    # Containers

    def start(self, broker: Broker, chosen: Sequence[Node]) -> Broker:
        """Start the ``chosen`` nodes side by side, and return when all are ready.

        Replaces their containers. Of a node that does not come up, the reason and the log are kept.
        Raises ``VolumeRefused``, ``ContainerFailed``, ``KmsError`` or ``Interrupted``: the first
        node's reason.
        """
        specs = {node.name: self.spec(broker, node) for node in chosen}
        data_keys: dict[str, bytes | None] = {}
        for node in chosen:
            with self._failure_kept(broker, node):
                self._require_volume(broker, node)
            data_keys[node.name] = self._data_key(broker, node)  # the check finds a refused key
        tasks = {
            node.name: Task(
                partial(self._launch, broker, node, specs[node.name], data_keys[node.name])
            )
            for node in chosen
        }
        for task in tasks.values():  # all before the first failure: none may start afterwards
            task.wait()
        failures: list[TestbedError] = []
        launched: list[Node] = []
        for node in chosen:
            with self._failure_kept(broker, node, failures):
                launched.append(tasks[node.name].result())
                self._store.change(broker, partial(Broker.with_node, node=launched[-1]))
        broker = self._store.get(broker.broker_id)
        if launched or not chosen:
            broker = self._start_load_balancer(broker)
        for node in launched:
            with self._failure_kept(broker, node, failures):
                self._wait(broker, node, specs[node.name])
                served = replace(node, volume=node.volume.serving(), failure=None)
                self._store.change(broker, partial(maintenance.with_node, node=served))
        if failures:
            raise failures[0]
        return self._store.get(broker.broker_id)

    @contextmanager
    def _failure_kept(
        self, broker: Broker, node: Node, failures: list[TestbedError] | None = None
    ) -> Iterator[None]:
        """Store why a node that does not run did not start.

        The error is appended to ``failures``, or raised if that is None. ``Interrupted`` is raised.
        """
        try:
            yield
        except Interrupted:
            raise
        except TestbedError as error:
            stored = self._store.get(broker.broker_id).node(node.name)
            if not self.runs(stored):
                failed = stored.failed(str(error), self._clock.now())
                self._store.change(broker, partial(maintenance.with_node, node=failed))
            if failures is None:
                raise
            failures.append(error)

    def log(self, broker: Broker, node: Node) -> str:
        """Return the kept end of the log of the node's last container that ended by itself."""
        document = self._state.get(_LOG, f"{broker.broker_id} {node.name}")
        return str(document["text"]) if document else ""

    def _keep_log(self, broker: Broker, node: Node) -> None:
        """Keep the end of the log of a container that is about to be removed."""
        text = node_container.log(self._containers, broker, node)
        if text:
            document = {"text": text[-log_lines.KEPT :]}
            self._state.put(_LOG, f"{broker.broker_id} {node.name}", document)

    def forget_logs(self, broker: Broker) -> None:
        """Remove the logs that were kept."""
        for node in broker.nodes:
            self._state.delete(_LOG, f"{broker.broker_id} {node.name}")

    def spec(self, broker: Broker, node: Node) -> NodeSpec:
        """Return all that the engine knows of the node."""
        former = self._state.get(_FORMER, broker.broker_id) or {"chain": ""}
        spec = node_container.spec(broker, node, self._certificate(broker))
        return replace(spec, former_chain_pem=former["chain"].encode())

    def runs(self, instance: Node | LoadBalancer) -> bool:
        """Whether the instance's container runs."""
        return bool(instance.container_id) and self._containers.state(instance.container_id).running

    def active(self, broker: Broker) -> Node:
        """Return the node of an active/standby broker that serves.

        Raises ``ContainerFailed`` when none does, as during a failover.
        """
        for node in broker.nodes:
            try:
                ENGINES[broker.engine_type].login(self.spec(broker, node), node.addresses())
            except ClientError:
                continue
            return node
        raise ContainerFailed(
            f"No node of {broker.broker_name} serves.",
            hint="A standby takes some seconds to take over.",
        )

    def log_in(self, broker: Broker) -> None:
        """Log in to every listener of every instance; of standbys, to any.

        A login that is refused is an answer, too: RabbitMQ's users are the broker's own. Raises
        ``ClientError`` while one does not answer.
        """
        spec = self.spec(broker, broker.nodes[0])
        silent = []
        for instance in broker.instances:
            try:
                for name, address in instance.addresses().items():
                    with suppress(NotAuthorized):
                        ENGINES[broker.engine_type].login(spec, {name: address})
            except ClientError as error:
                silent.append(error)
        if silent and not (broker.standby and len(silent) < len(broker.instances)):
            raise silent[0]

    def open_data_keys(self, broker: Broker) -> None:
        """Open the data key of each volume, and forget it.

        Raises ``VolumeRefused``, and ``KmsError`` when KMS does not answer.
        """
        for node in broker.nodes:
            self._data_key(broker, node)

    def end(self, broker: Broker, instance: Node | LoadBalancer) -> None:
        """Kill the container of a node or load balancer; keep a node's log."""
        if isinstance(instance, Node):
            self._keep_log(broker, instance)
        self._containers.kill(instance.container_id)

    def release(self, broker: Broker) -> None:
        """Remove the broker's containers, volumes and certificate, as far as they exist."""
        self._logs.deliver(broker)
        for row in self._containers.find(f"broker {broker.broker_id}"):
            self._containers.remove(row["id"])
        for volume in broker.volumes:
            self._containers.remove_volume(volume.volume_id)
        for kind in (_CERTIFICATE, _FORMER):
            self._state.delete(kind, broker.broker_id)

    def _launch(self, broker: Broker, node: Node, spec: NodeSpec, data_key: bytes | None) -> Node:
        if self._cancelled.is_set():
            raise Interrupted(f"The start of {broker.broker_name} was interrupted.")
        if node.container_id:
            if not self.runs(node):
                self._keep_log(broker, node)
            self._containers.stop(node.container_id)
            self._logs.deliver(broker)
            self._containers.remove(node.container_id)
        engine = ENGINES[broker.engine_type]
        node = replace(node, volume=node.volume.attaching(), restart_due=False)
        container_id = node_container.run(
            self._containers, engine, broker, node, rendered=spec, data_key=data_key
        )
        return replace(node, container_id=container_id)

    def _start_load_balancer(self, broker: Broker) -> Broker:
        load_balancer = broker.load_balancer
        if not load_balancer or self.runs(load_balancer):
            return broker
        spec, stdin = node_container.load_balancer(self._containers.instance, broker, load_balancer)
        self._containers.remove(spec.name)  # the last one, noted or not
        container_id = self._containers.run(spec, stdin)
        return self._store.change(
            broker, partial(Broker.with_load_balancer, container_id=container_id)
        )

    def _wait(self, broker: Broker, node: Node, spec: NodeSpec) -> None:
        engine = ENGINES[broker.engine_type]
        try:
            node_container.wait(
                self._containers,
                engine,
                broker,
                node,
                rendered=spec,
                cancelled=self._cancelled,
            )
        except BaseException as error:
            try:
                if isinstance(error, TestbedError):
                    self._keep_log(broker, node)
                    self._logs.deliver(broker)
            finally:
                self._containers.remove(node.container_id)  # a running node is one that was ready
            raise

    def _data_key(self, broker: Broker, node: Node) -> bytes | None:
        """Open the volume's data key, as its grants allow. Raises ``VolumeRefused``."""
        self._require_volume(broker, node)
        volume = node.volume
        shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
        missing = grants.missing(self._kms, broker, shapes, volume.volume_id)
        if missing:
            raise VolumeRefused(
                f"The volume {volume.volume_id} does not attach: "
                f"the {missing[0].name} of {broker.broker_name} is no longer on its key.",
                hint="A revoked grant cannot be restored: delete the broker and create it anew.",
            )
        return volumes.open_data_key(self._kms, volume, broker.arn)

    def _require_volume(self, broker: Broker, node: Node) -> None:
        if not self._containers.has_volume(node.volume.volume_id):
            raise VolumeRefused(
                f"The volume {node.volume.volume_id} of {broker.broker_name} is gone with its "
                "data.",
                hint="`testbed down` and then `testbed up` start with a new one.",
            )

    def _certificate(self, broker: Broker) -> Certificate:
        """Return the broker's one certificate, issued at its first start, for all its nodes."""
        if document := self._state.get(_CERTIFICATE, broker.broker_id):
            return Certificate.from_document(document, broker.region)
        return self.issue_certificate(broker, broker.defects.certificate if broker.defects else "")

    @contextmanager
    def former_certificate(self, broker: Broker) -> Iterator[None]:
        """Know the nodes by the certificate that they have, too, during the ``with`` block."""
        chain = self._certificate(broker).chain_pem.decode()
        self._state.put(_FORMER, broker.broker_id, {"chain": chain})
        yield  # nodes that an error leaves have it still
        self._state.delete(_FORMER, broker.broker_id)

    def issue_certificate(self, broker: Broker, defect: str = "") -> Certificate:
        """Issue a certificate with which nodes start from now on.

        ``defect`` is one of ``pki.bad_names``. Raises ``TestbedError`` for another name.
        """
        if defect:
            certificate = self._authority.issue_bad(defect, region=broker.region)
        else:
            instances = (*broker.nodes, *broker.instances)
            names = list(dict.fromkeys(instance.hostname for instance in instances))
            certificate = self._authority.issue(names=names, region=broker.region)
        self._state.put(_CERTIFICATE, broker.broker_id, certificate.to_document())
        return certificate
