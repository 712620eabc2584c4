"""Fixtures that several test files share: nodes that no test changes, LocalStack, and a PKI."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import activemq_node as activemq_nodes
from tests.support import rabbitmq_node as rabbitmq_nodes
from tests.support.kms_authority import container
from tests.support.kms_container import Container
from tests.support.tls_servers import Pki, make_pki

if TYPE_CHECKING:
    from tests.support.bench_brokers import Broker

pytest_plugins = [
    "tests.support.durations",
    "tests.support.nightly",
    "tests.support.workers",
]

# No deadline per example: on a busy machine one occasionally takes a second.
settings.register_profile("testbed", deadline=None)
settings.load_profile("testbed")

# The tests' testbeds are in us-east-1, whatever the machine's own AWS settings are.
for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
    os.environ.pop(name, None)
os.environ["AWS_CONFIG_FILE"] = os.devnull

# A script's background job and its children ignore SIGINT, which some tests send to theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So do the children of nohup with SIGHUP. A handler is not passed on to them.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the run ended, of which make says only that it failed; see .ci/run."""
    cache = getattr(session.config, "cache", None)  # its plugin may be off
    if not hasattr(session.config, "workerinput") and cache:
        cache.set("testbed/exitstatus", int(exitstatus))


@pytest.fixture(scope="session")
def rabbitmq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq_nodes.Node]:
    folder = tmp_path_factory.mktemp("rabbitmq")
    with rabbitmq_nodes.rabbitmq(folder, rabbitmq_nodes.spec()) as node:
        yield node


@pytest.fixture(scope="session")
def activemq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[activemq_nodes.Node]:
    folder = tmp_path_factory.mktemp("activemq")
    with activemq_nodes.activemq(folder, activemq_nodes.spec()) as node:
        yield node


@pytest.fixture(scope="session")
def running() -> Container:
    """Return the session's LocalStack. A test that stops or restarts LocalStack starts its own."""
    return container()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Write the certificate of a broker and of its authority, for listeners in the tests."""
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[dict[str, Broker]]":
    """Start a control broker of each engine for the benchmark's tests."""
    from tests.support.bench_brokers import activemq, rabbitmq  # the benchmark, for these alone

    starts = {"rabbitmq": rabbitmq, "activemq": activemq}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(start(tmp_path_factory.mktemp(name)))
            for name, start in starts.items()
        }
