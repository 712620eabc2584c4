"""Brokers as users of the library handle them.

A broker is used as testcontainers' containers are: ``with RabbitMqBroker() as broker:`` starts it
and leaves nothing behind. The pytest plugin's fixtures are objects of the same classes.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from testbed.arn import Arn
from testbed.broker.configurations import Configurations
from testbed.broker.describe import describe
from testbed.broker.model import Broker, Endpoint
from testbed.broker.requests import CreateBroker
from testbed.clients.base import Address
from testbed.engines.base import User
from testbed.errors import KmsError, NotFoundException, TestbedError
from testbed.key import Key
from testbed.kms.base import Caller
from testbed.testbed import RequestOptions, Testbed

logger = logging.getLogger(__name__)

_POLL = 0.2  # seconds between two looks at a broker's state


class MqBroker:
    """A real broker under Amazon MQ's control plane: a ``RabbitMqBroker`` or ``ActiveMqBroker``.

    ``protocol`` is always one of ``testbed.clients.PROTOCOLS``, or ``console`` or ``management``;
    methods that take one raise ``KeyError`` when the broker has no endpoint for it.
    """

    engine_type: ClassVar[str]

    def __init__(
        self,
        *,
        version: str = "",
        deployment: str = "SINGLE_INSTANCE",
        storage: str = "",
        users: Mapping[str, str] | None = None,
        configuration: str = "",
        key: Key | None = None,
        image: str = "",
        testbed: Testbed | None = None,
        delay: float | None = None,
        region: str = "",
    ) -> None:
        """Describe the broker that ``start``, or a ``with`` block, creates.

        ``version`` and ``deployment`` are CreateBroker's, such as ``"4.2"`` and
        ``"CLUSTER_MULTI_AZ"``; ``storage`` is EBS or EFS, by default the deployment's usual one.
        ``users`` has passwords by user names, of which the first is ``username``; by default there
        is one. ``configuration`` is the text of a configuration. ``key`` encrypts the broker; by
        default it gets a customer managed key. ``image`` is an image of your own. ``testbed`` is
        where the broker runs; by default it gets a testbed, in which a change of a key takes effect
        after ``delay`` seconds. ``region`` is the broker's: by default that of the key, or else of
        the testbed.
        """
        if delay is not None and testbed:
            raise TestbedError(
                "A broker cannot change the delay of a testbed that it shares.",
                hint="Leave out delay here; Testbed takes it.",
            )
        if key and key.testbed is not testbed:
            raise TestbedError(
                f"The key {key.arn} belongs to another testbed.", hint="Add testbed=key.testbed."
            )
        self._version, self._deployment, self._image = version, deployment, image
        self._storage, self._users, self._configuration = storage, users or {}, configuration
        self._key, self._delay, self._shared = key, delay, testbed
        self._region = region or (Arn.parse(key.arn).region if key else "")
        self._testbed, self._broker_id = testbed, ""
        self._is_started = self._was_there = False
        self._clean_up = ExitStack()

    @classmethod
    def existing(cls, testbed: Testbed, broker_id: str) -> Self:
        """Return the broker of that id or name in ``testbed``, which ``stop`` leaves running.

        Of brokers of that name in several Regions, the one in the testbed's Region comes first.

        Raises ``NotFoundException``.
        """
        broker = cls(testbed=testbed)
        broker._broker_id = testbed.brokers.peek(broker_id).broker_id
        broker._is_started = broker._was_there = True
        return broker

    def start(self) -> Self:
        """Create the broker and wait until every listener answers a login.

        One that was started already, or was there, stays as it is. Raises ``EngineUnavailable``, or
        what ``Brokers.create`` raises; leaves nothing behind then.
        """
        if self._is_started:
            return self
        with ExitStack() as undo:
            testbed = self._shared or undo.enter_context(
                Testbed(delay=self._delay, region=self._region)
            )
            key = self._key
            if key is None:
                description = "Encrypts a broker of the library's"
                key = Key(testbed, testbed.new_key(description, region=self._region))
                if self._shared:
                    undo.callback(_discard, key)
            caller = testbed.user_in(self._region)
            request = self._request(testbed, key.arn, caller)
            if request.configuration and self._shared:
                configurations = Configurations(testbed.state, testbed.clock)
                undo.callback(_delete, configurations, caller, request.configuration.id)
            broker = testbed.brokers.create(request, caller)
            if self._shared:  # otherwise it goes with its testbed
                undo.callback(testbed.brokers.delete, broker.broker_id, caller)
            self._testbed, self._broker_id = testbed, broker.broker_id
            self._clean_up = undo.pop_all()
            self._is_started = True
        return self

    def _request(self, testbed: Testbed, key_arn: str, caller: Caller) -> CreateBroker:
        usual = "EFS" if self._deployment == "ACTIVE_STANDBY_MULTI_AZ" else "EBS"
        options = RequestOptions(
            engine_version=self._version,
            deployment_mode=self._deployment,
            storage_type=self._storage or usual,
            image=self._image,
        )
        if self._users:
            options["users"] = tuple(User(name, word) for name, word in self._users.items())
        request = testbed.request(self.engine_type, "library", key_arn, **options)
        if not self._configuration:
            return request
        configurations = Configurations(testbed.state, testbed.clock)
        created = configurations.create(
            caller, request.broker_name, self.engine_type, request.version, {}
        )
        try:
            created, warnings = configurations.update(caller, created.id, self._configuration, "")
        except TestbedError:
            _delete(configurations, caller, created.id)
            raise
        for warning in warnings:
            logger.warning("the configuration: %s", warning)
        chosen = configurations.choose(caller, created.id, None, self.engine_type)
        return replace(request, configuration=chosen)

    def stop(self) -> None:
        """Delete what ``start`` created."""
        self._clean_up.close()
        self._is_started = self._was_there

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def testbed(self) -> Testbed:
        """The testbed in which it runs."""
        if self._testbed is None:
            raise TestbedError("The broker was not started.", hint="Use it in a with block.")
        return self._testbed

    @property
    def broker_id(self) -> str:
        """Its id, as CreateBroker returned it."""
        return self._broker.broker_id

    @property
    def region(self) -> str:
        """The Region that it is in."""
        return self._broker.region

    @property
    def host(self) -> str:
        """The name that its certificate carries for clients on this machine."""
        return self._broker.endpoints[0].host

    @property
    def username(self) -> str:
        """The user that was created with the broker."""
        return self._broker.users[0].username

    @property
    def password(self) -> str:
        """The password of ``username``."""
        return self._broker.users[0].password

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.testbed.ca_file

    @property
    def key(self) -> Key:
        """The KMS key that encrypts the broker."""
        return Key(self.testbed, self._broker.key_arn)

    @property
    def key_arn(self) -> str:
        """The ARN of ``key``."""
        return self._broker.key_arn

    @property
    def state(self) -> str:
        """``BrokerState``, after a check of the key."""
        return self.testbed.upkeep.check(self._broker_id).broker_state

    def port(self, protocol: str) -> int:
        """Return the port on this machine."""
        return self._endpoint(protocol).port

    def url(self, protocol: str) -> str:
        """Return Amazon MQ's URL without credentials, such as ``amqps://localhost:40123``."""
        return self._endpoint(protocol).url

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts ``ca_file`` and verifies chain and host name."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def address(self, protocol: str) -> Address:
        """Return what ``testbed.connect`` takes."""
        return self.testbed.brokers.address(self._broker, protocol)

    def describe(self) -> dict[str, Any]:
        """Return the answer of DescribeBroker."""
        return describe(self.testbed.brokers.describe(self.broker_id, self._broker.owner))

    def reboot(self) -> None:
        """RebootBroker, and wait. Raises ``BadRequestException`` while the key is invalid."""
        self.testbed.brokers.reboot(self.broker_id, self._broker.owner)

    def wait_for(self, state: str, timeout: float = 60.0) -> None:
        """Wait until the broker is in ``state``. Raises ``TestbedError`` after ``timeout`` s."""
        end = time.monotonic() + timeout
        while (current := self.state) != state:
            if time.monotonic() > end:
                raise TestbedError(
                    f"The broker is {current}, and not {state} after {timeout:g} seconds.",
                    hint=f"The testbed's delay is {self.testbed.delay:g} seconds.",
                )
            time.sleep(_POLL)

    def log(self, since: float = 0.0) -> str:
        """Return what its nodes have logged since they started.

        With ``since``, in seconds since 1970, only what is newer. Of a node that did not come back,
        the end of what it logged last.
        """
        containers, broker = self.testbed.containers, self._broker
        logs = [
            self.testbed.brokers.kept_log(broker.broker_id, node.name)
            if containers.state(node.container_id).status == "missing"
            else b"".join(containers.logs(node.container_id, since=since)).decode(errors="replace")
            for node in broker.nodes
        ]
        return "".join(logs)

    @property
    def _broker(self) -> Broker:
        return self.testbed.brokers.peek(self._broker_id)

    def _endpoint(self, protocol: str) -> Endpoint:
        return self._broker.endpoint(protocol)


class RabbitMqBroker(MqBroker):
    """A RabbitMQ broker; ``deployment`` is ``SINGLE_INSTANCE`` or ``CLUSTER_MULTI_AZ``."""

    engine_type = "RABBITMQ"


class ActiveMqBroker(MqBroker):
    """An ActiveMQ broker; ``deployment`` is ``SINGLE_INSTANCE`` or ``ACTIVE_STANDBY_MULTI_AZ``."""

    engine_type = "ACTIVEMQ"


def _delete(configurations: Configurations, caller: Caller, configuration_id: str) -> None:
    with suppress(NotFoundException):  # the user did it
        configurations.delete(caller, configuration_id, ())


def _discard(key: Key) -> None:
    with suppress(KmsError):  # it is pending deletion already, or KMS is gone
        key.schedule_deletion()
