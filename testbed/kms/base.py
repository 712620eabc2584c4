"""The one door to AWS KMS: ``call(caller, operation, parameters)``.

Everything that the testbed asks of KMS goes through ``Kms.call``, so what has to hold for every
request (who may, what is recorded, when a change takes effect) stands behind one method.
``localstack.py`` is the innermost implementation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from testbed.documented import regions
from testbed.documented.grants import EFS_PRINCIPAL, MQ_PRINCIPAL
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import KmsError

# The two accounts of the testbed. LocalStack takes an access key id of 12 digits for the account
# id and puts any other (``test``, localstack-client's default) into 000000000000.
USER_ACCOUNT = "000000000000"
# Where AWS owned keys live: not the user's account, so not in the user's ListKeys.
SERVICE_ACCOUNT = "999999999999"

# Seconds by default until a disabled key or a revoked grant takes effect. AWS speaks of "several
# hours" (DP-NEW).
DELAY = 3.0

_THROTTLING = "ThrottlingException"


@dataclass(frozen=True)
class TlsDetails:
    """The connection of a request: OpenSSL's names, and the Host header (CTG, ``tlsDetails``)."""

    version: str
    cipher_suite: str
    host: str


@dataclass(frozen=True)
class Credentials:
    """The access key of a caller that IAM or STS knows.

    ``principal_id`` is the unique id (``AIDA...``, or ``AROA...:session``). ``issuer`` is the ARN
    of the role, or of the federating user, whose session it is; ``issuer_id`` is that user's unique
    id. ``issued`` and ``mfa_at``, when the MFA code was given, are in seconds since 1970; a
    long-term key has neither. ``policies`` are the session policies with their names, None for
    none; ``tags`` those of the principal and session.
    """

    access_key_id: str
    principal_id: str
    issuer: str = ""
    issued: float | None = None
    mfa_at: float | None = None
    policies: tuple[tuple[str, str], ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    issuer_id: str = ""


@dataclass(frozen=True)
class Caller:
    """Who calls: ``principal`` is an ARN, or a service principal such as ``mq.amazonaws.com``.

    ``account`` is the account on whose behalf the call is made, 12 digits, and ``region`` the
    Region in which: key ids and aliases are looked up there. ``kind`` is CloudTrail's
    ``userIdentity.type``. ``invoked_by`` is the service that calls with the caller's session, as
    Amazon MQ does when a user creates a broker (CloudTrail's field of that name). ``source_ip``,
    ``user_agent`` and ``tls`` appear in records; ``request_id`` is that of the request at the
    endpoint, if it came from there, ``referer`` its header. ``source_arn`` is the resource for
    which a service calls. ``credentials`` are those of a caller whom IAM or STS knows; without them
    it is whoever it claims to be, and an administrator of its account.
    """

    principal: str
    account: str
    kind: Literal["Root", "IAMUser", "AssumedRole", "FederatedUser", "AWSService"]
    invoked_by: str = ""
    source_ip: str = "127.0.0.1"
    user_agent: str = "amazonmq-testbed"
    tls: TlsDetails | None = None
    request_id: str = ""
    referer: str = ""
    source_arn: str = ""
    region: str = DEFAULT_REGION
    credentials: Credentials | None = None

    def owns(self, account: str, region: str) -> bool:
        """Return whether what is in ``account`` and ``region`` is what this caller sees."""
        return (self.account, self.region) == (account, region)

    def with_session(self, issued: float, mfa_at: float | None) -> "Caller":
        """Return a caller whom IAM knows with temporary credentials, in seconds since 1970."""
        assert self.credentials, "IAM knows the caller"
        return replace(self, credentials=replace(self.credentials, issued=issued, mfa_at=mfa_at))

    def through(self, service: str) -> "Caller":
        """Return the caller's session as ``service`` uses it, over connections of its own."""
        return replace(self, invoked_by=service, tls=None, request_id="")


def root(account: str, region: str) -> Caller:
    """Return the root user of an account, calling in ``region``."""
    return Caller(regions.iam_arn(region, account, "root"), account, "Root", region=region)


def is_root(arn: str) -> bool:
    """Return whether this is the root user of an account, who is always there."""
    return arn.endswith(":root")


def assumed_role(account: str, region: str, session: str) -> Caller:
    """Return the session ``role/name`` of a role of the account, calling in ``region``."""
    principal = regions.iam_arn(region, account, f"assumed-role/{session}", service="sts")
    return Caller(principal, account, "AssumedRole", region=region)


USER = Caller(f"arn:aws:iam::{USER_ACCOUNT}:root", USER_ACCOUNT, "Root")
MQ = Caller(MQ_PRINCIPAL, SERVICE_ACCOUNT, "AWSService")
# EFS opens a file system's data key when it is mounted.
EFS = Caller(EFS_PRINCIPAL, SERVICE_ACCOUNT, "AWSService")


class Kms(Protocol):
    """KMS, or a wrapper of it."""

    def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Call a KMS API operation, e.g. ``"CreateKey"``; parameters and result in boto3's shape.

        Raises ``KmsError`` with KMS's own code and sentence; ``is_outage`` tells whether KMS
        refused or could not answer.
        """
        ...


def is_outage(error: KmsError) -> bool:
    """Return whether KMS failed to answer, rather than refused (API reference, common errors).

    A throttled call says nothing about the key either: a service tries it again.
    """
    return error.code in ("KMSInternalException", "DependencyTimeoutException", _THROTTLING)
