"""Amazon MQ's control plane over real brokers: create, describe, reboot, delete, and the check of the key.

Methods are the API's operations and raise its errors. A broker is in the state folder from the moment its creation
begins, so whatever happens to the process that creates it, the next one knows. Those that take their time come as a
whole and in two halves: ``begin_...`` answers as the service does, at once, and ``finish`` does the work.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from testbed.broker import encryption, grants, maintenance
from testbed.broker.model import Broker, CreateBroker, Grant, Node
from testbed.broker.request import check as check_request
from testbed.broker.request import planned
from testbed.broker.running import Running
from testbed.broker.store import BrokerStore
from testbed.clients.base import Address
from testbed.documented.grants import grants as shapes_of
from testbed.engines.all import ENGINES
from testbed.engines.base import User
from testbed.errors import (
    BadRequestException,
    Interrupted,
    KmsError,
    NotFoundException,
    TestbedError,
)
from testbed.kms.base import USER, Caller
from testbed.services import Services
from testbed.state.locks import Busy
from testbed.storage import volumes

logger = logging.getLogger(__name__)

CHECK_PERIOD = 2.0  # seconds between two checks of a key; the service's period is not documented


class Brokers:
    """The brokers of one state folder. Safe to use from several threads and processes: whoever starts or stops a broker is alone with it."""

    def __init__(self, services: Services, *, check_period: float = CHECK_PERIOD) -> None:
        self._containers, self._kms = services.containers, services.kms
        self._recorder, self._clock = services.recorder, services.clock
        self._check_period, self._ca_file = check_period, services.state.ca_file
        self._store = BrokerStore(services.state, services.stopping)
        self._running = Running(services, self._store)

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

    def _create(
        self, request: CreateBroker, caller: Caller, go_on: Callable[[Broker], Broker]
    ) -> Broker:
        with self._recorder.mq_call(caller, "CreateBroker", request.parameters()) as answer:
            check_request(
                request, [each.broker_name for each in self._store.all()], self._containers.client
            )
            image = self._running.image(request)
            key = (
                None
                if _plain(request)
                else encryption.resolve(self._kms, caller, request.encryption_options)
            )
            broker = planned(request, image, key, self._clock.datetime())
            answer.elements = {"BrokerArn": broker.arn, "BrokerId": broker.broker_id}
            with self._store.alone(broker):
                self._store.put(broker)
                try:
                    logger.info("%s: creating its grants and its volume", broker.broker_name)
                    return go_on(self._keyed(broker, caller))
                except BaseException:
                    self._erase(self._store.get(broker.broker_id))
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
        return tuple(each.broker_id for each in self._store.all())

    def reboot(self, broker_id: str, caller: Caller = USER) -> Broker:
        """RebootBroker, and wait until it is back.

        Raises ``BadRequestException`` while the broker's key is invalid: "Amazon MQ does not restart a broker with a
        disabled KMS key" (KMSERR). The broker then serves on as it is.
        """
        broker = self.begin_reboot(broker_id, caller)
        self.finish(broker.broker_id)
        return self._store.get(broker.broker_id)

    def begin_reboot(self, broker_id: str, caller: Caller = USER) -> Broker:
        """The first half of ``reboot``: the broker in REBOOT_IN_PROGRESS. Raises as it does."""
        with self._recorder.mq_call(caller, "RebootBroker", {"BrokerId": broker_id}):
            return self._store.change(self.check(broker_id), _rebooting)

    def delete(self, broker_id: str, caller: Caller = USER) -> None:
        """DeleteBroker: its containers, volumes and grants. Raises ``NotFoundException``."""
        self.finish(self.begin_delete(broker_id, caller).broker_id)

    def begin_delete(self, broker_id: str, caller: Caller = USER) -> Broker:
        """The first half of ``delete``: the broker in DELETION_IN_PROGRESS."""
        with self._recorder.mq_call(caller, "DeleteBroker", {"BrokerId": broker_id}) as answer:
            broker = self._store.change(
                self._store.get(broker_id),
                lambda each: replace(each, broker_state="DELETION_IN_PROGRESS"),
            )
            answer.elements = {"BrokerId": broker.broker_id}
        return broker

    def finish(self, broker_id: str) -> None:
        """The second half of what a broker is in the middle of, whoever began it; nothing, when it is in the middle of nothing.

        A creation that fails ends in CREATION_FAILED, with nothing left but the entry. Raises what keeps a broker from
        coming back from a reboot.
        """
        with self._store.alone(self._store.get(broker_id)):
            if broker := self._store.find(broker_id):  # else someone was faster, and it is deleted
                self._finished(broker)

    def amend(self, broker_id: str, change: Callable[[Broker], Broker]) -> Broker:
        """Note what needs no restart (tags, settings), or waits for one (``pending``). Raises ``NotFoundException``, and what ``change`` raises."""
        return self._store.change(self._store.get(broker_id), change)

    def _current(self, broker_id: str) -> Broker:
        broker = self._store.get(broker_id)
        return (
            self.check(broker.broker_id)
            if self._clock.now() - broker.checked >= self._check_period
            else broker
        )

    def _finished(self, broker: Broker) -> None:
        match broker.broker_state:
            case "CREATION_IN_PROGRESS" if broker.key_arn and not all(
                each.volume.encrypted_data_key for each in broker.nodes
            ):
                self._erase(broker)  # who began it did not get as far as to answer
            case "CREATION_IN_PROGRESS":
                try:
                    self._brought_up(broker)
                except Interrupted:
                    raise
                except TestbedError as error:
                    logger.warning("%s: creation failed: %s", broker.broker_name, error)
                    self._release(self._store.get(broker.broker_id))
                    self._store.change(
                        broker, lambda each: replace(each, broker_state="CREATION_FAILED")
                    )
            case "REBOOT_IN_PROGRESS":
                self._rebooted(broker.broker_id)
            case "DELETION_IN_PROGRESS":
                self._deleted(broker.broker_id)

    def _brought_up(self, broker: Broker) -> Broker:
        broker = self._running.imaged(broker)
        for volume_id in dict.fromkeys(each.volume.volume_id for each in broker.nodes):
            self._containers.create_volume(volume_id)
        logger.info(
            "%s: starting %s %s", broker.broker_name, broker.engine_type, broker.running_version
        )
        self._running.started(broker, broker.nodes)
        logger.info("%s: ready", broker.broker_name)
        return self._store.change(
            broker, lambda each: replace(each, broker_state="RUNNING", checked=self._clock.now())
        )

    def _rebooted(self, broker_id: str) -> Broker:
        broker = self._store.get(broker_id)
        logger.info("%s: rebooting", broker.broker_name)
        try:
            if (
                version := broker.pending.engine_version
            ):  # before anything changes: it may not be to be had
                self._running.built(ENGINES[broker.engine_type].image(version))
            broker = self._store.change(broker, Broker.applied)
            broker = self._running.imaged(broker) if version else broker
            for each in broker.nodes:  # one after the other: the others serve meanwhile
                broker = self._running.started(broker, [each])
        finally:
            # Whether it came back or not, rebooting is over; what is wrong with the key, the check says.
            self._store.change(broker, lambda each: replace(each, broker_state="RUNNING"))
            broker = self.check(broker_id)
        return broker

    def _deleted(self, broker_id: str) -> None:
        broker = self._store.get(broker_id)
        logger.info("%s: deleting", broker.broker_name)
        self._erase(broker)

    # What happens to a broker without its owner's asking

    def check(self, broker_id: str) -> Broker:
        """The periodic check of the key and the grants, now. Raises ``NotFoundException``."""
        broker = maintenance.checked(self._kms, self._store.get(broker_id), self._clock.now())
        return self._store.change(broker, partial(maintenance.noted, seen=broker))

    def maintain(self, broker_id: str) -> Broker:
        """One round of what Amazon MQ does by itself: the check, and then what follows from it.

        A broker whose key is valid gets its lost nodes back. One that stands on EFS stops when its key is not: the file
        system does without the key for the delay that KMS has anyway, and no longer (DP). On EBS it serves on until a
        node is lost, which then stays lost. What another process began and did not finish is finished. While someone is
        at work with the broker, nothing is done. Raises ``NotFoundException``, and what ``attach`` raises.
        """
        broker = self.check(broker_id)
        try:
            with self._store.alone(broker, wait=False):
                return self._maintained(self._store.get(broker.broker_id))
        except Busy:
            return broker

    def _maintained(self, broker: Broker) -> Broker:
        if broker.broker_state.endswith("_IN_PROGRESS"):
            self._finished(broker)
        if broker.broker_state == "RUNNING":
            return self._revived(broker)
        if broker.broker_state == "CRITICAL_ACTION_REQUIRED" and broker.storage_type == "EFS":
            for each in broker.nodes:
                if self._running.runs(each):
                    logger.info(
                        "%s: its file system no longer works without the key, node %s stops",
                        broker.broker_name,
                        each.name,
                    )
                    self._containers.kill(each.container_id)
        return broker

    def detach(self, broker_id: str, node_name: str = "") -> None:
        """Lose a node, or all: its container is killed, so its volume is detached and the data key gone from memory."""
        with self._store.alone(self._store.get(broker_id)):
            for each in self._chosen(self._store.get(broker_id), node_name):
                self._containers.kill(each.container_id)

    def attach(self, broker_id: str, node_name: str = "") -> Broker:
        """Bring back a node that is lost or stopped, or all: attach its volume and start it.

        Raises ``VolumeRefused`` when KMS does not open the data key or a grant is gone; nothing runs then.
        """
        with self._store.alone(self._store.get(broker_id)):
            broker = self._store.get(broker_id)
            return self._running.started(broker, self._chosen(broker, node_name))

    def revive(self, broker_id: str) -> Broker:
        """The broker, with those of its nodes attached again that have stopped, as after a restart of the engine.

        A broker whose creation was cut off is removed; one whose reboot was is brought back. Raises ``NotFoundException``, and what ``attach`` raises.
        """
        with self._store.alone(self._store.get(broker_id)):
            broker = self._store.get(broker_id)
            if broker.broker_state in (
                "CREATION_IN_PROGRESS",
                "CREATION_FAILED",
                "DELETION_IN_PROGRESS",
            ):
                self._erase(broker)
                return self._store.get(broker_id)
            return self._revived(broker)

    def _revived(self, broker: Broker) -> Broker:
        if (
            broker.broker_state == "REBOOT_IN_PROGRESS"
        ):  # whoever rebooted it did not come to the end
            broker = self._store.change(broker, lambda each: replace(each, broker_state="RUNNING"))
        lost = [each for each in broker.nodes if not self._running.runs(each)]
        if lost:
            logger.info(
                "%s: node %s stopped, starting again",
                broker.broker_name,
                " and ".join((each.name for each in lost)),
            )
        if lost or (broker.front and not self._running.runs(broker.front)):
            broker = self._running.started(
                broker, lost
            )  # together: a cluster needs most of its nodes to start
        return broker

    # How to reach one

    def address(
        self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None
    ) -> Address:
        """Where and as whom a client of ``protocol`` connects to ``broker``. Raises ``KeyError`` when it does not speak it."""
        return self.addresses(broker, protocol, tls=tls, user=user)[0]

    def addresses(
        self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None
    ) -> tuple[Address, ...]:
        """The same for each instance, for ``clients.failover``: of an active/standby broker one answers at a time."""
        user = user or broker.users[0]
        found = tuple(
            Address(
                protocol,
                each.host,
                each.port,
                user.username,
                user.password,
                self._ca_file if tls else None,
                instance.container_id,
            )
            for instance in broker.instances
            for each in instance.endpoints
            if protocol in each.protocols and each.tls == tls
        )
        if not found:
            raise KeyError(
                f"{broker.engine_type} broker {broker.broker_name} has no {'' if tls else 'plaintext '}{protocol} endpoint"
            )
        return found

    def active(self, broker_id: str) -> Node:
        """The node of an active/standby broker that serves. Raises ``ContainerFailed`` when none does, as while one takes over."""
        return self._running.active(self._store.get(broker_id))

    # Creating

    def _keyed(self, broker: Broker, caller: Caller) -> Broker:
        """With its grants and its volumes' data keys, saved as they come into being: whoever cleans up has to know them."""
        if not broker.key_arn:
            return broker
        shapes = shapes_of(broker.deployment_mode, broker.storage_type)
        made: tuple[Grant, ...] = ()
        if broker.key_ownership != "AWS_OWNED":  # that one is Amazon MQ's own: it needs no leave
            made = grants.create_service_grants(self._kms, caller, broker.key_arn, shapes)
            broker = self._store.put(replace(broker, grants=made))
        nodes = {
            each.volume.volume_id: volumes.create(self._kms, broker.key_arn, each.volume.volume_id)
            for each in broker.nodes
        }
        broker = replace(
            broker,
            nodes=tuple(
                replace(each, volume=nodes[each.volume.volume_id]) for each in broker.nodes
            ),
        )
        if broker.key_ownership != "AWS_OWNED":
            made += grants.create_volume_grants(self._kms, broker.key_arn, shapes, list(nodes))
        return self._store.put(replace(broker, grants=made))

    # Keeping

    def _erase(self, broker: Broker) -> None:
        self._release(broker)
        self._store.remove(broker)

    def _release(self, broker: Broker) -> None:
        self._running.release(broker)
        try:
            grants.retire(
                self._kms,
                broker.key_arn,
                broker.grants,
                shapes_of(broker.deployment_mode, broker.storage_type),
            )
        except KmsError as error:  # KMS is out: grants to a broker that is no more open nothing
            logger.warning("%s: its grants could not be retired (%s)", broker.broker_name, error)

    def _chosen(self, broker: Broker, node_name: str) -> tuple[Node, ...]:
        chosen = tuple(each for each in broker.nodes if node_name in ("", each.name))
        if not chosen:
            raise TestbedError(
                f"The broker {broker.broker_name} has no node {node_name!r}.",
                hint=f"There are: {', '.join(each.name for each in broker.nodes)}.",
            )
        return chosen


def _plain(request: CreateBroker) -> bool:
    return request.defects is not None and request.defects.plain_volume


def _rebooting(broker: Broker) -> Broker:
    if broker.broker_state != "RUNNING":
        reasons = "; ".join(
            f"{action.action_required_code}: {action.action_required_info}"
            for action in broker.actions_required
        )
        raise BadRequestException(
            f"Broker {broker.broker_id} cannot be rebooted: its state is {broker.broker_state}"
            + (f" ({reasons})." if reasons else "."),
            error_attribute="broker-id",
            hint="EnableKey, or CancelKeyDeletion and then EnableKey; then wait for the next check.",
        )
    return replace(broker, broker_state="REBOOT_IN_PROGRESS")
