"""ListUsers, DescribeUser, CreateUser, UpdateUser and DeleteUser: ActiveMQ's users, whose changes wait for a reboot (API)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testbed.aws.mq import refusals
from testbed.aws.mq.creation import user
from testbed.aws.mq.describing import change_of, users
from testbed.aws.mq.paging import page
from testbed.aws.mq.room import Asked, Room, broker
from testbed.broker.model import Broker
from testbed.broker.names import check_users
from testbed.engines.base import User
from testbed.errors import ConflictException

Users = dict[str, User]


def list_users(room: Room, asked: Asked) -> dict[str, Any]:
    """RabbitMQ's are not in it (API)."""
    found = broker(room, asked)
    rows, token = page(
        [] if found.engine_type == "RABBITMQ" else list(users(found)),
        asked.parameters,
        f"users of {found.broker_id}",
    )
    return {
        "BrokerId": found.broker_id,
        "MaxResults": asked.parameters.get("MaxResults", 100),
        "NextToken": token,
        "Users": rows,
    }


def describe(room: Room, asked: Asked) -> dict[str, Any]:
    found = _activemq(room, asked)
    username = asked.parameters["Username"]
    current, coming = _current(found).get(username), _coming(found).get(username)
    if current is None and coming is None:
        raise refusals.no_such_user(username)
    shown, change = current or coming, change_of(current, coming)
    assert shown is not None
    pending = coming or shown
    return {
        "BrokerId": found.broker_id,
        "Username": username,
        "ConsoleAccess": shown.console_access,
        "Groups": list(shown.groups),
        "ReplicationUser": False,
        "Pending": {
            "ConsoleAccess": pending.console_access,
            "Groups": list(pending.groups),
            "PendingChange": change,
        }
        if change
        else None,
    }


def create(room: Room, asked: Asked) -> dict[str, Any]:
    new = user(asked.parameters)

    def add(coming: Users) -> Users:
        if new.username in coming:
            raise ConflictException(
                f"A user named {new.username} already exists on this broker.",
                error_attribute="username",
            )
        return {**coming, new.username: new}

    return _amended(room, asked, add)


def update(room: Room, asked: Asked) -> dict[str, Any]:
    """What is not given stays as it is."""
    parameters, username = asked.parameters, asked.parameters["Username"]

    def change(coming: Users) -> Users:
        if username not in coming:
            raise refusals.no_such_user(username)
        known = coming[username]
        given = {
            "Username": username,
            "Password": known.password,
            "ConsoleAccess": known.console_access,
            "Groups": known.groups,
            **parameters,
        }
        return {**coming, username: user(given)}

    return _amended(room, asked, change)


def delete(room: Room, asked: Asked) -> dict[str, Any]:
    username = asked.parameters["Username"]

    def remove(coming: Users) -> Users:
        if username not in coming:
            raise refusals.no_such_user(username)
        return {name: each for name, each in coming.items() if name != username}

    return _amended(room, asked, remove)


def _amended(room: Room, asked: Asked, change: Callable[[Users], Users]) -> dict[str, Any]:
    found = _activemq(room, asked)

    def amend(stored: Broker) -> Broker:
        coming = tuple(change(_coming(stored)).values())
        check_users(stored.engine_type, coming)
        return replace(
            stored,
            pending=replace(stored.pending, users=None if coming == stored.users else coming),
        )

    room.brokers.amend(found.broker_id, amend)
    return {}


def _activemq(room: Room, asked: Asked) -> Broker:
    found = broker(room, asked)
    if found.engine_type != "ACTIVEMQ":
        raise refusals.users_on_rabbitmq()
    return found


def _current(found: Broker) -> Users:
    return {each.username: each for each in found.users}


def _coming(found: Broker) -> Users:
    """As they will be after the next reboot."""
    return (
        _current(found)
        if found.pending.users is None
        else {each.username: each for each in found.pending.users}
    )
