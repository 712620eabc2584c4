"""What a policy decides on, and what condition keys are read from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from testbed.kms.base import Caller
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.key import Key

Found = str | Iterable[str] | None
"""The value of a condition key, or its values; nothing if the request has none."""


class Asked(Protocol):
    """What is known of a request to any service."""

    @property
    def caller(self) -> Caller:
        """Who calls."""

    @property
    def now(self) -> float:
        """The time of the request in seconds since 1970."""

    @property
    def by_service(self) -> bool:
        """Whether a service sends the request, for itself or with its user's session."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a policy decides on: ``action`` is without ``kms:``; ``key`` is None for no key."""

    services: KmsServices
    call: KmsCall
    action: str
    key: Key | None = None

    @property
    def caller(self) -> Caller:
        return self.call.caller

    @property
    def now(self) -> float:
        return self.call.now

    @property
    def by_service(self) -> bool:
        """Whether a service sends the request, for itself or with its user's session."""
        return self.caller.kind == "AWSService" or bool(self.caller.invoked_by)

    def parameter(self, name: str) -> Any:
        return self.call.parameters.get(name)


Reader = Callable[[Subject], Found]
MemberReader = Callable[[Subject, str], Found]
"""Reads a member of a family of keys, such as the tag of ``aws:ResourceTag/``, in lower case."""


def as_text(value: Any) -> Found:
    """Return a parameter as policies compare it; a date as seconds since 1970."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    return [str(member) for member in value] if isinstance(value, list | tuple) else str(value)
