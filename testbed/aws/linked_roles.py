"""What IAM refuses about service-linked roles: to change them, and to delete them in use."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.account.directory import Role
from testbed.account.identities import Identities
from testbed.broker.model import Broker
from testbed.documented import regions
from testbed.documented.permissions import SERVICE_LINKED_ROLE
from testbed.errors import ApiError
from testbed.kms.base import Caller

_CHANGES = frozenset(
    [
        "AttachRolePolicy",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "PutRolePermissionsBoundary",
        "PutRolePolicy",
        "UpdateAssumeRolePolicy",
    ]
)
_IN_USE = "A service-linked role is required by resources of its service."


@dataclass(frozen=True)
class LinkedRoles:
    """``brokers`` returns all brokers; those of RabbitMQ need their account's role (MQSLR)."""

    identities: Identities
    brokers: Callable[[], Iterable[Broker]]

    def check(self, operation: str, caller: Caller, sent: Mapping[str, Any]) -> None:
        """Raise ``UnmodifiableEntity`` for a change of what is AWS's alone."""
        name = str(sent.get("RoleName", ""))
        role = self._role(caller, name)
        if operation in _CHANGES and role and role.linked_service:
            raise ApiError(
                f"Cannot perform the operation on the protected role '{name}' - this role is only "
                "modifiable by AWS",
                code="UnmodifiableEntity",
                status=400,
            )

    def deletion(
        self, operation: str, caller: Caller, sent: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return the answer about the deletion of a role in use; None about any other."""
        if operation == "DeleteServiceLinkedRole":
            role = self._role(caller, str(sent["RoleName"]))
            if role and role.name == SERVICE_LINKED_ROLE and self._used(caller):
                task = f"task/aws-service-role/{role.linked_service}/{role.name}/{uuid.uuid4()}"
                return {"DeletionTaskId": task}
        if operation == "GetServiceLinkedRoleDeletionStatus":
            parts = str(sent["DeletionTaskId"]).split("/")
            if len(parts) == 5 and self._role(caller, parts[3]):
                used = self._used(caller).items()
                usage = [{"Region": region, "Resources": arns} for region, arns in used]
                return {"Status": "FAILED", "Reason": {"Reason": _IN_USE, "RoleUsageList": usage}}
        return None

    def _role(self, caller: Caller, name: str) -> Role | None:
        return self.identities.directory(caller.account, caller.region).roles.get(name)

    def _used(self, caller: Caller) -> dict[str, list[str]]:
        """Return the ARNs of the account's RabbitMQ brokers in the partition, by Region."""
        partition, found = regions.partition(caller.region), dict[str, list[str]]()
        for broker in self.brokers():
            here = regions.partition(broker.region) == partition
            if here and broker.account == caller.account and broker.engine_type == "RABBITMQ":
                found.setdefault(broker.region, []).append(broker.arn)
        return found
