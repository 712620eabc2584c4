"""Who asks a broker for what is in it; the console is a stand-in that answers everybody."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed import inventory
from testbed.clients.base import Address
from testbed.engines.base import User
from tests.support.brokers_offline import add, offline, request

WITHOUT = User("admin", "correct-horse-1", console_access=False)
WITH = User("watcher", "correct-horse-2")


@pytest.mark.parametrize(
    ("engine_type", "users", "asked"),
    [
        ("ACTIVEMQ", (WITHOUT, WITH), ["watcher"]),
        ("ACTIVEMQ", (WITHOUT,), []),
        ("RABBITMQ", (WITHOUT,), ["admin"]),
    ],
)
def test_a_user_with_access_to_the_console_asks(
    engine_type: str,
    users: tuple[User, ...],
    asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = []

    class Console:
        def __init__(self, address: Address) -> None:
            names.append(address.username)

        def get(self, _: str) -> list[Any]:
            return []

        def jolokia(self, **_: object) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(inventory, "Console", Console)
    with offline(tmp_path / "state") as testbed:
        broker = add(testbed, replace(request(engine_type), users=users))
        taken = inventory.take(testbed)
    assert names == asked
    unread = [] if asked else ["no user has access to its console"]
    assert [line.partition("): ")[2] for line in taken.unread] == unread
    assert broker.broker_id in "".join(taken.unread) or asked
