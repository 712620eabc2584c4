"""People around a broker for the length of a ``with`` block: IAM users and roles, with clients.

For scenarios and tests. Each has exactly the permissions that it was created with.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.exceptions import ClientError

from testbed.account import mfa
from testbed.aws.endpoint import Endpoint
from testbed.evidence import Observation

Statement = Mapping[str, Any]
_DENIED = ("AccessDenied", "ForbiddenException")  # the second is Amazon MQ's, for KMS's refusal


def allow(*actions: str, resource: str = "*", **rest: Any) -> Statement:
    """Return a statement that allows actions; ``rest`` are more elements, such as Condition."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **rest}


def deny(*actions: str, resource: str = "*", **rest: Any) -> Statement:
    """Return a statement that denies actions."""
    return {**allow(*actions, resource=resource, **rest), "Effect": "Deny"}


def policy(*statements: Statement) -> str:
    """Return the document of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def denied(call: Callable[[], Any], reason: str = "") -> Observation:
    """Call; ``yes`` if AWS denies it, with ``reason`` in its sentence."""
    try:
        call()
    except ClientError as error:
        refusal = error.response["Error"]
        sentence = refusal["Message"]
        return Observation(
            refusal["Code"].startswith(_DENIED) and reason in sentence,
            f"{refusal['Code']}: {sentence}",
        )
    return Observation(yes=False, evidence="the call is carried out")


@dataclass(frozen=True)
class Person:
    """Someone with an access key. ``arn`` is the user's, or that of the session's role."""

    arn: str
    access_key_id: str
    endpoint: Endpoint = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name in IAM."""
        return self.arn.rpartition("/")[2]

    def client(self, service: str) -> Any:
        """Return boto3's client of a service, which signs with this person's key."""
        return boto3.client(
            service,
            **{
                **self.endpoint.client(),
                "aws_access_key_id": self.access_key_id,
                "aws_secret_access_key": self.secret,
            },
            aws_session_token=self.token,
        )

    def with_credentials(self, credentials: Mapping[str, Any]) -> "Person":
        """Return the session that STS issued these credentials for."""
        return replace(
            self,
            access_key_id=credentials["AccessKeyId"],
            secret=credentials["SecretAccessKey"],
            token=credentials["SessionToken"],
        )

    def session(self, **parameters: Any) -> "Person":
        """Return this user's session, as GetSessionToken gives it."""
        answer = self.client("sts").get_session_token(**parameters)
        return self.with_credentials(answer["Credentials"])

    def as_role(self, role_arn: str, **parameters: Any) -> "Person":
        """Return this person's session of a role, as AssumeRole gives it."""
        answer = self.client("sts").assume_role(
            RoleArn=role_arn, RoleSessionName=self.name[:64], **parameters
        )
        return replace(self, arn=role_arn).with_credentials(answer["Credentials"])


class Staff:
    """Creates users and roles in the account of the endpoint's root, and removes them at the end.

    Names get a suffix, so that nobody else's are met.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._undo = endpoint, ExitStack()
        self._iam: Any = boto3.client("iam", **endpoint.client())
        self._suffix = secrets.token_hex(3)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()

    def user(self, name: str, *statements: Statement) -> Person:
        """Create a user with an inline policy and an access key."""
        name = f"{name}-{self._suffix}"
        arn = self._iam.create_user(UserName=name)["User"]["Arn"]
        self._undo.callback(self._iam.delete_user, UserName=name)
        self._iam.put_user_policy(
            UserName=name, PolicyName="own", PolicyDocument=policy(*statements)
        )
        self._undo.callback(self._iam.delete_user_policy, UserName=name, PolicyName="own")
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        key_id = key["AccessKeyId"]
        self._undo.callback(self._iam.delete_access_key, UserName=name, AccessKeyId=key_id)
        return Person(arn, key_id, self._endpoint, key["SecretAccessKey"])

    def give(self, person: Person, *statements: Statement) -> None:
        """Replace a user's permissions."""
        self._iam.put_user_policy(
            UserName=person.name, PolicyName="own", PolicyDocument=policy(*statements)
        )

    def bound(self, person: Person, *statements: Statement) -> None:
        """Give a user a permissions boundary."""
        arn = self._iam.create_policy(
            PolicyName=f"boundary-{person.name}", PolicyDocument=policy(*statements)
        )["Policy"]["Arn"]
        self._undo.callback(self._iam.delete_policy, PolicyArn=arn)
        self._iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=arn)
        self._undo.callback(self.unbound, person)

    def unbound(self, person: Person) -> None:
        """Take a user's permissions boundary away."""
        self._iam.delete_user_permissions_boundary(UserName=person.name)

    def role(self, name: str, trusted: Person, *statements: Statement) -> str:
        """Create a role that trusts a person, and return its ARN."""
        name = f"{name}-{self._suffix}"
        trust = {"Effect": "Allow", "Principal": {"AWS": trusted.arn}, "Action": "sts:AssumeRole"}
        answer = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        self._undo.callback(self._iam.delete_role, RoleName=name)
        self._iam.put_role_policy(
            RoleName=name, PolicyName="own", PolicyDocument=policy(*statements)
        )
        self._undo.callback(self._iam.delete_role_policy, RoleName=name, PolicyName="own")
        return str(answer["Role"]["Arn"])

    def device(self, person: Person) -> "Device":
        """Give a user a virtual MFA device."""
        made = self._iam.create_virtual_mfa_device(VirtualMFADeviceName=person.name)
        serial = made["VirtualMFADevice"]["SerialNumber"]
        device = Device(serial, made["VirtualMFADevice"]["Base32StringSeed"].decode())
        self._undo.callback(self._iam.delete_virtual_mfa_device, SerialNumber=serial)
        now = time.time()
        self._iam.enable_mfa_device(
            UserName=person.name,
            SerialNumber=serial,
            AuthenticationCode1=mfa.code(device.seed, now - 2 * mfa.STEP),
            AuthenticationCode2=mfa.code(device.seed, now - mfa.STEP),
        )
        self._undo.callback(
            self._iam.deactivate_mfa_device, UserName=person.name, SerialNumber=serial
        )
        return device


@dataclass(frozen=True)
class Device:
    """A virtual MFA device."""

    serial_number: str
    seed: str = field(repr=False)

    def parameters(self) -> dict[str, str]:
        """Return the parameters of GetSessionToken and AssumeRole with the code of this moment."""
        return {"SerialNumber": self.serial_number, "TokenCode": mfa.code(self.seed, time.time())}
