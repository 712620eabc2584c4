"""What each test of a session wants for itself of what they share: names, and a usable key.

Each function is a context manager for the length of a test. What a test leaves is removed as an
administrator would do it, by the broker's own management interface.
"""

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import quote

from testbed.clients.console import Console
from testbed.errors import ClientError, KmsError
from testbed.library import ActiveMqBroker, MqBroker, RabbitMqBroker

logger = logging.getLogger(__name__)

_BROKER = "org.apache.activemq:type=Broker,brokerName=*"
_DESTINATIONS = f"{_BROKER},destinationType=%s,destinationName=*"


@contextmanager
def virtual_host(broker: RabbitMqBroker, name: str = "test") -> Iterator[str]:
    """Yield the name of a new virtual host in which the broker's user may do everything.

    It is removed afterwards with its queues, and connections to it are closed. Raises
    ``ClientError``.
    """
    console = Console(broker.address("management"))
    host = unique(name)
    path = f"/api/vhosts/{quote(host, safe='')}"
    user = quote(broker.username, safe="")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with console.temporary({path: {}}):
        console.request("PUT", f"/api/permissions/{quote(host, safe='')}/{user}", everything)
        yield host


@contextmanager
def queue_prefix(broker: ActiveMqBroker, name: str = "test") -> Iterator[str]:
    """Yield a prefix that no other name has; queues and topics with it are removed afterwards.

    Raises ``ClientError``.
    """
    prefix = f"{unique(name)}."
    try:
        yield prefix
    finally:
        _remove(Console(broker.address("console")), prefix)


@contextmanager
def usable_keys(brokers: Sequence[MqBroker]) -> Iterator[None]:
    """Put the brokers' keys back that were enabled before and are not afterwards.

    Then the nodes that stopped meanwhile are started again. A key that is gone, or whose key
    material is, cannot be put back: raises what KMS says.
    """
    with ExitStack() as stack:  # one that raises keeps none of the others
        for broker in brokers:
            if _state(broker) == "Enabled":
                stack.callback(_put_back, broker)
        yield


def unique(name: str) -> str:
    """Return a name that begins with ``name`` and that nothing else has."""
    return f"{re.sub('[^A-Za-z0-9_-]+', '-', name)[:60]}-{secrets.token_hex(4)}"


def _remove(console: Console, prefix: str) -> None:
    for kind in ("Queue", "Topic"):
        found = console.jolokia(type="read", mbean=_DESTINATIONS % kind, attribute="Name") or {}
        for mbean, attributes in found.items():
            name = attributes["Name"]
            if prefix not in name:  # advisory topics have it in the middle
                continue
            [broker] = re.findall("brokerName=[^,]+", mbean)
            try:
                console.jolokia(
                    type="exec",
                    mbean=f"org.apache.activemq:type=Broker,{broker}",
                    operation=f"remove{kind}(java.lang.String)",
                    arguments=[name],
                )
            except ClientError as error:  # a client still has it open
                logger.warning("%s %s stays: %s", kind, name, error)


def _state(broker: MqBroker) -> str:
    """Return the state of the broker's key, empty if it is AWS's or gone."""
    with suppress(KmsError):
        return broker.key.state if broker.key_arn else ""
    return ""


def _put_back(broker: MqBroker) -> None:
    key = broker.key
    state = key.state
    if state == "Enabled":
        return
    if state == "PendingDeletion":
        key.cancel_deletion()
    key.enable()
    brokers = broker.testbed.brokers
    brokers.upkeep.check(broker.broker_id)
    brokers.upkeep.revive(broker.broker_id)
