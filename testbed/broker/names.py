"""Checks of names, passwords and tags by the rules in ``documented.names``.

Each check returns nothing, or raises ``BadRequestException`` with the documented sentence. A
refusal never repeats the value, since a private value must not reach a log through its refusal.
What the page only advises is in ``testbed.advice``.
"""

from collections import Counter
from collections.abc import Sequence

from testbed.broker import refusals
from testbed.documented.names import (
    BROKER_NAME,
    PASSWORD_FORBIDDEN,
    PASSWORD_MAX,
    PASSWORD_MIN,
    PASSWORD_SENTENCE,
    PASSWORD_UNIQUE,
    RESERVED_USERNAMES,
    USERNAME,
    USERS_AT_CREATION,
)
from testbed.engines.base import User
from testbed.errors import BadRequestException

# API, CreateBroker and User.
_USERS_SENTENCE = "An ActiveMQ broker is created with {} to {} users."
_RESERVED_SENTENCE = "Amazon MQ prohibits using guest as a valid user name."
_GROUPS_MAX = 20
_GROUPS_SENTENCE = (
    "A user belongs to 20 groups at most. A group's name must be 2-100 characters long and may "
    "contain only alphanumeric characters, dashes, periods, underscores and tildes (- . _ ~)."
)


def check_broker_name(name: str) -> None:
    """Refuse a name that the API does not accept."""
    sound = BROKER_NAME.pattern.fullmatch(name)
    _refuse_if([] if sound else [BROKER_NAME.sentence], "brokerName")


def check_username(engine_type: str, username: str) -> None:
    """Refuse a user name that the engine does not accept."""
    rule = USERNAME[engine_type]
    problems = [] if rule.pattern.fullmatch(username) else [rule.sentence]
    if username in RESERVED_USERNAMES[engine_type]:
        problems.append(_RESERVED_SENTENCE)
    _refuse_if(problems, "username")


def check_password(password: str) -> None:
    """Refuse a password with a wrong length, few unique characters, or a forbidden character."""
    sound = (
        PASSWORD_MIN <= len(password) <= PASSWORD_MAX
        and len(set(password)) >= PASSWORD_UNIQUE
        and not set(password) & set(PASSWORD_FORBIDDEN)
    )
    _refuse_if([] if sound else [PASSWORD_SENTENCE], "password")


def check_users(engine_type: str, users: Sequence[User]) -> None:
    """Check the number of users of a CreateBroker request, and each of them."""
    least, most = USERS_AT_CREATION[engine_type]
    counted = least <= len(users) <= most
    if engine_type == "RABBITMQ" and not counted:
        raise refusals.not_one_user()
    _refuse_if([] if counted else [_USERS_SENTENCE.format(least, most)], "users")
    for user in users:
        check_username(engine_type, user.username)
        check_password(user.password)
        groups_sound = len(user.groups) <= _GROUPS_MAX and all(
            map(USERNAME["ACTIVEMQ"].pattern.fullmatch, user.groups)
        )
        _refuse_if([] if groups_sound else [_GROUPS_SENTENCE], "groups")
    [(_, times)] = Counter(user.username for user in users).most_common(1)
    _refuse_if(["Each user name may be given once."] if times > 1 else [], "users")


def _refuse_if(problems: Sequence[str], error_attribute: str) -> None:
    if problems:
        raise BadRequestException(" ".join(problems), error_attribute=error_attribute)
