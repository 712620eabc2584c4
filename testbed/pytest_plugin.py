"""Fixtures for tests of other projects: brokers and keys of a testbed that lives as long as the test session.

Installing the package is enough: pytest finds this plugin. ``rabbitmq_broker`` and ``activemq_broker`` start with the
first test that asks for one of them; everything is gone with the session, even when pytest is killed. With
``TESTBED_STATE`` set to the folder of a testbed that is up, that one is used and stays.
"""

import logging
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # imported when a fixture is used: other test runs are not to pay for it
    from testbed.aws.endpoint import Endpoint
    from testbed.clients.base import Address
    from testbed.testbed import Testbed

_Standing = Callable[[str], str]  # of an engine's type, its broker's id
_TERMINAL = pytest.StashKey[int]()


@dataclass(frozen=True)
class BrokerFixture:
    """A running broker, as a client needs to know it. ``protocol`` is one of ``testbed.clients.PROTOCOLS``, or ``console`` or ``management``."""

    testbed: "Testbed"
    broker_id: str

    @property
    def host(self) -> str:
        return self._broker.endpoints[0].host

    @property
    def username(self) -> str:
        return self._broker.users[0].username

    @property
    def password(self) -> str:
        return self._broker.users[0].password

    @property
    def ca_file(self) -> Path:
        """The one file to trust."""
        return self.testbed.ca_file

    @property
    def key_arn(self) -> str:
        """The KMS key that encrypts it."""
        return self._broker.key_arn

    def port(self, protocol: str) -> int:
        return self._broker.endpoint(protocol).port

    def url(self, protocol: str) -> str:
        """With Amazon MQ's scheme, e.g. ``amqps://localhost:40123``, and without credentials."""
        return self._broker.endpoint(protocol).url

    def ssl_context(self) -> ssl.SSLContext:
        """Verifies chain and host name."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def address(self, protocol: str) -> "Address":
        """For ``testbed.clients.connect``."""
        return self.testbed.brokers.address(self._broker, protocol)

    def describe(self) -> dict[str, Any]:
        """DescribeBroker."""
        from testbed.broker.describe import describe

        return describe(self.testbed.brokers.describe(self.broker_id))

    def reboot(self) -> None:
        """RebootBroker. Raises ``BadRequestException`` while the key is invalid."""
        self.testbed.brokers.reboot(self.broker_id)

    @property
    def _broker(self):  # type: ignore[no-untyped-def]
        return self.testbed.brokers.peek(self.broker_id)


@dataclass(frozen=True)
class KeyFixture:
    """A customer managed key."""

    testbed: "Testbed"
    arn: str

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """A KMS operation on it as its owner, e.g. ``call("DisableKey")``. Raises ``KmsError``."""
        from testbed.kms.base import USER

        return self.testbed.kms.call(USER, operation, {"KeyId": self.arn, **parameters})

    def disable(self) -> None:
        self.call("DisableKey")

    def enable(self) -> None:
        self.call("EnableKey")


@pytest.fixture(scope="session")
def testbed(_progress: None) -> "Iterator[Testbed]":
    """The testbed of this session: its ``kms``, its ``brokers``, its ``ca_file``."""
    from testbed.testbed import Testbed, temporary

    folder = os.environ.get("TESTBED_STATE")
    if folder:
        standing = Testbed.open(folder)
        yield standing
        standing.close()
        return
    with temporary() as own:
        yield own


@pytest.fixture(scope="session")
def rabbitmq_broker(testbed: "Testbed", _standing: "_Standing") -> BrokerFixture:
    """A RabbitMQ broker of one instance under a customer managed key."""
    return BrokerFixture(testbed, _standing("RABBITMQ"))


@pytest.fixture(scope="session")
def activemq_broker(testbed: "Testbed", _standing: "_Standing") -> BrokerFixture:
    """An ActiveMQ broker of one instance under a customer managed key."""
    return BrokerFixture(testbed, _standing("ACTIVEMQ"))


@pytest.fixture(scope="session")
def aws_endpoint(testbed: "Testbed") -> "Iterator[Endpoint]":
    """Where AWS tools find KMS, Amazon MQ, CloudTrail and STS: ``boto3.client("kms", **aws_endpoint.client())``."""
    from testbed.aws.endpoint import serve

    with serve(testbed) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _standing(testbed: "Testbed", request: pytest.FixtureRequest) -> "_Standing":
    """Starts the brokers that tests of the session ask for side by side, when the first of them does."""
    from testbed.runtime.tasks import Task

    asked_for = {
        name for item in request.session.items for name in getattr(item, "fixturenames", ())
    }
    engines = {"rabbitmq_broker": "RABBITMQ", "activemq_broker": "ACTIVEMQ"}
    starting = {
        engine: Task(partial(testbed.default_broker, engine))
        for name, engine in engines.items()
        if name in asked_for
    }
    return lambda engine: (
        (
            starting[engine].result() if engine in starting else testbed.default_broker(engine)
        ).broker_id
    )


@pytest.fixture
def kms_key(testbed: "Testbed") -> Iterator[KeyFixture]:
    """A new customer managed key, scheduled for deletion after the test."""
    from testbed.errors import KmsError
    from testbed.kms.base import USER

    arn = testbed.kms.call(USER, "CreateKey", {"Description": "of a test"})["KeyMetadata"]["Arn"]
    yield KeyFixture(testbed, arn)
    try:
        testbed.kms.call(USER, "ScheduleKeyDeletion", {"KeyId": arn, "PendingWindowInDays": 7})
    except KmsError:  # the test did it, or its key is gone
        pass


def pytest_configure(config: pytest.Config) -> None:
    """Keep the terminal: while tests run, pytest captures what is written to the usual places."""
    config.stash[_TERMINAL] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
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
