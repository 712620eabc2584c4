"""ListUsers, DescribeUser, CreateUser, UpdateUser and DeleteUser."""

from collections.abc import Mapping
from typing import Any

from testbed.aws.mq.context import Call, Context, broker
from testbed.aws.mq.paging import page
from testbed.broker import describe as described
from testbed.broker import refusals
from testbed.broker import users as service
from testbed.broker.model import Broker
from testbed.engines.base import User


def list_users(context: Context, call: Call) -> dict[str, Any]:
    """Return ActiveMQ's users. RabbitMQ's are not shown (API)."""
    stored = broker(context, call)
    users = list(described.users(stored))
    rows, token = page(users, call.parameters, f"users of {stored.broker_id}")
    return {
        "BrokerId": stored.broker_id,
        "MaxResults": call.parameters.get("MaxResults", 100),
        "NextToken": token,
        "Users": rows,
    }


def describe(context: Context, call: Call) -> dict[str, Any]:
    """Return a user as it is, and its pending change."""
    stored, username = broker(context, call), call.parameters["Username"]
    service.check_managed(stored)
    current = {user.username: user for user in stored.users}.get(username)
    coming = {user.username: user for user in stored.pending_users}.get(username)
    shown = current or coming
    if shown is None:
        raise refusals.no_such_user(username)
    answer = {
        "BrokerId": stored.broker_id,
        "Username": username,
        "ConsoleAccess": shown.console_access,
        "Groups": list(shown.groups),
        "ReplicationUser": False,
    }
    if change := described.pending_change(current, coming):
        pending = coming or shown
        answer["Pending"] = {
            "ConsoleAccess": pending.console_access,
            "Groups": list(pending.groups),
            "PendingChange": change,
        }
    return answer


def create(context: Context, call: Call) -> dict[str, Any]:
    """Add a user with the next reboot."""
    new = user(call.parameters)
    context.brokers.amend(_broker_id(context, call), lambda stored: service.create(stored, new))
    return {}


def update(context: Context, call: Call) -> dict[str, Any]:
    """Change a user with the next reboot. Members that are not given stay as they are."""
    username = call.parameters["Username"]

    def change(stored: Broker) -> Broker:
        known = service.find(stored, username)
        members = {
            "Password": known.password,
            "ConsoleAccess": known.console_access,
            "Groups": known.groups,
        }
        return service.update(stored, user({**members, **call.parameters}))

    context.brokers.amend(_broker_id(context, call), change)
    return {}


def delete(context: Context, call: Call) -> dict[str, Any]:
    """Remove a user with the next reboot."""
    username = call.parameters["Username"]
    context.brokers.amend(
        _broker_id(context, call), lambda stored: service.delete(stored, username)
    )
    return {}


def user(parameters: Mapping[str, Any]) -> User:
    """Return the API's User. Without ``ConsoleAccess`` it has none (API)."""
    if parameters.get("ReplicationUser"):
        if parameters.get("ConsoleAccess"):
            raise refusals.replication_user_on_console()
        raise refusals.not_offered("users for cross-Region data replication", "replicationUser")
    return User(
        parameters["Username"],
        parameters["Password"],
        parameters.get("ConsoleAccess", False),
        tuple(parameters.get("Groups", ())),
    )


def _broker_id(context: Context, call: Call) -> str:
    return broker(context, call).broker_id
