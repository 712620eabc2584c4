"""Nodes that several test files ask and leave as they are: started once for all of them."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import activemq_node, rabbitmq_node
from tests.support.kms_authority import container
from tests.support.kms_container import Container
from tests.support.tls_servers import Pki, make_pki

pytest_plugins = [
    "tests.support.durations",
    "tests.support.nightly",
    "tests.support.workers",
]

# No deadline for an example: on a busy machine one takes a second now and then.
settings.register_profile("testbed", deadline=None)
settings.load_profile("testbed")

# A background job of a script ignores Ctrl-C, its children too, and some tests send it to theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def standing_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq_node.Node]:
    with rabbitmq_node.rabbitmq(tmp_path_factory.mktemp("rabbitmq"), rabbitmq_node.spec()) as node:
        yield node


@pytest.fixture(scope="session")
def standing_activemq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[activemq_node.Node]:
    with activemq_node.activemq(tmp_path_factory.mktemp("activemq"), activemq_node.spec()) as node:
        yield node


@pytest.fixture(scope="session")
def running() -> Container:
    """The session's LocalStack. Whoever stops or restarts one starts another."""
    return container()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Files of a broker's certificate and its authority, for listeners of the tests' own."""
    return make_pki(tmp_path_factory.mktemp("pki"))
