"""Brokers at work: their images, their nodes on attached volumes, side by side, and the address in front of a cluster."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from testbed.broker import grants, node
from testbed.broker.model import Broker, CreateBroker, Front, Node
from testbed.broker.store import BrokerStore
from testbed.documented.engines import DEFAULT_VERSION
from testbed.documented.grants import grants as shapes_of
from testbed.engines import balancer
from testbed.engines.all import ENGINES
from testbed.engines.base import NodeSpec
from testbed.errors import ClientError, ContainerFailed, Interrupted, VolumeRefused
from testbed.pki import Certificate
from testbed.runtime import images
from testbed.runtime.parallel import Task
from testbed.services import Services
from testbed.storage import volumes

_CERTIFICATE = "certificate"


class Running:
    """What runs of the brokers of one state folder."""

    def __init__(self, services: Services, store: BrokerStore) -> None:
        self._state, self._containers = services.state, services.containers
        self._kms, self._authority = services.kms, services.authority
        self._store, self._cancelled = store, services.stopping

    def image(self, request: CreateBroker) -> str:
        """The image, by its tag: one of the user's own is there then, one of ours when ``imaged`` has seen to it."""
        if request.image:
            return self.built(images.own(request.engine_type, request.image))
        return (
            ENGINES[request.engine_type]
            .image(request.engine_version or DEFAULT_VERSION[request.engine_type])
            .tag
        )

    def imaged(self, broker: Broker) -> Broker:
        """With the images of the version that it is to have; where it runs an image of the user's own, with that."""
        if broker.front and not broker.front.image:
            broker = self._store.change(
                broker, partial(Broker.with_front, image=self.built(balancer.IMAGE))
            )
        if not broker.running_version:
            return broker
        engine = ENGINES[broker.engine_type]
        image, release = (
            self.built(engine.image(broker.engine_version)),
            engine.running_version(broker.engine_version),
        )
        return self._store.change(
            broker, lambda each: replace(each, image=image, running_version=release)
        )

    def built(self, image: images.ImageSpec) -> str:
        return Task(lambda: images.ensure(self._containers.client, [image])).result(
            self._cancelled
        )[image]

    def started(self, broker: Broker, chosen: Sequence[Node]) -> Broker:
        """With the ``chosen`` nodes on their volumes and ready, started side by side; containers that were there before are replaced."""
        engine = ENGINES[broker.engine_type]
        certificate = self._certificate(broker)
        rendered = {each.name: node.spec(broker, each, certificate) for each in chosen}
        data_keys = {each.name: self._data_key(broker, each) for each in chosen}
        tasks = {
            each.name: Task(
                partial(self._launched, broker, each, rendered[each.name], data_keys[each.name])
            )
            for each in chosen
        }
        for task in (
            tasks.values()
        ):  # all, before any failure is heard: whoever cleans up is not to come too early
            task.wait()
        for name, task in tasks.items():
            launched: Node = task.result()
            broker = self._store.change(broker, partial(Broker.with_node, node=launched))
        if broker.front and not self.runs(broker.front):
            if broker.front.container_id:
                self._containers.remove(broker.front.container_id)
            container_id = node.run_front(self._containers, engine, broker, broker.front)
            broker = self._store.change(
                broker, partial(Broker.with_front, container_id=container_id)
            )
        for each in broker.nodes:
            if each.name in rendered:
                try:
                    node.wait(
                        self._containers,
                        engine,
                        broker,
                        each,
                        rendered[each.name],
                        str(self._state.ca_file),
                        self._cancelled,
                    )
                except BaseException:
                    self._containers.remove(
                        each.container_id
                    )  # a node that runs is one that was ready
                    raise
        return broker

    def _launched(
        self, broker: Broker, each: Node, rendered: NodeSpec, data_key: bytes | None
    ) -> Node:
        if self._cancelled.is_set():
            raise Interrupted(f"The start of {broker.broker_name} was interrupted.")
        if each.container_id:
            self._containers.stop(each.container_id)
            self._containers.remove(each.container_id)
        return replace(
            each,
            container_id=node.run(
                self._containers, ENGINES[broker.engine_type], broker, each, rendered, data_key
            ),
        )

    def runs(self, instance: Node | Front) -> bool:
        return bool(instance.container_id) and self._containers.state(instance.container_id).running

    def _data_key(self, broker: Broker, each: Node) -> bytes | None:
        """Attaching is done by the grant of the volume: without it, it is not done."""
        if not self._containers.has_volume(each.volume.volume_id):
            raise VolumeRefused(
                f"The volume {each.volume.volume_id} of {broker.broker_name} is gone, and with it all that was on it.",
                hint="`testbed down` and then `testbed up` start with a new one.",
            )
        shapes = shapes_of(broker.deployment_mode, broker.storage_type)
        gone = grants.missing(
            self._kms, broker.key_arn, broker.grants, shapes, each.volume.volume_id
        )
        if gone:
            raise VolumeRefused(
                f"The volume {each.volume.volume_id} does not attach: the {gone[0].name} of {broker.broker_name} is no longer on its key.",
                hint="Revoking a grant cannot be undone: delete the broker and create it anew.",
            )
        return volumes.open_data_key(self._kms, each.volume)

    def _certificate(self, broker: Broker) -> Certificate:
        """One for the broker's life: its nodes are known by it, whichever of them answers."""
        if document := self._state.get(_CERTIFICATE, broker.broker_id):
            return Certificate.from_document(document)
        if broker.defects and broker.defects.certificate:
            certificate = self._authority.issue_bad(broker.defects.certificate)
        else:
            certificate = self._authority.issue(
                names=[each.hostname for each in dict.fromkeys((*broker.nodes, *broker.instances))]
            )
        self._state.put(_CERTIFICATE, broker.broker_id, certificate.to_document())
        return certificate

    def active(self, broker: Broker) -> Node:
        """The node of an active/standby broker that serves. Raises ``ContainerFailed`` when none does, as while one takes over."""
        for each in broker.nodes:
            rendered = node.spec(broker, each, self._certificate(broker))
            try:
                ENGINES[broker.engine_type].login(
                    rendered, each.addresses(), str(self._state.ca_file)
                )
                return each
            except ClientError:
                continue
        raise ContainerFailed(
            f"No node of {broker.broker_name} serves.",
            hint="A standby takes some seconds to take over.",
        )

    def release(self, broker: Broker) -> None:
        """Its containers, volumes and certificate, all gone; harmless where there is none."""
        for row in self._containers.find(f"broker {broker.broker_id}"):
            self._containers.remove(row["id"])
        for volume_id in dict.fromkeys(each.volume.volume_id for each in broker.nodes):
            self._containers.remove_volume(volume_id)
        self._state.delete(_CERTIFICATE, broker.broker_id)
