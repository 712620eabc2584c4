"""Rules for names and passwords, each with the sentence that states it.

Sources: API and LIM. Where they disagree (LIM also allows ``.`` and ``~`` in broker names, and user
names of one character), the stricter API wins.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NameRule:
    """A pattern a name must match in full, and the documented sentence behind it."""

    pattern: re.Pattern[str]
    sentence: str


BROKER_NAME = NameRule(
    re.compile(r"[A-Za-z0-9_-]{1,50}"),
    "A broker name must be unique in your account, 1-50 characters long, and may contain only "
    "letters, numbers, dashes and underscores.",
)

USERNAME = {
    "ACTIVEMQ": NameRule(
        re.compile(r"[A-Za-z0-9._~-]{2,100}"),
        "An ActiveMQ user name must be 2-100 characters long and may contain only "
        "alphanumeric characters, dashes, periods, underscores and tildes (- . _ ~).",
    ),
    "RABBITMQ": NameRule(
        re.compile(r"[A-Za-z0-9._-]{2,100}"),
        "A RabbitMQ user name must be 2-100 characters long and may contain only alphanumeric "
        "characters, dashes, periods and underscores (- . _), without tilde (~).",
    ),
}

# SSLAUTH, release notes of 19 January 2024: guest is refused and deleted.
RESERVED_USERNAMES = {"ACTIVEMQ": frozenset(), "RABBITMQ": frozenset({"guest"})}

PASSWORD_MIN, PASSWORD_MAX, PASSWORD_UNIQUE, PASSWORD_FORBIDDEN = 12, 250, 4, ",:="
PASSWORD_SENTENCE = (
    "A password must be 12-250 characters long, "  # noqa: S105 - a rule, not a password
    "must contain at least 4 unique characters, "
    "and must not contain commas, colons, or equal signs (,:=)."
)

# TAGGING, which is for all services; LIM has the number. A key has 1 character at least.
TAGS_MAX, TAG_KEY_MAX, TAG_VALUE_MAX = 50, 128, 256
TAG_RESERVED = "aws:"  # in upper and lower case, at the beginning of a key

# DP: what the page advises and the API does not enforce, behind claims P1 to P3.
PII_SENTENCE = (
    "Do not use any personally identifiable information (PII) or other confidential or "
    "sensitive information for broker names or usernames. Broker names and usernames are "
    "accessible to other AWS services, including CloudWatch Logs."
)
TAGS_SENTENCE = (
    "We strongly recommend that you never put confidential or sensitive information, such as your "
    "customers' email addresses, into tags or free-form text fields such as a Name field."
)
URL_SENTENCE = (
    "If you provide a URL to an external server, we strongly recommend that you do not include "
    "credentials information in the URL to validate your request to that server."
)

# API: a RabbitMQ broker is created with exactly one user, its administrator.
USERS_AT_CREATION = {"ACTIVEMQ": (1, 250), "RABBITMQ": (1, 1)}
