"""Fixtures for the tests of other projects: brokers and keys for as long as the test session lasts.

Installing the package is enough: pytest finds this plugin. ``rabbitmq_broker`` and
``activemq_broker`` start with the first test that uses one of them, and everything is removed after
the session, even when pytest is killed. If ``TESTBED_STATE`` names the folder of a testbed that is
up, that one is used and stays.
"""

import logging
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # otherwise imported with the first fixture, so that other test runs start fast
    from testbed.aws.endpoint import Endpoint
    from testbed.broker.model import Broker
    from testbed.clients.base import Address
    from testbed.testbed import Testbed

_BrokerStarter = Callable[[str], str]  # of an engine type, returns the broker's id
_TERMINAL = pytest.StashKey[int]()


@dataclass(frozen=True)
class BrokerFixture:
    """A running broker, as a client needs to know it.

    ``protocol`` is one of ``testbed.clients.PROTOCOLS``, or ``console`` or ``management``. Looking
    at a broker leaves nothing in the trail, except with ``describe``.
    """

    testbed: "Testbed"
    broker_id: str

    @property
    def host(self) -> str:
        """The host name of all endpoints."""
        return self._broker.endpoints[0].host

    @property
    def username(self) -> str:
        """The user to log in as."""
        return self._broker.users[0].username

    @property
    def password(self) -> str:
        """The user's password."""
        return self._broker.users[0].password

    @property
    def ca_file(self) -> Path:
        """The one file to trust."""
        return self.testbed.ca_file

    @property
    def key_arn(self) -> str:
        """The KMS key that encrypts the broker."""
        return self._broker.key_arn

    def port(self, protocol: str) -> int:
        """Return the port of a protocol. Raises ``KeyError`` if the broker does not speak it."""
        return self._broker.endpoint(protocol).port

    def url(self, protocol: str) -> str:
        """Return Amazon MQ's form, such as ``amqps://localhost:40123``, without credentials."""
        return self._broker.endpoint(protocol).url

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that verifies certificate chain and host name."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def address(self, protocol: str) -> "Address":
        """Return the argument of ``testbed.clients.connect``."""
        return self.testbed.brokers.address(self._broker, protocol)

    def describe(self) -> dict[str, Any]:
        """Call DescribeBroker."""
        from testbed.broker.describe import describe

        return describe(self.testbed.brokers.describe(self.broker_id))

    def reboot(self) -> None:
        """Call RebootBroker. Raises ``BadRequestException`` while the key is invalid."""
        self.testbed.brokers.reboot(self.broker_id)

    @property
    def _broker(self) -> "Broker":
        return self.testbed.brokers.peek(self.broker_id)


@dataclass(frozen=True)
class KeyFixture:
    """A customer managed key."""

    testbed: "Testbed"
    arn: str

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation on the key as its owner, such as ``call("DisableKey")``.

        Raises ``KmsError``.
        """
        from testbed.kms.base import USER

        return self.testbed.kms.call(USER, operation, {"KeyId": self.arn, **parameters})

    def disable(self) -> None:
        """Call DisableKey."""
        self.call("DisableKey")

    def enable(self) -> None:
        """Call EnableKey."""
        self.call("EnableKey")


@pytest.fixture(scope="session")
def testbed(_progress: None) -> "Iterator[Testbed]":
    """Provide the session's testbed: ``kms``, ``brokers``, ``ca_file``."""
    from testbed.testbed import Testbed, temporary

    folder = os.environ.get("TESTBED_STATE")
    if folder:
        existing = Testbed.open(folder)
        yield existing
        existing.close()
        return
    with temporary() as own:
        yield own


@pytest.fixture(scope="session")
def rabbitmq_broker(testbed: "Testbed", _broker_starter: _BrokerStarter) -> BrokerFixture:
    """Provide a RabbitMQ broker of one instance under a customer managed key."""
    return BrokerFixture(testbed, _broker_starter("RABBITMQ"))


@pytest.fixture(scope="session")
def activemq_broker(testbed: "Testbed", _broker_starter: _BrokerStarter) -> BrokerFixture:
    """Provide an ActiveMQ broker of one instance under a customer managed key."""
    return BrokerFixture(testbed, _broker_starter("ACTIVEMQ"))


@pytest.fixture(scope="session")
def aws_endpoint(testbed: "Testbed") -> "Iterator[Endpoint]":
    """Provide the endpoint of KMS, Amazon MQ, CloudTrail and STS.

    Use it as ``boto3.client("kms", **aws_endpoint.client())``.
    """
    from testbed.aws.endpoint import serve

    with serve(testbed) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _broker_starter(testbed: "Testbed", request: pytest.FixtureRequest) -> _BrokerStarter:
    """Start all brokers that tests of the session use, concurrently."""
    from testbed.runtime.tasks import Task

    used = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    engines = {"rabbitmq_broker": "RABBITMQ", "activemq_broker": "ACTIVEMQ"}
    tasks = {
        engine_type: Task(partial(testbed.default_broker, engine_type))
        for name, engine_type in engines.items()
        if name in used
    }

    def broker_id(engine_type: str) -> str:
        task = tasks.get(engine_type)  # none, if the fixture is asked for by name at run time
        broker = task.result() if task else testbed.default_broker(engine_type)
        return broker.broker_id

    return broker_id


@pytest.fixture
def kms_key(testbed: "Testbed") -> Iterator[KeyFixture]:
    """Provide a new customer managed key, and schedule its deletion after the test."""
    from testbed.errors import KmsError

    key = KeyFixture(testbed, testbed.new_key("of a test"))
    yield key
    with suppress(KmsError):  # the test did it, or removed the key
        key.call("ScheduleKeyDeletion", PendingWindowInDays=7)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the terminal: while tests run, pytest captures what is written to the usual places."""
    config.stash[_TERMINAL] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what ``pytest_configure`` has opened."""
    os.close(config.stash[_TERMINAL])


class _ProgressHandler(logging.Handler):
    """Show progress on the terminal at once: a first run builds images for a minute or two."""

    def __init__(self, terminal: int) -> None:
        super().__init__(logging.INFO)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        os.write(self._terminal, f"testbed: {record.getMessage()}\n".encode())


@pytest.fixture(scope="session")
def _progress(pytestconfig: pytest.Config) -> Iterator[None]:
    """Show the testbed's log while a testbed is in use."""
    logger, handler = logging.getLogger("testbed"), _ProgressHandler(pytestconfig.stash[_TERMINAL])
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)
