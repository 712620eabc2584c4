"""The transitions of a broker between its states, each under the broker's lock.

A broker is stored as soon as its creation begins, with its grants and volumes as they come
into being, so another process can finish or undo what this one has begun.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial

from testbed.broker import grants, maintenance
from testbed.broker.health import Health, Patience
from testbed.broker.model import Broker, Grant, Node
from testbed.broker.nodes import Nodes
from testbed.broker.store import BrokerStore
from testbed.documented.grants import grants as shapes_of
from testbed.errors import (
    ClientError,
    Interrupted,
    KmsError,
    NotAuthorized,
    TestbedError,
    VolumeRefused,
)
from testbed.kms.base import Caller
from testbed.services import Services
from testbed.state import holds
from testbed.storage import volumes

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds between two logins that `up` waits for


class Lifecycle:
    """Brings brokers up, restarts them and removes them."""

    def __init__(
        self, services: Services, store: BrokerStore, nodes: Nodes, patience: Patience
    ) -> None:
        self._containers, self._kms, self._clock = services.containers, services.kms, services.clock
        self._state, self._cancelled = services.state, services.stopping
        self._recorder = services.recorder
        self._store, self._nodes = store, nodes
        self._health = Health(services.containers, nodes.spec, patience)

    def create_grants(self, broker: Broker, caller: Caller) -> Broker:
        """Create the broker's grants and its volumes' data keys. Raises ``KmsError``."""
        logger.info("%s: creating its grants and its volume", broker.broker_name)
        if not broker.key_arn:
            return broker
        shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
        owned = broker.key_ownership == "AWS_OWNED"  # Amazon MQ needs no grant on its own key
        if not owned:
            service = grants.create_service_grants(self._kms, caller, broker.key_arn, shapes)
            broker = self._noted(broker, service)
        encrypted = {
            volume_id: volumes.create(self._kms, broker.key_arn, volume_id, broker.arn)
            for volume_id in (volume.volume_id for volume in broker.volumes)
        }
        nodes = tuple(
            replace(node, volume=encrypted[node.volume.volume_id]) for node in broker.nodes
        )
        if not owned:
            of_volumes = grants.create_volume_grants(self._kms, broker, shapes, list(encrypted))
            broker = self._noted(broker, of_volumes)
        return self._store.put(replace(broker, nodes=nodes))  # last: the creation has begun

    def _noted(self, broker: Broker, created: Iterable[Grant]) -> Broker:
        """Store each grant before the next one is created."""
        with self._store.granting():
            for grant in created:
                broker = self._store.put(replace(broker, grants=(*broker.grants, grant)))
        return broker

    def bring_up(self, broker: Broker) -> Broker:
        """Start a created broker for the first time."""
        broker = self._nodes.plan_volumes(self._nodes.ensure_images(broker))
        for volume in broker.volumes:
            self._containers.create_volume(volume.volume_id)
        logger.info(
            "%s: starting %s %s", broker.broker_name, broker.engine_type, broker.running_version
        )
        self._nodes.start(broker, broker.nodes)
        logger.info("%s: ready", broker.broker_name)
        return self._store.change(
            broker, partial(replace, broker_state="RUNNING", checked=self._clock.now())
        )

    def finish(self, broker: Broker) -> None:
        """Finish what the broker is in the middle of, no matter which process began it.

        A creation that fails ends in CREATION_FAILED, with only the entry left. Raises what keeps
        a broker from coming back from a reboot, and ``KmsError`` when an outage keeps grants from
        being retired; the deletion is then still in progress.
        """
        match broker.broker_state:
            case "CREATION_IN_PROGRESS" if not _has_begun(broker):
                self.erase(broker)  # the process that began it ended before it could answer
            case "CREATION_IN_PROGRESS":
                try:
                    self.bring_up(broker)
                except Interrupted:
                    raise
                except TestbedError as error:
                    logger.warning("%s: creation failed: %s", broker.broker_name, error)
                    self._release(self._store.get(broker.broker_id))
                    self._set_state(broker, "CREATION_FAILED")
            case "REBOOT_IN_PROGRESS":
                self._reboot(broker)
            case "DELETION_IN_PROGRESS":
                logger.info("%s: deleting", broker.broker_name)
                self._nodes.release(broker)
                self._retire_grants(broker)
                self._forget(broker)
                self._store.remove(broker)

    def check(self, broker: Broker) -> Broker:
        """Check the key and the grants now, and store the result. Raises ``NotFoundException``.

        During an outage of KMS the broker stays as it is.
        """
        try:
            return self._check(broker)
        except KmsError:
            return self._store.change(broker, lambda stored: stored)

    def check_before_reboot(self, broker: Broker) -> Broker:
        """Check the key as ``check`` does, and that the volumes' data keys open, as a start needs.

        A reboot that cannot succeed must not begin. Raises ``KmsError`` when KMS does not answer,
        or fails to open a data key.
        """
        broker = self.look_for_alarms(self._check(broker))
        if broker.broker_state != "RUNNING":
            return broker
        try:
            self._nodes.open_data_keys(broker)
        except VolumeRefused as error:
            refused = maintenance.Check(error.message, self._clock.now())
            return self._store.change(broker, partial(maintenance.with_check, result=refused))
        return broker

    def renew_certificate(self, broker: Broker, defect: str = "") -> Broker:
        """Restart the nodes with another certificate, which may have a ``defect``.

        An active/standby broker's restart together: one still has the old one and would take over.
        """
        with self._nodes.former_certificate(broker):
            self._nodes.issue_certificate(broker, defect)
            if broker.standby:
                return self._nodes.start(broker, broker.nodes)
            return self._restart(broker)

    def renew_grants(self, broker: Broker, ended: Collection[str]) -> Broker:
        """Create new grants for those whose ids are ``ended``. Raises ``KmsError``."""
        shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
        by_name = {shape.name: shape for shape in shapes}
        for old in broker.grants:  # those of volumes last, which need those of the service
            if old.grant_id in ended:
                with self._store.granting():
                    new = grants.renew(self._kms, broker, by_name[old.name], old)
                    broker = self._store.change(broker, partial(_with_grant, old=old, new=new))
        return broker

    def maintain(self, broker: Broker) -> Broker:
        """Do what follows from the latest check; see ``Upkeep.maintain``."""
        if broker.in_progress:
            self.finish(broker)
        elif broker.broker_state in maintenance.IN_SERVICE and not broker.key_problem:
            self._end_hung(broker)
            broker, now = self.look_for_alarms(broker), self._clock.now()
            return self._start_stopped(
                broker, lambda node: not (node.failure and node.failure.rests(now))
            )
        if broker.key_problem and broker.storage_type == "EFS":
            for node in filter(self._nodes.runs, broker.nodes):
                logger.info(
                    "%s: its file system no longer works without the key, node %s stops",
                    broker.broker_name,
                    node.name,
                )
                self._containers.kill(node.container_id)
        return broker

    def look_for_alarms(self, broker: Broker) -> Broker:
        """Store the broker's alarms; they stay as they are while it does not answer.

        A broker that refuses the login, because its user was changed in RabbitMQ, cannot be asked:
        none are stored.
        """
        if broker.broker_state not in maintenance.IN_SERVICE:
            return broker
        try:
            alarms = self._health.alarms(broker)
        except NotAuthorized:
            alarms = ()
        except ClientError:
            return broker
        if alarms == broker.alarms:
            return broker
        return self._store.change(broker, partial(maintenance.with_alarms, alarms=alarms))

    def revive(self, broker: Broker) -> Broker:
        """Start the stopped nodes again, or finish a reboot that was cut off."""
        if broker.broker_state == "REBOOT_IN_PROGRESS":
            self._reboot(broker)
            return self._store.get(broker.broker_id)
        broker = self._start_stopped(broker)
        while not self._end_hung(broker, login=True):
            if self._cancelled.wait(_LOOK_EVERY):
                raise Interrupted(f"The start of {broker.broker_name} was interrupted.")
            broker = self._start_stopped(broker)
        return broker

    def _end_hung(self, broker: Broker, *, login: bool = False) -> bool:
        """End what runs and has not let clients in for too long. Return whether all is well.

        A node that a fault holds is left alone.
        """
        balancer = broker.load_balancer
        if balancer and not self._nodes.runs(balancer):
            return False
        free = [node for node in broker.nodes if not self._is_held(broker, node)]
        running = [node for node in free if self._nodes.runs(node)]
        is_well, given_up = self._health.look(broker, running, login=login)
        for miss in given_up:
            name = f"node {miss.instance.name}" if isinstance(miss.instance, Node) else "balancer"
            logger.warning("%s: %s is ended: %s", broker.broker_name, name, miss.reason)
            self._nodes.end(broker, miss.instance)
        return is_well and len(running) == len(free)

    def _start_stopped(
        self, broker: Broker, is_due: Callable[[Node], bool] = lambda _: True
    ) -> Broker:
        """Start the stopped nodes that are due, and the load balancer unless it runs.

        When all nodes run, continue a reboot that was cut short.
        """
        down = [
            node
            for node in broker.nodes
            if not self._nodes.runs(node) and not self._is_held(broker, node)
        ]
        stopped = [node for node in down if is_due(node)]
        if stopped:
            names = " and ".join(node.name for node in stopped)
            logger.info("%s: node %s stopped, starting again", broker.broker_name, names)
        elif not down and (waiting := [node for node in broker.nodes if node.restart_due]):
            stopped = waiting[:1]  # the others serve meanwhile
            logger.info("%s: rebooting node %s", broker.broker_name, stopped[0].name)
        elif broker.load_balancer is None or self._nodes.runs(broker.load_balancer):
            return broker
        return self._nodes.start(broker, stopped)  # together: a cluster needs most nodes to start

    def _is_held(self, broker: Broker, node: Node) -> bool:
        return holds.is_held(self._state, holds.node(broker.broker_id, node.name))

    def erase(self, broker: Broker) -> None:
        """Remove all that belongs to the broker, and forget it."""
        self._release(broker)
        self._forget(broker)
        self._store.remove(broker)

    def _forget(self, broker: Broker) -> None:
        self._nodes.forget_logs(broker)
        self._health.forget(broker)

    def _release(self, broker: Broker) -> None:
        self._nodes.release(broker)
        try:
            self._retire_grants(broker)
        except KmsError as error:  # an outage: grants of a removed broker open nothing
            logger.warning("%s: its grants could not be retired (%s)", broker.broker_name, error)

    def _retire_grants(self, broker: Broker) -> None:
        shapes = shapes_of(broker.deployment_mode, broker.storage_type, broker.region)
        grants.retire(self._kms, broker, shapes)
        if not _has_begun(broker):
            with self._store.granting():
                noted = {grant.grant_id for other in self._store.all() for grant in other.grants}
                grants.retire_strays(self._kms, broker, shapes, noted)

    def _reboot(self, broker: Broker) -> None:
        logger.info("%s: rebooting", broker.broker_name)
        version = broker.pending.engine_version
        try:
            if version:  # while it is pending: it may be unavailable, or this may be cut off
                broker = self._nodes.ensure_images(broker, version)
            broker = self._nodes.resize_volumes(self._store.change(broker, Broker.applied))
            self._restart(broker)
        finally:  # the reboot is over, successful or not; the check says if the key is the reason
            self.check(self._store.change(broker, maintenance.in_service))

    def _restart(self, broker: Broker) -> Broker:
        """Restart the nodes one after the other, so that the others serve.

        If none does, all together: a cluster needs most of its nodes to start.
        """
        serving = any(map(self._nodes.runs, broker.nodes))
        for nodes in [[node] for node in broker.nodes] if serving else [broker.nodes]:
            broker = self._nodes.start(broker, nodes)
        return broker

    def _check(self, broker: Broker) -> Broker:
        with self._recorder.held() as records:  # of a check that finds what the last one found
            result = maintenance.check(self._kms, broker, self._clock.now())
            records.kept = result is not None and result.problem != broker.key_problem
        return self._store.change(broker, partial(maintenance.with_check, result=result))

    def _set_state(self, broker: Broker, broker_state: str) -> Broker:
        return self._store.change(broker, partial(Broker.with_state, broker_state=broker_state))


def _with_grant(broker: Broker, *, old: Grant, new: Grant) -> Broker:
    kept = tuple(new if grant == old else grant for grant in broker.grants)
    return replace(broker, grants=kept)


def _has_begun(broker: Broker) -> bool:
    """Return whether CreateBroker was done with grants and data keys."""
    return not broker.key_arn or all(volume.encrypted_data_key for volume in broker.volumes)
