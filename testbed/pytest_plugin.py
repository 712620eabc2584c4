"""Fixtures for tests of other projects: brokers and keys that live as long as the test session.

Installing the package is enough: pytest finds this plugin. ``rabbitmq_broker`` and
``activemq_broker`` start with the first test that asks for one of them. Everything is removed with
the session, even when pytest is killed. The workers of pytest-xdist share one testbed. If
``TESTBED_STATE`` names the folder of a testbed that is up, that one is used and stays.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import pytest

if TYPE_CHECKING:  # imported when a fixture is used, so that other test runs do not pay for it
    from testbed import ActiveMqBroker, Endpoint, Events, Faults, Key, RabbitMqBroker, Testbed
    from testbed.broker.model import Broker
    from testbed.library import MqBroker
    from testbed.testing.pool import BrokerPool

_TERMINAL, _BEGAN = pytest.StashKey[int](), pytest.StashKey[float]()
_LOG_LINES = 200  # of each broker, in a failing test's report
_ENGINES = {"rabbitmq_broker": "RABBITMQ", "activemq_broker": "ACTIVEMQ"}
_PER_WORKER = "testbed_per_worker"
_BROKERS = (*_ENGINES, "amazonmq_broker")
_OWN = ("vhost", "queue_prefix")
_MARK = "amazonmq(engine, *, version, deployment, storage, users, configuration, image, delay)"


@pytest.fixture(scope="session")
def testbed(_progress: None, pytestconfig: pytest.Config) -> "Iterator[Testbed]":
    """Provide the testbed of this session: its ``kms``, its ``brokers``, its ``ca_file``."""
    from testbed import Testbed
    from testbed.state.store import require_testbed

    folder = os.environ.get("TESTBED_STATE") or None
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run and not folder and not pytestconfig.getini(_PER_WORKER):
        from testbed.testing.shared import shared_testbed

        with shared_testbed(Path(tempfile.gettempdir()) / f"testbed-{run}") as testbed:
            yield testbed
        return
    if folder:  # nobody would remove what was started there
        require_testbed(folder)
    with Testbed(folder) as testbed:
        yield testbed


@pytest.fixture(scope="session")
def rabbitmq_broker(
    testbed: "Testbed", _default_broker: "Callable[[str], Broker]"
) -> "RabbitMqBroker":
    """Provide a RabbitMQ broker of one instance under a customer managed key."""
    from testbed import RabbitMqBroker

    return RabbitMqBroker.existing(testbed, _default_broker("RABBITMQ").broker_id)


@pytest.fixture(scope="session")
def activemq_broker(
    testbed: "Testbed", _default_broker: "Callable[[str], Broker]"
) -> "ActiveMqBroker":
    """Provide an ActiveMQ broker of one instance under a customer managed key."""
    from testbed import ActiveMqBroker

    return ActiveMqBroker.existing(testbed, _default_broker("ACTIVEMQ").broker_id)


@pytest.fixture
def amazonmq_broker(_pool: "BrokerPool", request: pytest.FixtureRequest) -> "MqBroker":
    """Provide the broker that the mark ``amazonmq`` describes, shared by tests that want it."""
    mark = request.node.get_closest_marker("amazonmq")
    if mark is None:
        pytest.fail(f"amazonmq_broker needs the mark {_MARK}", pytrace=False)
    return _pool.get(*mark.args, **mark.kwargs)


@pytest.fixture(scope="session")
def _pool(testbed: "Testbed") -> "Iterator[BrokerPool]":
    from testbed.testing.pool import BrokerPool

    with BrokerPool(testbed) as pool:
        yield pool


@pytest.fixture(scope="session")
def aws_endpoint(testbed: "Testbed") -> "Iterator[Endpoint]":
    """Provide the endpoint for AWS tools: ``boto3.client("kms", **aws_endpoint.client())``."""
    from testbed import serve

    with serve(testbed) as endpoint:
        yield endpoint


@pytest.fixture
def kms_key(testbed: "Testbed") -> "Iterator[Key]":
    """Provide a new customer managed key, and schedule its deletion after the test."""
    from testbed import Key
    from testbed.errors import KmsError

    key = Key(testbed, testbed.new_key("For one test"))
    yield key
    with suppress(KmsError):  # the test did it, or its key is gone
        key.schedule_deletion()


@pytest.fixture
def faults(testbed: "Testbed") -> "Iterator[Faults]":
    """Provide faults to inject (``faults.pause(rabbitmq_broker)``), and undo them after the test.

    A fault in a ``with`` statement is undone at the end of the block.
    """
    from testbed import Faults

    with Faults(testbed) as faults:
        yield faults


@pytest.fixture
def trail(testbed: "Testbed") -> "Events":
    """Provide CloudTrail's events of this test: ``trail.names() == ["DisableKey"]``."""
    from testbed import Events

    return Events(testbed)


@pytest.fixture
def vhost(rabbitmq_broker: "RabbitMqBroker", request: pytest.FixtureRequest) -> Iterator[str]:
    """Provide the name of a virtual host for this test alone; it is removed with its queues."""
    from testbed.testing.isolation import virtual_host

    with virtual_host(rabbitmq_broker, request.node.name) as name:
        yield name


@pytest.fixture
def queue_prefix(
    activemq_broker: "ActiveMqBroker", request: pytest.FixtureRequest
) -> Iterator[str]:
    """Provide a prefix for this test's queues and topics, which are removed after the test."""
    from testbed.testing.isolation import queue_prefix

    with queue_prefix(activemq_broker, request.node.name) as prefix:
        yield prefix


@pytest.fixture(autouse=True)
def _usable_keys(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put back the key of each broker that a test uses, whatever the test did."""
    used = [name for name in _BROKERS if name in request.fixturenames]
    if not used:  # most tests of most projects
        yield
        return
    brokers = [request.getfixturevalue(name) for name in used]
    if not any(map(_is_ours, brokers)):
        yield
        return
    from testbed.testing.isolation import usable_keys

    for name in _OWN:  # removed after the keys are back: a broker that is down removes nothing
        if name in request.fixturenames:
            request.getfixturevalue(name)
    with usable_keys(list(filter(_is_ours, brokers))):
        yield


@pytest.fixture(scope="session")
def _default_broker(
    testbed: "Testbed", request: pytest.FixtureRequest
) -> "Callable[[str], Broker]":
    """Start the brokers that the session's tests use, side by side."""
    from testbed.runtime.tasks import Task

    used = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    starts = {
        engine: Task(partial(testbed.default_broker, engine))
        for fixture, engine in _ENGINES.items()
        if fixture in used
    }

    def broker(engine: str) -> "Broker":
        return starts[engine].result() if engine in starts else testbed.default_broker(engine)

    return broker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting for workers of pytest-xdist."""
    text = "each worker of pytest-xdist has a testbed to itself, instead of one for all"
    parser.addini(_PER_WORKER, text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the terminal: while tests run, pytest captures what is written to the usual places."""
    config.stash[_TERMINAL] = os.dup(2)
    config.addinivalue_line("markers", f"{_MARK}: the broker of the fixture amazonmq_broker")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what ``pytest_configure`` has opened, unless another plugin's failed before it."""
    if _TERMINAL in config.stash:
        os.close(config.stash[_TERMINAL])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failing test's report what its brokers logged meanwhile."""
    report = yield
    if call.when == "setup":
        item.stash[_BEGAN] = call.start
    if report.failed:
        brokers = {name: getattr(item, "funcargs", {}).get(name) for name in _BROKERS}
        report.sections += [
            (f"log of {name}", _log_since(broker, item.stash.get(_BEGAN, call.start)))
            for name, broker in brokers.items()
            if _is_ours(broker)
        ]
    return report


def _is_ours(broker: object) -> "TypeGuard[MqBroker]":
    """Return whether it is this plugin's: a project may have fixtures of the same names."""
    library = sys.modules.get("testbed.library")  # not imported: then none of ours is there
    return library is not None and isinstance(broker, library.MqBroker)


def _log_since(broker: "MqBroker", began: float) -> str:
    from testbed.errors import TestbedError

    try:
        lines = broker.log(began).splitlines()
    except TestbedError as error:
        return str(error)
    left_out = [f"({len(lines) - _LOG_LINES} lines before these)"] if lines[_LOG_LINES:] else []
    return "\n".join((*left_out, *lines[-_LOG_LINES:]))


class _ProgressHandler(logging.Handler):
    """Show progress on the terminal at once: a first run builds images for a minute or two."""

    def __init__(self, terminal: int) -> None:
        super().__init__(logging.INFO)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody reads it any more, as behind `| head`: the work goes on
            os.write(self._terminal, f"testbed: {record.getMessage()}\n".encode())


@pytest.fixture(scope="session")
def _progress(pytestconfig: pytest.Config) -> Iterator[None]:
    """Show the testbed's log while a testbed is in use, except with ``-q``."""
    if pytestconfig.get_verbosity() < 0:
        yield
        return
    logger, handler = logging.getLogger("testbed"), _ProgressHandler(pytestconfig.stash[_TERMINAL])
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)
