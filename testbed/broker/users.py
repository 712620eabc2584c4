"""ActiveMQ's users, whose changes wait for a reboot (API). Each function returns a changed copy."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.broker import refusals
from testbed.broker.model import Broker
from testbed.broker.names import check_users
from testbed.broker.rules import check_state
from testbed.engines.base import User


def create(broker: Broker, user: User) -> Broker:
    """CreateUser. Raises ``ConflictException`` or ``BadRequestException``."""
    check_managed(broker)
    check_state(broker, "CreateUser")
    if user.username in (known.username for known in broker.pending_users):
        raise refusals.user_exists(user.username)
    return _with_users(broker, [*broker.pending_users, user])


def update(broker: Broker, user: User) -> Broker:
    """UpdateUser. Raises ``NotFoundException`` or ``BadRequestException``."""
    check_managed(broker)
    check_state(broker, "UpdateUser")
    find(broker, user.username)
    return _with_users(
        broker,
        [user if known.username == user.username else known for known in broker.pending_users],
    )


def delete(broker: Broker, username: str) -> Broker:
    """DeleteUser. Raises ``NotFoundException`` or ``BadRequestException``."""
    check_managed(broker)
    check_state(broker, "DeleteUser")
    find(broker, username)
    return _with_users(broker, [user for user in broker.pending_users if user.username != username])


def find(broker: Broker, username: str) -> User:
    """Return a user as it will be after the next reboot. Raises ``NotFoundException``."""
    check_managed(broker)
    for user in broker.pending_users:
        if user.username == username:
            return user
    raise refusals.no_such_user(username)


def check_managed(broker: Broker) -> None:
    """Raise ``BadRequestException`` for RabbitMQ, whose users the service does not manage."""
    if broker.engine_type != "ACTIVEMQ":
        raise refusals.users_on_rabbitmq()


def _with_users(broker: Broker, users: Sequence[User]) -> Broker:
    check_users(broker.engine_type, users)
    pending = None if tuple(users) == broker.users else tuple(users)
    return replace(broker, pending=replace(broker.pending, users=pending))
