"""Checks of names, passwords and tags by the rules in ``documented.names``.

Each check returns nothing, or raises ``BadRequestException`` with the documented sentence. A
refusal never repeats the value, since a private value must not reach a log through its refusal.

What looks private is the testbed's judgement: the service documents the rule, not how it checks.
"""

import ipaddress
import re
import unicodedata
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
    PII_SENTENCE,
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

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
# Identifiers of access keys (IAM, "unique identifiers") and of KMS keys (KMS, "key identifiers").
_ACCESS_KEY_ID = re.compile(r"(?<![a-z0-9])A[KS]IA[a-z0-9]{16}(?![a-z0-9])", re.IGNORECASE)
_KMS_KEY_ID = re.compile(
    r"arn:aws[a-z-]*:kms:|"
    r"(?<![a-z0-9])(mrk[-_][0-9a-f]{32}|[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?![a-z0-9])",
    re.IGNORECASE,
)
# Digits with up to two separators between any two of them, and no letter at either end.
_NUMBER = re.compile(r"(?<![A-Za-z0-9])\+?[(]?\d(?:[-_.~ /()]{0,2}\d)+(?![A-Za-z0-9])")
_DATE = re.compile(r"\A(19|20)\d\d([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])")
_ACCOUNT_ID = re.compile(r"\d{12}|\d{4}-\d{4}-\d{4}")
_SINCE_1970 = re.compile(r"1\d{9}|1\d{12}")  # seconds, milliseconds


def check_broker_name(name: str) -> None:
    """Refuse a name that the API does not accept, or that looks private."""
    problems = [] if BROKER_NAME.pattern.fullmatch(name) else [BROKER_NAME.sentence]
    _refuse_if([*problems, *_private("broker name", name)], "brokerName")


def check_username(engine_type: str, username: str) -> None:
    """Refuse a user name that the engine does not accept, or that looks private."""
    rule = USERNAME[engine_type]
    problems = [] if rule.pattern.fullmatch(username) else [rule.sentence]
    if username in RESERVED_USERNAMES[engine_type]:
        problems.append(_RESERVED_SENTENCE)
    _refuse_if([*problems, *_private("user name", username)], "username")


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


def check_tag(key: str, value: str) -> None:
    """Refuse a tag with a key or value that looks private."""
    _refuse_if([*_private("tag's key", key), *_private("tag's value", value)], "tags")


def _private(what: str, value: str) -> list[str]:
    """Return why ``value`` looks private, with the rule; empty if it does not."""
    text = unicodedata.normalize("NFKC", value)  # full-width digits read like plain ones
    looks = {
        "an e-mail address": _EMAIL.search(text),
        "an access key id": _ACCESS_KEY_ID.search(text),
        "a KMS key id": _KMS_KEY_ID.search(text),
        "a phone number": any(map(_is_phone_number, _NUMBER.findall(text))),
    }
    like = [kind for kind, matches in looks.items() if matches]
    return [f"The {what} looks like {' and '.join(like)}. {PII_SENTENCE}"] if like else []


def _is_phone_number(number: str) -> bool:
    """Whether ``number`` has ten to fifteen digits (E.164), or seven and more after a plus.

    Dates, times, account ids and IP addresses do not count.
    """
    if number.startswith("+"):
        return 7 <= _digits(number) <= 15
    number = _DATE.sub("", number)
    if _ACCOUNT_ID.fullmatch(number) or _SINCE_1970.fullmatch(number) or _is_address(number):
        return False
    return 10 <= _digits(number) <= 15


def _digits(number: str) -> int:
    return sum(map(str.isdigit, number))


def _is_address(number: str) -> bool:
    try:
        ipaddress.ip_address(number.replace("-", "."))  # ip-10-0-0-1
    except ValueError:
        return False
    return True


def _refuse_if(problems: Sequence[str], error_attribute: str) -> None:
    if problems:
        raise BadRequestException(" ".join(problems), error_attribute=error_attribute)
