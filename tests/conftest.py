"""Nodes that several test files ask and leave as they are: started once for all of them."""

import signal
from collections.abc import Iterator

import activemq_node
import pytest
import rabbitmq_node

# A job in the background of a script has Ctrl-C ignored and hands that down, and some tests send it to what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def standing_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq_node.Node]:
    with rabbitmq_node.rabbitmq(tmp_path_factory.mktemp("rabbitmq"), rabbitmq_node.spec()) as node:
        yield node


@pytest.fixture(scope="session")
def standing_activemq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[activemq_node.Node]:
    with activemq_node.activemq(tmp_path_factory.mktemp("activemq"), activemq_node.spec()) as node:
        yield node
