"""Amazon MQ's control plane over real brokers: create, describe, reboot, delete, and the check of the key.

Methods are the API's operations and raise its errors. A broker is in the state folder from the moment its creation
begins, so whatever happens to the process that creates it, the next one knows. Those that take their time come as a
whole and in two halves: ``begin_...`` answers as the service does, at once, and ``finish`` does the work.
"""

import secrets
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial

from testbed.broker import configuration, grants, maintenance, node, topology
from testbed.broker.model import Broker, CreateBroker, Front, Grant, Node
from testbed.broker.names import check_broker_name, check_tag, check_users
from testbed.clients.base import Address
from testbed.documented.engines import DEFAULT_VERSION, DEPLOYMENT_MODES, ENGINE_TYPES, STORAGE_TYPES, VERSIONS
from testbed.documented.grants import grants as shapes_of
from testbed.engines import balancer
from testbed.engines.activemq import ActiveMQ
from testbed.engines.base import Engine, NodeSpec, User
from testbed.engines.rabbitmq import RabbitMQ
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import (
    BadRequestException, ClientError, ConflictException, ContainerFailed, Interrupted, KmsError, NotFoundException, TestbedError, VolumeRefused,
)  # fmt: skip
from testbed.kms import keys
from testbed.kms.base import USER, Caller, Kms
from testbed.pki import Authority, Certificate
from testbed.runtime import images, ports
from testbed.runtime.containers import Containers, require_disk
from testbed.runtime.parallel import Task
from testbed.state.clock import Clock
from testbed.state.store import State
from testbed.state.turns import Busy, one_at_a_time
from testbed.storage import volumes
from testbed.trail.recording import Recorder

ENGINES: dict[str, Engine] = {"ACTIVEMQ": ActiveMQ(), "RABBITMQ": RabbitMQ()}
CHECK_PERIOD = 2.0  # seconds between two checks of a key; the service's period is not documented
_KIND = "broker"
_CERTIFICATE = "certificate"
_DISK = 512 * 2**20  # bytes of free disk that one broker needs
Say = Callable[[str], None]


class Brokers:
    """The brokers of one state folder. Safe to use from several threads and processes: whoever starts or stops a broker is alone with it."""

    def __init__(
        self,
        state: State,
        containers: Containers,
        kms: Kms,
        recorder: Recorder,
        authority: Authority,
        clock: Clock,
        say: Say,
        *,
        check_period: float = CHECK_PERIOD,
    ) -> None:
        self._state, self._containers, self._kms, self._recorder = state, containers, kms, recorder
        self._authority, self._clock, self._say = authority, clock, say
        self._check_period = check_period
        self._cancelled = threading.Event()

    # The API's operations

    def create(self, request: CreateBroker, caller: Caller = USER) -> Broker:
        """CreateBroker, and wait until every listener answers a login.

        Raises ``BadRequestException`` or ``ConflictException`` for a request that cannot be met, and leaves nothing
        behind when it raises, whatever it raises.
        """
        return self._create(request, caller, self._brought_up)

    def begin_create(self, request: CreateBroker, caller: Caller = USER) -> Broker:
        """The first half of ``create``: the broker in CREATION_IN_PROGRESS, with its grants and its volumes' data keys. Raises as it does."""
        return self._create(request, caller, lambda broker: broker)

    def _create(self, request: CreateBroker, caller: Caller, go_on: Callable[[Broker], Broker]) -> Broker:
        with self._recorder.mq_call(caller, "CreateBroker", request.parameters()) as answer:
            self._check(request)
            image = self._image(request)
            key = None if _plain(request) else keys.resolve(self._kms, caller, request.encryption_options)
            broker = self._planned(request, image, key)
            answer.elements = {"BrokerArn": broker.arn, "BrokerId": broker.broker_id}
            with self._alone(broker):
                self._save(broker)
                try:
                    self._say(f"{broker.broker_name}: creating its grants and its volume")
                    return go_on(self._keyed(broker, caller))
                except BaseException:
                    self._erase(self._stored(broker.broker_id))
                    raise

    def describe(self, broker_id: str, caller: Caller = USER) -> Broker:
        """DescribeBroker, by id or by name, after the check of its key if one is due. Raises ``NotFoundException``."""
        with self._recorder.mq_call(caller, "DescribeBroker", {"BrokerId": broker_id}):
            return self._current(broker_id)

    def list(self, caller: Caller = USER) -> list[Broker]:
        """ListBrokers: all of them, in the order of their creation."""
        with self._recorder.mq_call(caller, "ListBrokers", {}):
            found = []
            for identity in self.ids():
                with suppress(NotFoundException):  # deleted meanwhile
                    found.append(self._current(identity))
            return found

    def ids(self) -> tuple[str, ...]:
        """Those of all brokers, in the order of their creation; no operation of the API, so nothing is recorded."""
        return tuple(document["broker_id"] for document in self._state.all(_KIND))

    def reboot(self, broker_id: str, caller: Caller = USER) -> Broker:
        """RebootBroker, and wait until it is back.

        Raises ``BadRequestException`` while the broker's key is invalid: "Amazon MQ does not restart a broker with a
        disabled KMS key" (KMSERR). The broker then serves on as it is.
        """
        broker = self.begin_reboot(broker_id, caller)
        self.finish(broker.broker_id)
        return self._stored(broker.broker_id)

    def begin_reboot(self, broker_id: str, caller: Caller = USER) -> Broker:
        """The first half of ``reboot``: the broker in REBOOT_IN_PROGRESS. Raises as it does."""
        with self._recorder.mq_call(caller, "RebootBroker", {"BrokerId": broker_id}):
            return self._change(self.check(broker_id), _rebooting)

    def delete(self, broker_id: str, caller: Caller = USER) -> None:
        """DeleteBroker: its containers, volumes and grants. Raises ``NotFoundException``."""
        self.finish(self.begin_delete(broker_id, caller).broker_id)

    def begin_delete(self, broker_id: str, caller: Caller = USER) -> Broker:
        """The first half of ``delete``: the broker in DELETION_IN_PROGRESS."""
        with self._recorder.mq_call(caller, "DeleteBroker", {"BrokerId": broker_id}) as answer:
            broker = self._change(self._stored(broker_id), lambda each: replace(each, broker_state="DELETION_IN_PROGRESS"))
            answer.elements = {"BrokerId": broker.broker_id}
        return broker

    def finish(self, broker_id: str) -> None:
        """The second half of what a broker is in the middle of, whoever began it; nothing, when it is in the middle of nothing.

        A creation that fails ends in CREATION_FAILED, with nothing left but the entry. Raises what keeps a broker from
        coming back from a reboot.
        """
        with self._alone(self._stored(broker_id)):
            if document := self._state.get(_KIND, broker_id):  # else someone was faster, and it is deleted
                self._finished(Broker.from_document(document))

    def amend(self, broker_id: str, change: Callable[[Broker], Broker]) -> Broker:
        """Note what needs no restart (tags, settings), or waits for one (``pending``). Raises ``NotFoundException``, and what ``change`` raises."""
        return self._change(self._stored(broker_id), change)

    def _current(self, broker_id: str) -> Broker:
        broker = self._stored(broker_id)
        return self.check(broker.broker_id) if self._clock.now() - broker.checked >= self._check_period else broker

    def _finished(self, broker: Broker) -> None:
        match broker.broker_state:
            case "CREATION_IN_PROGRESS" if broker.key_arn and not all(each.volume.encrypted_data_key for each in broker.nodes):
                self._erase(broker)  # who began it did not get as far as to answer
            case "CREATION_IN_PROGRESS":
                try:
                    self._brought_up(broker)
                except Interrupted:
                    raise
                except TestbedError as error:
                    self._say(f"{broker.broker_name}: creation failed: {error}")
                    self._release(self._stored(broker.broker_id))
                    self._change(broker, lambda each: replace(each, broker_state="CREATION_FAILED"))
            case "REBOOT_IN_PROGRESS":
                self._rebooted(broker.broker_id)
            case "DELETION_IN_PROGRESS":
                self._deleted(broker.broker_id)

    def _brought_up(self, broker: Broker) -> Broker:
        broker = self._imaged(broker)
        for volume_id in dict.fromkeys(each.volume.volume_id for each in broker.nodes):
            self._containers.create_volume(volume_id)
        self._say(f"{broker.broker_name}: starting {broker.engine_type} {broker.running_version}")
        self._started(broker, broker.nodes)
        self._say(f"{broker.broker_name}: ready")
        return self._change(broker, lambda each: replace(each, broker_state="RUNNING", checked=self._clock.now()))

    def _rebooted(self, broker_id: str) -> Broker:
        broker = self._stored(broker_id)
        self._say(f"{broker.broker_name}: rebooting")
        try:
            if version := broker.pending.engine_version:  # before anything changes: it may not be to be had
                self._built(ENGINES[broker.engine_type].image(version))
            broker = self._change(broker, Broker.applied)
            broker = self._imaged(broker) if version else broker
            for each in broker.nodes:  # one after the other: the others serve meanwhile
                broker = self._started(broker, [each])
        finally:
            # Whether it came back or not, rebooting is over; what is wrong with the key, the check says.
            self._change(broker, lambda each: replace(each, broker_state="RUNNING"))
            broker = self.check(broker_id)
        return broker

    def _deleted(self, broker_id: str) -> None:
        broker = self._stored(broker_id)
        self._say(f"{broker.broker_name}: deleting")
        self._erase(broker)

    # What happens to a broker without its owner's asking

    def check(self, broker_id: str) -> Broker:
        """The periodic check of the key and the grants, now. Raises ``NotFoundException``."""
        broker = maintenance.checked(self._kms, self._stored(broker_id), self._clock.now())
        return self._change(broker, partial(maintenance.noted, seen=broker))

    def maintain(self, broker_id: str) -> Broker:
        """One round of what Amazon MQ does by itself: the check, and then what follows from it.

        A broker whose key is valid gets its lost nodes back. One that stands on EFS stops when its key is not: the file
        system does without the key for the delay that KMS has anyway, and no longer (DP). On EBS it serves on until a
        node is lost, which then stays lost. What another process began and did not finish is finished. While someone is
        at work with the broker, nothing is done. Raises ``NotFoundException``, and what ``attach`` raises.
        """
        broker = self.check(broker_id)
        try:
            with self._alone(broker, wait=False):
                return self._maintained(self._stored(broker.broker_id))
        except Busy:
            return broker

    def _maintained(self, broker: Broker) -> Broker:
        if broker.broker_state.endswith("_IN_PROGRESS"):
            self._finished(broker)
        if broker.broker_state == "RUNNING":
            return self._revived(broker)
        if broker.broker_state == "CRITICAL_ACTION_REQUIRED" and broker.storage_type == "EFS":
            for each in broker.nodes:
                if self._runs(each):
                    self._say(f"{broker.broker_name}: its file system no longer works without the key, node {each.name} stops")
                    self._containers.kill(each.container_id)
        return broker

    def detach(self, broker_id: str, node_name: str = "") -> None:
        """Lose a node, or all: its container is killed, so its volume is detached and the data key gone from memory."""
        with self._alone(self._stored(broker_id)):
            for each in self._chosen(self._stored(broker_id), node_name):
                self._containers.kill(each.container_id)

    def attach(self, broker_id: str, node_name: str = "") -> Broker:
        """Bring back a node that is lost or stopped, or all: attach its volume and start it.

        Raises ``VolumeRefused`` when KMS does not open the data key or a grant is gone; nothing runs then.
        """
        with self._alone(self._stored(broker_id)):
            broker = self._stored(broker_id)
            return self._started(broker, self._chosen(broker, node_name))

    def revive(self, broker_id: str) -> Broker:
        """The broker, with those of its nodes attached again that have stopped, as after a restart of the engine.

        A broker whose creation was cut off is removed; one whose reboot was is brought back. Raises ``NotFoundException``, and what ``attach`` raises.
        """
        with self._alone(self._stored(broker_id)):
            broker = self._stored(broker_id)
            if broker.broker_state in ("CREATION_IN_PROGRESS", "CREATION_FAILED", "DELETION_IN_PROGRESS"):
                self._erase(broker)
                return self._stored(broker_id)
            return self._revived(broker)

    def _revived(self, broker: Broker) -> Broker:
        if broker.broker_state == "REBOOT_IN_PROGRESS":  # whoever rebooted it did not come to the end
            broker = self._change(broker, lambda each: replace(each, broker_state="RUNNING"))
        lost = [each for each in broker.nodes if not self._runs(each)]
        if lost:
            self._say(f"{broker.broker_name}: node {' and '.join(each.name for each in lost)} stopped, starting again")
        if lost or (broker.front and not self._runs(broker.front)):
            broker = self._started(broker, lost)  # together: a cluster needs most of its nodes to start
        return broker

    def cancel(self) -> None:
        """End whatever is waited for in other threads: a broker that is being created is not, and leaves nothing behind."""
        self._cancelled.set()

    # How to reach one

    def address(self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None) -> Address:
        """Where and as whom a client of ``protocol`` connects to ``broker``. Raises ``KeyError`` when it does not speak it."""
        return self.addresses(broker, protocol, tls=tls, user=user)[0]

    def addresses(self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None) -> tuple[Address, ...]:
        """The same for each instance, for ``clients.failover``: of an active/standby broker one answers at a time."""
        user = user or broker.users[0]
        found = tuple(
            Address(protocol, each.host, each.port, user.username, user.password, self._state.ca_file if tls else None, instance.container_id)
            for instance in broker.instances
            for each in instance.endpoints
            if protocol in each.protocols and each.tls == tls
        )
        if not found:
            raise KeyError(f"{broker.engine_type} broker {broker.broker_name} has no {'' if tls else 'plaintext '}{protocol} endpoint")
        return found

    def active(self, broker_id: str) -> Node:
        """The node of an active/standby broker that serves. Raises ``ContainerFailed`` when none does, as while one takes over."""
        broker = self._stored(broker_id)
        for each in broker.nodes:
            rendered = node.spec(broker, each, self._certificate(broker))
            try:
                ENGINES[broker.engine_type].login(rendered, each.addresses(), str(self._state.ca_file))
                return each
            except ClientError:
                continue
        raise ContainerFailed(f"No node of {broker.broker_name} serves.", hint="A standby takes some seconds to take over.")

    # Creating

    def _check(self, request: CreateBroker) -> None:
        _one_of(request.engine_type, ENGINE_TYPES, "engine type", "engineType")
        check_broker_name(request.broker_name)
        for key, value in request.tags.items():
            check_tag(key, value)
        check_users(request.engine_type, request.users)
        version = request.engine_version or DEFAULT_VERSION[request.engine_type]
        _one_of(version, VERSIONS[request.engine_type], f"{request.engine_type} version", "engineVersion")
        _one_of(request.deployment_mode, DEPLOYMENT_MODES[request.engine_type], f"{request.engine_type} deployment mode", "deploymentMode")
        if request.storage_type:
            _one_of(request.storage_type, STORAGE_TYPES[request.engine_type], f"{request.engine_type} storage type", "storageType")
        if any(document["broker_name"] == request.broker_name for document in self._state.all(_KIND)):
            raise ConflictException(f"A broker named {request.broker_name} already exists.", error_attribute="brokerName")
        if request.deployment_mode == "ACTIVE_STANDBY_MULTI_AZ":
            _one_of(request.storage_type or "EFS", ("EFS",), "storage type of an active/standby broker", "storageType")
            if request.fixed_ports:
                raise BadRequestException(
                    "The two instances of an active/standby broker have the same documented ports, which exist once here.",
                    error_attribute="deploymentMode",
                    hint="Leave fixed ports out: free ones are the default.",
                )
        if request.network_connectors and request.engine_type != "ACTIVEMQ":
            raise BadRequestException("Only ActiveMQ brokers have network connectors.", error_attribute="engineType")
        for connector in request.network_connectors:
            check_no_credentials_in_url(connector.uri)
        if request.configuration:
            configuration.check(request.engine_type, version, request.deployment_mode, request.settings, request.configuration)
        if request.fixed_ports:
            for listener in topology.listeners(request, ENGINES[request.engine_type]):
                ports.require_free(listener.port)
        require_disk(self._containers.client, _DISK, "A broker")

    def _image(self, request: CreateBroker) -> str:
        """The image, by its tag: one of the user's own is there then, one of ours when ``_imaged`` has seen to it."""
        if request.image:
            return self._built(images.own(request.engine_type, request.image))
        return ENGINES[request.engine_type].image(request.engine_version or DEFAULT_VERSION[request.engine_type]).tag

    def _imaged(self, broker: Broker) -> Broker:
        """With the images of the version that it is to have; where it runs an image of the user's own, with that."""
        if broker.front and not broker.front.image:
            broker = self._change(broker, partial(Broker.with_front, image=self._built(balancer.IMAGE)))
        if not broker.running_version:
            return broker
        engine = ENGINES[broker.engine_type]
        image, release = self._built(engine.image(broker.engine_version)), engine.running_version(broker.engine_version)
        return self._change(broker, lambda each: replace(each, image=image, running_version=release))

    def _built(self, image: images.ImageSpec) -> str:
        return Task(lambda: images.ensure(self._containers.client, [image], self._say)).result(self._cancelled)[image]

    def _planned(self, request: CreateBroker, image: str, key: keys.BrokerKey | None) -> Broker:
        """The broker as it will be, before anything of it exists."""
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
            created=self._clock.datetime().isoformat(timespec="milliseconds"),
            tags=dict(request.tags),
            settings=dict(request.settings),
            configuration=request.configuration,
            network_connectors=request.network_connectors,
            inter_node_tls=request.inter_node_tls,
            control=request.control,
            keystore_password=secrets.token_hex(16),
            cookie=secrets.token_hex(32) if front else "",
        )

    def _keyed(self, broker: Broker, caller: Caller) -> Broker:
        """With its grants and its volumes' data keys, saved as they come into being: whoever cleans up has to know them."""
        if not broker.key_arn:
            return broker
        shapes = shapes_of(broker.deployment_mode, broker.storage_type)
        made: tuple[Grant, ...] = ()
        if broker.key_ownership != "AWS_OWNED":  # that one is Amazon MQ's own: it needs no leave
            made = grants.create_service_grants(self._kms, caller, broker.key_arn, shapes)
            broker = self._save(replace(broker, grants=made))
        nodes = {each.volume.volume_id: volumes.create(self._kms, broker.key_arn, each.volume.volume_id) for each in broker.nodes}
        broker = replace(broker, nodes=tuple(replace(each, volume=nodes[each.volume.volume_id]) for each in broker.nodes))
        if broker.key_ownership != "AWS_OWNED":
            made += grants.create_volume_grants(self._kms, broker.key_arn, shapes, list(nodes))
        return self._save(replace(broker, grants=made))

    # Running

    def _started(self, broker: Broker, chosen: Sequence[Node]) -> Broker:
        """With the ``chosen`` nodes on their volumes and ready, started side by side; containers that were there before are replaced."""
        engine = ENGINES[broker.engine_type]
        certificate = self._certificate(broker)
        rendered = {each.name: node.spec(broker, each, certificate) for each in chosen}
        data_keys = {each.name: self._data_key(broker, each) for each in chosen}
        tasks = {each.name: Task(partial(self._launched, broker, each, rendered[each.name], data_keys[each.name])) for each in chosen}
        for task in tasks.values():  # all, before any failure is heard: whoever cleans up is not to come too early
            task.wait()
        for name, task in tasks.items():
            launched: Node = task.result()
            broker = self._change(broker, partial(Broker.with_node, node=launched))
        if broker.front and not self._runs(broker.front):
            if broker.front.container_id:
                self._containers.remove(broker.front.container_id)
            container_id = node.run_front(self._containers, engine, broker, broker.front)
            broker = self._change(broker, partial(Broker.with_front, container_id=container_id))
        for each in broker.nodes:
            if each.name in rendered:
                try:
                    node.wait(self._containers, engine, broker, each, rendered[each.name], str(self._state.ca_file), self._say, self._cancelled)
                except BaseException:
                    self._containers.remove(each.container_id)  # a node that runs is one that was ready
                    raise
        return broker

    def _launched(self, broker: Broker, each: Node, rendered: NodeSpec, data_key: bytes | None) -> Node:
        if self._cancelled.is_set():
            raise Interrupted(f"The start of {broker.broker_name} was interrupted.")
        if each.container_id:
            self._containers.stop(each.container_id)
            self._containers.remove(each.container_id)
        return replace(each, container_id=node.run(self._containers, ENGINES[broker.engine_type], broker, each, rendered, data_key))

    def _runs(self, instance: Node | Front) -> bool:
        return bool(instance.container_id) and self._containers.state(instance.container_id).running

    def _data_key(self, broker: Broker, each: Node) -> bytes | None:
        """Attaching is done by the grant of the volume: without it, it is not done."""
        if not self._containers.has_volume(each.volume.volume_id):
            raise VolumeRefused(
                f"The volume {each.volume.volume_id} of {broker.broker_name} is gone, and with it all that was on it.",
                hint="`testbed down` and then `testbed up` start with a new one.",
            )
        shapes = shapes_of(broker.deployment_mode, broker.storage_type)
        gone = grants.missing(self._kms, broker.key_arn, broker.grants, shapes, each.volume.volume_id)
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
        if broker.control and broker.control.certificate:
            certificate = self._authority.issue_bad(broker.control.certificate)
        else:
            certificate = self._authority.issue(names=[each.hostname for each in dict.fromkeys((*broker.nodes, *broker.instances))])
        self._state.put(_CERTIFICATE, broker.broker_id, certificate.to_document())
        return certificate

    # Keeping

    def _stored(self, broker_id: str) -> Broker:
        document = self._state.get(_KIND, broker_id) or next(
            (each for each in self._state.all(_KIND) if each["broker_name"] == broker_id), None
        )
        if document is None:
            raise NotFoundException(
                f"Can't find requested broker [{broker_id}]. Make sure your broker exists.", error_attribute="broker-id", hint="`testbed status` lists them."
            )
        return Broker.from_document(document)

    def _save(self, broker: Broker) -> Broker:
        self._state.put(_KIND, broker.broker_id, broker.to_document())
        return broker

    def _change(self, broker: Broker, change: Callable[[Broker], Broker]) -> Broker:
        """Change what is stored of ``broker`` in one step, so that what others change meanwhile is not lost."""
        document = self._state.update(_KIND, broker.broker_id, lambda stored: change(Broker.from_document(stored)).to_document())
        return Broker.from_document(document) if document else self._stored(broker.broker_id)  # which raises

    def _alone(self, broker: Broker, *, wait: bool = True) -> AbstractContextManager[None]:
        """For the length of a ``with`` block, the only one to start or stop it. Raises ``Busy`` when not waiting and another does."""
        return one_at_a_time(self._state.folder, broker.broker_id, self._cancelled, wait=wait)

    def _erase(self, broker: Broker) -> None:
        self._release(broker)
        self._state.delete(_KIND, broker.broker_id)

    def _release(self, broker: Broker) -> None:
        for row in self._containers.find(f"broker {broker.broker_id}"):
            self._containers.remove(row["id"])
        for volume_id in dict.fromkeys(each.volume.volume_id for each in broker.nodes):
            self._containers.remove_volume(volume_id)
        try:
            grants.retire(self._kms, broker.key_arn, broker.grants, shapes_of(broker.deployment_mode, broker.storage_type))
        except KmsError as error:  # KMS is out: grants to a broker that is no more open nothing
            self._say(f"{broker.broker_name}: its grants could not be retired ({error})")
        self._state.delete(_CERTIFICATE, broker.broker_id)

    def _chosen(self, broker: Broker, node_name: str) -> tuple[Node, ...]:
        chosen = tuple(each for each in broker.nodes if node_name in ("", each.name))
        if not chosen:
            raise TestbedError(
                f"The broker {broker.broker_name} has no node {node_name!r}.", hint=f"There are: {', '.join(each.name for each in broker.nodes)}."
            )
        return chosen


def _plain(request: CreateBroker) -> bool:
    return request.control is not None and request.control.plain_volume


def _rebooting(broker: Broker) -> Broker:
    if broker.broker_state != "RUNNING":
        reasons = "; ".join(f"{action.action_required_code}: {action.action_required_info}" for action in broker.actions_required)
        raise BadRequestException(
            f"Broker {broker.broker_id} cannot be rebooted: its state is {broker.broker_state}" + (f" ({reasons})." if reasons else "."),
            error_attribute="broker-id",
            hint="EnableKey, or CancelKeyDeletion and then EnableKey; then wait for the next check.",
        )
    return replace(broker, broker_state="REBOOT_IN_PROGRESS")


def _one_of(value: str, allowed: Sequence[str], what: str, attribute: str) -> None:
    if value not in allowed:
        raise BadRequestException(f"There is no {what} '{value}'. There is: {', '.join(allowed)}.", error_attribute=attribute)
