"""IAM in moto: its backends, and the directory that is read from them.

Loading this module loads moto, which takes half a second: import it at the first use.
"""

import json
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from sqlite3 import Connection
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends

from testbed.account import moto_service
from testbed.account.directory import AccessKey, Device, Directory, Document, Role, User
from testbed.account.iam_operations import IamOperations
from testbed.account.moto_backends import Message
from testbed.account.store import AccountStore, Place

_NOTHING = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}'
)


class Iam:
    """IAM as ``MotoBackends`` calls it. AWS's own policies are in every account, and not kept."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store

    def install(self, place: Place, backend: Any) -> None:
        """See ``MotoService``."""
        iam_backends[place.account][place.region] = backend

    def new_backend(self, place: Place) -> IAMBackend:
        """See ``MotoService``."""
        backend = IAMBackend(place.region, place.account)
        policies = aws_policies(place.account, place.region).items()
        own = {arn: copy(policy) for arn, policy in policies}  # each counts its attachments
        backend.managed_policies, backend.aws_managed_policies = dict(own), list(own.values())
        return backend

    def respond(self, message: Message, account: str) -> tuple[int, Mapping[str, str], str]:
        """See ``MotoService``."""
        return moto_service.respond(IamOperations, message, account)

    def stored(self, backend: IAMBackend) -> dict[str, Any]:
        """See ``MotoService``."""
        own = {
            arn: policy
            for arn, policy in backend.managed_policies.items()
            if not isinstance(policy, AWSManagedPolicy)
        }
        return {**vars(backend), "managed_policies": own, "aws_managed_policies": []}

    def restore(self, backend: IAMBackend, content: dict[str, Any]) -> None:
        """See ``MotoService``."""
        aws = backend.managed_policies
        vars(backend).update(content)
        backend.managed_policies = {**aws, **backend.managed_policies}
        backend.aws_managed_policies = [
            policy for policy in aws.values() if isinstance(policy, AWSManagedPolicy)
        ]
        for policy in backend.aws_managed_policies:
            policy.attachment_count = 0
        owners: list[Any] = [
            *backend.users.values(),
            *backend.groups.values(),
            *backend.roles.values(),
        ]
        for owner in owners:
            for policy in owner.managed_policies.values():
                if isinstance(policy, AWSManagedPolicy):
                    policy.attachment_count += 1

    def reference(self, item: Any) -> str | None:
        """See ``MotoService``."""
        return item.arn if isinstance(item, AWSManagedPolicy) else None

    def resolve(self, backend: IAMBackend, reference: Any) -> Any:
        """See ``MotoService``."""
        return backend.managed_policies[reference]

    def written(self, connection: Connection, place: Place, backend: Any) -> None:
        """Keep the directory."""
        self._store.put_directory(connection, place.account, place.region, directory(backend))


@cache
def aws_policies(account: str, partition: str) -> Mapping[str, AWSManagedPolicy]:
    """Return the managed policies of AWS as an account sees them, by their ARNs."""
    policies = (
        AWSManagedPolicy.from_data(name, account, partition, data)
        for name, data in _aws_policy_data().items()
    )
    return {policy.arn: policy for policy in policies}


@cache
def _aws_policy_data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(aws_managed_policies_data)
    return data


def directory(backend: IAMBackend) -> Directory:
    """Return who is in the account."""
    devices = {
        serial: Device(serial, device.base32_string_seed, device.user.arn if device.user else "")
        for serial, device in backend.virtual_mfa_devices.items()
    }
    return Directory(
        {name: _user(backend, user) for name, user in backend.users.items()},
        {role.name: _role(backend, role) for role in backend.roles.values()},
        devices,
        {name: group.arn for name, group in backend.groups.items()},
        {name: profile.arn for name, profile in backend.instance_profiles.items()},
    )


def _user(backend: IAMBackend, user: Any) -> User:
    groups = [group for group in backend.groups.values() if user in group.users]
    policies = [
        *_documents(user, f"user {user.name}"),
        *(found for group in groups for found in _documents(group, f"group {group.name}")),
    ]
    return User(
        user.name,
        user.arn,
        user.id,
        tuple(
            AccessKey(key.access_key_id, key.secret_access_key, key.status == "Active")
            for key in user.access_keys
        ),
        tuple(policies),
        _boundary(backend, getattr(user, "permissions_boundary_arn", None)),
        _tags(user.tags or []),
    )


def _role(backend: IAMBackend, role: Any) -> Role:
    return Role(
        role.name,
        role.arn,
        role.id,
        role.assume_role_policy_document,
        int(role.max_session_duration or 3600),
        tuple(_documents(role, f"role {role.name}")),
        _boundary(backend, role.permissions_boundary_arn),
        _tags(role.tags),
        role._linked_service or "",  # noqa: SLF001 - moto has no other name for it
    )


def _documents(owner: Any, called: str) -> Iterator[Document]:
    for name, text in owner.policies.items():
        yield Document(f"inline policy {name} of {called}", text)
    for arn, policy in owner.managed_policies.items():
        yield Document(arn, _default(policy))


def document(backend: IAMBackend, arn: str) -> Document | None:
    """Return the default version of a managed policy; None for an unknown one."""
    policy = backend.managed_policies.get(arn)
    return Document(arn, _default(policy)) if policy else None


def _boundary(backend: IAMBackend, arn: str | None) -> Document | None:
    """Return the boundary of an identity; one that was deleted allows nothing."""
    return (document(backend, arn) or Document(arn, _NOTHING)) if arn else None


def _default(policy: Any) -> str:
    return next(
        str(version.document)
        for version in policy.versions
        if version.version_id == policy.default_version_id
    )


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}
