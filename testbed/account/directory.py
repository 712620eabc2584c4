"""Who is in an account: what signatures, sessions and policies are checked with. Pure data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Document:
    """A policy's text. ``name`` is an ARN, or says whose inline policy it is."""

    name: str
    text: str


@dataclass(frozen=True)
class AccessKey:
    """A long-term access key of a user."""

    access_key_id: str
    secret: str = field(repr=False)
    active: bool = True


@dataclass(frozen=True)
class User:
    """An IAM user, with the policies of its groups."""

    name: str
    arn: str
    user_id: str
    keys: tuple[AccessKey, ...] = ()
    policies: tuple[Document, ...] = ()
    boundary: Document | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """An IAM role. ``longest`` is its maximum session duration in seconds."""

    name: str
    arn: str
    role_id: str
    trust: str
    longest: int = 3600
    policies: tuple[Document, ...] = ()
    boundary: Document | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    linked_service: str = ""


@dataclass(frozen=True)
class Device:
    """A virtual MFA device. ``seed`` is in base32; ``user`` is empty until it is enabled."""

    serial_number: str
    seed: str = field(repr=False)
    user: str = ""


@dataclass(frozen=True)
class Directory:
    """The identities of one account in one partition, by name or serial number.

    Of groups and instance profiles it has the ARNs.
    """

    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)

    def access_keys(self) -> Iterator[tuple[AccessKey, User]]:
        """Yield the access keys, each with its user."""
        for user in self.users.values():
            for key in user.keys:
                yield key, user

    def user_by_arn(self, arn: str) -> User | None:
        """Return the user with this ARN."""
        return next((user for user in self.users.values() if user.arn == arn), None)

    def role_by_arn(self, arn: str) -> Role | None:
        """Return the role with this ARN."""
        return next((role for role in self.roles.values() if role.arn == arn), None)


@dataclass(frozen=True)
class Session:
    """Temporary credentials. Times are in seconds since 1970.

    ``principal`` is the ARN of the session's caller, ``issuer`` that of its role or federating
    user, whose unique id is ``issuer_id``, and ``mfa_at`` the time of the code, if one was given.
    ``policies`` are session policies, None for none.
    """

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    kind: Literal["Root", "IAMUser", "AssumedRole", "FederatedUser"]
    account: str
    partition: str
    principal: str
    principal_id: str
    issued: float
    expires: float
    issuer: str = ""
    mfa_at: float | None = None
    policies: tuple[Document, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    issuer_id: str = ""
