"""What becomes of a message over AMQP 1.0 whose link the broker closes."""

from types import SimpleNamespace
from typing import Any

import pytest
from proton.utils import LinkDetached

from testbed.clients.amqp10 import Amqp10Client
from testbed.clients.base import Destination
from testbed.errors import ClientError, NotAuthorized, NotConfirmed

QUEUE = Destination.queue("orders")


def _detached(condition: str) -> LinkDetached:
    target = SimpleNamespace(address="orders")
    reason = SimpleNamespace(name=condition, description="")
    link: Any = SimpleNamespace(
        is_sender=True, is_receiver=False, name="a", target=target, remote_condition=reason
    )
    return LinkDetached(link)


def _outcome(error: Exception, *, on_its_way: bool) -> type[BaseException]:
    def fail(*_: object, **__: object) -> None:
        raise error

    client: Any = Amqp10Client.__new__(Amqp10Client)
    client._closed = False
    client._senders = {QUEUE: SimpleNamespace(send=fail)} if on_its_way else {}
    client._connection, client._rabbitmq = SimpleNamespace(create_sender=fail), False
    with pytest.raises(ClientError) as raised:
        client.publish(QUEUE, b"one")
    return raised.type


@pytest.mark.parametrize(
    ("condition", "on_its_way", "outcome"),
    [
        ("amqp:resource-deleted", True, NotConfirmed),
        ("amqp:link:message-size-exceeded", True, ClientError),
        ("amqp:unauthorized-access", True, NotAuthorized),
        ("amqp:not-found", False, ClientError),
    ],
)
def test_a_message_on_its_way_is_refused_only_if_the_broker_says_so(
    condition: str, on_its_way: bool, outcome: type[ClientError]
) -> None:
    assert _outcome(_detached(condition), on_its_way=on_its_way) is outcome
