"""Amazon MQ's control plane over real brokers: create, describe, reboot, delete and maintain.

Public methods are operations of the API unless their docstring says otherwise; they raise its
errors and are recorded in the trail. Slow operations come in two forms: ``create`` returns when
the broker is ready, ``begin_create`` answers at once, as the service does, with a ``Job``.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from testbed.broker import (
    addresses,
    copies,
    encryption,
    refusals,
    rules,
    service_role,
    strict_names,
    topology,
    updates,
)
from testbed.broker.cloudwatch_logs import LogDelivery
from testbed.broker.configurations import Configurations
from testbed.broker.health import Patience
from testbed.broker.jobs import Job
from testbed.broker.lifecycle import Lifecycle
from testbed.broker.metrics import Metrics
from testbed.broker.model import Broker, Node
from testbed.broker.network import Networks
from testbed.broker.nodes import Nodes
from testbed.broker.requests import CreateBroker, UpdateBroker
from testbed.broker.store import BrokerStore
from testbed.broker.upkeep import Upkeep
from testbed.clients.base import Address
from testbed.engines.base import User
from testbed.errors import NotFoundException, TestbedError
from testbed.kms.base import Caller
from testbed.services import Services
from testbed.storage import choice

logger = logging.getLogger(__name__)

CHECK_PERIOD = 2.0  # seconds between two checks of a key; the service's period is not documented


class Brokers:
    """The brokers of one state folder, for use by several threads and processes.

    Operations of the API are the testbed's user's unless they name a ``caller``, who sees only the
    brokers of the own account and Region. Starting and stopping a broker takes its lock.
    """

    def __init__(
        self,
        services: Services,
        *,
        check_period: float = CHECK_PERIOD,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._containers, self._kms = services.containers, services.kms
        self._recorder, self._clock = services.recorder, services.clock
        self._check_period, self._state = check_period, services.state
        self._user = services.user
        self._store = BrokerStore(services.state, services.stopping)
        self._configurations = Configurations(services.state, services.clock)
        self._backends = services.backends
        self._networks = Networks(services.state, services.backends)
        self._logs = LogDelivery(services)
        self._nodes = Nodes(services, self._store)
        self._lifecycle = Lifecycle(services, self._store, self._nodes, patience)
        self.upkeep = Upkeep(
            services.containers,
            self._store,
            self._nodes,
            self._lifecycle,
            logs=self._logs,
            metrics=Metrics(services, self.consoles),
        )
        self._creating = threading.Lock()

    # Operations of the API

    def create(self, request: CreateBroker, caller: Caller | None = None) -> Broker:
        """CreateBroker, and wait until every listener answers a login.

        Raises ``BadRequestException`` or ``ConflictException`` for a request that is refused.
        Leaves nothing behind when it raises, whatever it raises.
        """
        caller = caller or self._user
        with self._recorder.mq_call(caller, "CreateBroker", request.parameters()) as answer:
            broker = self._plan(request, caller)
            answer.elements = {"BrokerArn": broker.arn, "BrokerId": broker.broker_id}
            with self._erased_on_failure(broker):
                return self._lifecycle.bring_up(self._begun(broker, caller))

    def begin_create(self, request: CreateBroker, caller: Caller | None = None) -> Job:
        """CreateBroker: the broker is in CREATION_IN_PROGRESS, with its grants and data keys.

        The same ``CreatorRequestId`` makes one broker, however often it is sent (API). Raises
        what ``create`` raises; a creation that fails later ends in CREATION_FAILED.
        """
        caller = caller or self._user
        with (
            self._creating,
            self._recorder.mq_call(caller, "CreateBroker", request.parameters()) as answer,
        ):
            broker = self._created_before(request, caller)
            if broker is None:
                broker = self._plan(request, caller)
                with self._erased_on_failure(broker):
                    broker = self._begun(broker, caller)
            answer.elements = {"BrokerArn": broker.arn, "BrokerId": broker.broker_id}
            return self._job(broker)

    def describe(self, broker_id: str, caller: Caller | None = None) -> Broker:
        """DescribeBroker, by id or by name.

        Checks the key first if the last check is too old, since nothing else does where no daemon
        runs. Raises ``NotFoundException``.
        """
        caller = caller or self._user
        with self._recorder.mq_call(caller, "DescribeBroker", {"BrokerId": broker_id}):
            return self._checked(self._store.get(broker_id, caller))

    def list(self, caller: Caller | None = None) -> list[Broker]:
        """ListBrokers, in the order of their creation, with checks as ``describe``."""
        caller, brokers = caller or self._user, []
        with self._recorder.mq_call(caller, "ListBrokers", {}):
            for broker in self._store.of(caller):
                with suppress(NotFoundException):  # deleted in the meantime
                    brokers.append(self._checked(broker))
        return brokers

    def update(self, broker_id: str, request: UpdateBroker, caller: Caller | None = None) -> Broker:
        """UpdateBroker. Some changes wait for a reboot. A broker's key is for its life.

        Raises ``NotFoundException`` or ``BadRequestException``.
        """
        caller = caller or self._user
        parameters = {"BrokerId": broker_id, **request.parameters()}
        with self._recorder.mq_call(caller, "UpdateBroker", parameters) as answer:
            broker = self._store.get(broker_id, caller)
            rules.check_update(broker, request)
            self._networks.check_groups(broker, request.settings.get("SecurityGroups", ()))

            def change(stored: Broker) -> Broker:
                rules.check_update(stored, request)
                return updates.apply(stored, request)

            answer.elements = parameters
            return self._store.change(broker, change)

    def reboot(self, broker_id: str, caller: Caller | None = None) -> Broker:
        """RebootBroker, and wait until the broker is back. Raises what ``begin_reboot`` raises."""
        job = self.begin_reboot(broker_id, caller)
        job.finish()
        return self._store.get(job.broker.broker_id)

    def begin_reboot(self, broker_id: str, caller: Caller | None = None) -> Job:
        """RebootBroker: the broker is in REBOOT_IN_PROGRESS.

        Raises ``BadRequestException`` unless the broker is RUNNING. "Amazon MQ does not restart a
        broker with a disabled KMS key" (KMSERR). Raises ``KmsError`` when KMS does not answer, or
        fails to open a volume's data key. The broker then keeps serving as it is.
        """

        def begin(broker: Broker) -> Broker:
            rules.check_state(broker, "RebootBroker")
            return broker.with_state("REBOOT_IN_PROGRESS")

        caller = caller or self._user
        with self._recorder.mq_call(caller, "RebootBroker", {"BrokerId": broker_id}):
            broker = self._lifecycle.check_before_reboot(self._store.get(broker_id, caller))
            rules.check_state(broker, "RebootBroker")
            self._logs.skip(broker)
            self._logs.begin(broker.applied(), caller)
            return self._job(self._store.change(broker, begin))

    def delete(self, broker_id: str, caller: Caller | None = None) -> None:
        """DeleteBroker: remove its containers, volumes and grants. Raises as ``begin_delete``.

        Raises ``KmsError`` when KMS does not answer; maintenance then ends the deletion.
        """
        self.begin_delete(broker_id, caller).finish()

    def begin_delete(self, broker_id: str, caller: Caller | None = None) -> Job:
        """DeleteBroker: the broker is in DELETION_IN_PROGRESS.

        Raises ``NotFoundException``, or ``BadRequestException`` while it is created, rebooted or
        deleted.
        """

        def begin(broker: Broker) -> Broker:
            rules.check_state(broker, "DeleteBroker")
            return broker.with_state("DELETION_IN_PROGRESS")

        caller = caller or self._user
        with self._recorder.mq_call(caller, "DeleteBroker", {"BrokerId": broker_id}) as answer:
            broker = self._store.change(self._store.get(broker_id, caller), begin)
            answer.elements = {"BrokerId": broker.broker_id}
            return self._job(broker)

    def amend(self, broker_id: str, change: Callable[[Broker], Broker]) -> Broker:
        """Change what needs no restart (tags), or waits for one (``pending``), in one step.

        Raises ``NotFoundException``, and what ``change`` raises.
        """
        return self._store.change(self._store.get(broker_id), change)

    # For readers: without a record in the trail, and without a call to KMS

    def peek(self, broker_id: str, caller: Caller | None = None) -> Broker:
        """Return the broker as it is stored, by id or by name. Raises ``NotFoundException``.

        With a ``caller``, only among those that the caller sees; otherwise the user's come first.
        """
        try:
            return self._store.get(broker_id, caller or self._user)
        except NotFoundException:
            if caller:
                raise
            return self._store.get(broker_id)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all brokers, in the order of their creation."""
        return tuple(broker.broker_id for broker in self._store.all())

    def peek_all(self, caller: Caller | None = None) -> tuple[Broker, ...]:
        """Return all brokers, or the caller's, as they are stored, in the order of creation."""
        return self._store.of(caller) if caller else self._store.all()

    def kept_log(self, broker_id: str, node_name: str) -> str:
        """Return the end of what a node's last container printed that ended by itself.

        Empty if there was none. Raises ``NotFoundException``.
        """
        broker = self._store.get(broker_id)
        return self._nodes.log(broker, broker.nodes_named(node_name)[0])

    def copies(self, broker_id: str) -> tuple[copies.Copy, ...]:
        """Return copies of the broker's containers, on empty volumes that no KMS key protects.

        Raises ``NotFoundException``.
        """
        broker = self._store.get(broker_id)
        return copies.of(broker, partial(self._nodes.spec, broker))

    @property
    def strict_names(self) -> bool:
        """Whether names that the page advises against are refused; see ``strict_names``."""
        return strict_names.chosen(self._state)

    # Addresses

    def address(
        self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None
    ) -> Address:
        """Return where and as whom a client of ``protocol`` connects. Raises ``KeyError``."""
        return self.addresses(broker, protocol, tls=tls, user=user)[0]

    def addresses(
        self, broker: Broker, protocol: str, *, tls: bool = True, user: User | None = None
    ) -> tuple[Address, ...]:
        """Return the address of each instance, for ``clients.failover``. Raises ``KeyError``."""
        ca_file = self._state.ca_file if tls else None
        return addresses.of(broker, protocol, ca_file, user or broker.users[0])

    def consoles(self, broker: Broker) -> tuple[Address, ...]:
        """Return where the nodes' management interfaces are; none if nobody may log in there."""
        if broker.engine_type == "RABBITMQ":
            return self.addresses(broker, "management")
        user = next((user for user in broker.users if user.console_access), None)
        return self.addresses(broker, "console", user=user) if user else ()

    def active(self, broker_id: str) -> Node:
        """Return the node of an active/standby broker that serves.

        Raises ``ContainerFailed`` when none does, as during a failover.
        """
        return self._nodes.active(self._store.get(broker_id))

    def log_in(self, broker_id: str) -> None:
        """Log in to every listener of every instance, as clients do; of standbys, to any.

        Raises ``ClientError`` while one does not answer.
        """
        self._nodes.log_in(self._store.get(broker_id))

    def _plan(self, request: CreateBroker, caller: Caller) -> Broker:
        """Check the request, and return the broker as it will be."""
        rules.check_create(request, {broker.broker_name for broker in self._store.of(caller)})
        if self.strict_names:
            strict_names.check_create(request)
        if "StorageSize" in request.settings and choice.chosen(self._state).kind == "files":
            raise refusals.storage_without_size()
        request = self._networks.placed(request, caller)
        topology.check_machine(request, self._containers)
        image = self._nodes.image(request)
        plain = request.defects is not None and request.defects.plain_volume
        options = request.encryption_options
        key = None if plain else encryption.resolve(self._kms, caller, options)
        return topology.plan(request, caller, image, key, self._clock.datetime())

    @contextmanager
    def _erased_on_failure(self, broker: Broker) -> Iterator[None]:
        """Store the broker and hold its lock; remove all of it if the block raises.

        What cannot be removed now, maintenance removes: it does not go on with the creation.
        """
        with self._store.locked(broker):
            self._store.add(broker)
            try:
                yield
            except BaseException:
                try:
                    self._erase(broker)
                except TestbedError as error:
                    logger.warning("%s: not all is removed: %s", broker.broker_name, error)
                raise

    def _erase(self, broker: Broker) -> None:
        """Remove all of a broker that was not created, and the configuration that it got."""
        deleting = partial(Broker.with_state, broker_state="DELETION_IN_PROGRESS")
        stored = self._store.change(broker, deleting)
        if stored.configuration and not broker.configuration:
            with suppress(NotFoundException):
                self._configurations.delete(broker.owner, stored.configuration.id, ())
        self._lifecycle.erase(stored)

    def _begun(self, broker: Broker, caller: Caller) -> Broker:
        """Give a planned broker its grants and data keys, and a configuration unless it has one."""
        if broker.engine_type == "RABBITMQ":
            service_role.provide(self._backends, self._recorder, caller)
        self._logs.begin(broker, caller)
        broker = self._lifecycle.create_grants(broker, caller)
        if broker.configuration:
            return broker
        default = self._configurations.create_default(broker)
        return self._store.change(broker, partial(replace, configuration=default))

    def _created_before(self, request: CreateBroker, caller: Caller) -> Broker | None:
        """Return the broker of an earlier request with the same ``CreatorRequestId``."""
        token = request.settings.get("CreatorRequestId")
        for broker in self._store.of(caller) if token else ():
            if broker.settings.get("CreatorRequestId") == token:
                rules.check_create(request, ())
                if broker.broker_name != request.broker_name:
                    raise refusals.creator_request_id_used()
                return broker
        return None

    def _checked(self, broker: Broker) -> Broker:
        """Check the key unless the last check is recent; one from the future counts for nothing."""
        recent = 0 <= self._clock.now() - broker.checked < self._check_period
        return broker if recent else self._lifecycle.check(broker)

    def _job(self, broker: Broker) -> Job:
        return Job(broker, partial(self._finish, broker.broker_id))

    def _finish(self, broker_id: str) -> None:
        """Finish what the broker is in the middle of, unless another was faster."""
        with suppress(NotFoundException), self._store.holding(broker_id) as broker:
            self._lifecycle.finish(broker)
