"""What a broker is to have after its next reboot (API: changes of these wait for one), and the configuration that it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.engines.base import User


@dataclass(frozen=True)
class Configuration:
    """A revision of a customer's configuration (API, ``ConfigurationId``), with its text."""

    id: str
    revision: int
    data: str = field(default="", repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> "Configuration | None":
        return cls(**document) if document else None


@dataclass(frozen=True)
class Pending:
    """``users`` are all of them, as they will be; None when they stay. ``settings`` are members of the API."""

    users: tuple[User, ...] | None = None
    engine_version: str = ""
    configuration: Configuration | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Pending":
        users = document.get("users")
        return cls(
            **{
                **document,
                "users": None if users is None else tuple(map(User.from_document, users)),
                "configuration": Configuration.from_document(document.get("configuration")),
            }
        )
