"""IAM's operations in moto, with what moto lacks or answers otherwise than AWS.

The ids of users, groups, policies and instance profiles have IAM's prefixes; no two have the same
name, whatever its case; users can have a permissions boundary; an MFA device is enabled by two
of its codes; the role of Amazon MQ has its own name. An operation that moto would answer without
doing anything is refused.
"""

import time
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import url_encode
from moto.core.utils import camelcase_to_underscores
from moto.iam.exceptions import IAMException
from moto.iam.responses import IamResponse
from moto.iam.utils import generate_access_key_id_from_account_id

from testbed.account import iam_rules, mfa
from testbed.documented.permissions import (
    SERVICE_LINKED_ROLE,
    SERVICE_LINKED_ROLE_OF,
    SERVICE_LINKED_ROLE_POLICY,
)

_SERVICES = "amazonaws.com"


class IamOperations(IamResponse):
    """IAM as the endpoint serves it."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {  # noqa: RUF012 - as moto declares it
        **IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        "CreateServiceLinkedRoleResponse.Role.AssumeRolePolicyDocument": url_encode,
    }

    def create_user(self) -> ActionResult:
        boundary = self._boundary()
        name = self._get_param("UserName")
        iam_rules.check_free(name, self.backend.users, f"User with name {name}")
        iam_rules.check_tags(self._get_param("Tags", []))
        result = super().create_user()
        user = _member(result, "User")
        user.id = self._unique("AIDA")
        _set_boundary(user, boundary)
        return result

    def update_user(self) -> ActionResult:
        name, new = self._get_param("UserName"), self._get_param("NewUserName")
        user, tagger = self.backend.get_user(name), self.backend.tagger
        if new:
            others = self.backend.users.keys() - {name}
            iam_rules.check_free(new, others, f"User with name {new}")
        tags, before = user.tags or [], user.arn  # moto keeps the tags of an ARN, the former one
        result = super().update_user()
        tagger.delete_all_tags_for_resource(before)
        tagger.tag_resource(user.arn, tags)
        for key in user.access_keys:
            key.user_name = user.name
        return result

    def put_user_permissions_boundary(self) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        _set_boundary(user, self._boundary())
        return EmptyResult()

    def delete_user_permissions_boundary(self) -> ActionResult:
        _set_boundary(self.backend.get_user(self._get_param("UserName")), None)
        return EmptyResult()

    def create_role(self) -> ActionResult:
        self._boundary()
        iam_rules.check_trust(self._get_param("AssumeRolePolicyDocument"))
        name, roles = self._get_param("RoleName"), self.backend.roles.values()
        iam_rules.check_free(name, (role.name for role in roles), f"Role with name {name}")
        return super().create_role()

    def put_role_permissions_boundary(self) -> ActionResult:
        self._boundary()
        return super().put_role_permissions_boundary()

    def create_group(self) -> ActionResult:
        name = self._get_param("GroupName")
        iam_rules.check_free(name, self.backend.groups, f"Group with name {name}")
        result = super().create_group()
        _member(result, "Group").id = self._unique("AGPA")
        return result

    def tag_user(self) -> ActionResult:
        iam_rules.check_tags(self._get_param("Tags", []))
        return super().tag_user()

    def tag_instance_profile(self) -> ActionResult:
        iam_rules.check_tags(self._get_param("Tags", []))
        return super().tag_instance_profile()

    def update_group(self) -> ActionResult:
        name, new = self._get_param("GroupName"), self._get_param("NewGroupName")
        group = self.backend.get_group(name)
        if new:
            others = self.backend.groups.keys() - {name}
            iam_rules.check_free(new, others, f"Group with name {new}")
        if path := self._get_param("NewPath"):  # moto changes it with the name alone
            group.path = path
        return super().update_group() if new and new != name else EmptyResult()

    def update_assume_role_policy(self) -> ActionResult:
        iam_rules.check_trust(self._get_param("PolicyDocument"))
        return super().update_assume_role_policy()

    def delete_user(self) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        iam_rules.check_user_unused(user, list(self.backend.groups.values()))
        return super().delete_user()

    def delete_group(self) -> ActionResult:
        iam_rules.check_group_unused(self.backend.get_group(self._get_param("GroupName")))
        return super().delete_group()

    def delete_policy(self) -> ActionResult:
        owners = (*self.backend.users.values(), *self.backend.roles.values())
        boundaries = {getattr(owner, "permissions_boundary_arn", None) for owner in owners}
        policy = self.backend.get_policy(self._get_param("PolicyArn"))
        iam_rules.check_policy_unused(policy, boundaries)
        return super().delete_policy()

    def attach_user_policy(self) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        return self._attached("user", user) or super().attach_user_policy()

    def attach_group_policy(self) -> ActionResult:
        group = self.backend.get_group(self._get_param("GroupName"))
        return self._attached("group", group) or super().attach_group_policy()

    def attach_role_policy(self) -> ActionResult:
        role = self.backend.get_role(self._get_param("RoleName"))
        return self._attached("role", role) or super().attach_role_policy()

    def put_user_policy(self) -> ActionResult:
        self._check_inline("user", self.backend.get_user(self._get_param("UserName")))
        return super().put_user_policy()

    def put_group_policy(self) -> ActionResult:
        self._check_inline("group", self.backend.get_group(self._get_param("GroupName")))
        return super().put_group_policy()

    def put_role_policy(self) -> ActionResult:
        self._check_inline("role", self.backend.get_role(self._get_param("RoleName")))
        return super().put_role_policy()

    def create_policy_version(self) -> ActionResult:
        iam_rules.check_managed(self._get_param("PolicyDocument"))
        return super().create_policy_version()

    def create_policy(self) -> ActionResult:
        iam_rules.check_managed(self._get_param("PolicyDocument"))
        name, policies = self._get_param("PolicyName"), self.backend.managed_policies.values()
        own = (policy.name for policy in policies if ":iam::aws:" not in policy.arn)
        iam_rules.check_free(
            name, own, f"A policy called {name}", " Duplicate names are not allowed."
        )
        result = super().create_policy()
        _member(result, "Policy").id = self._unique("ANPA")
        return result

    def create_instance_profile(self) -> ActionResult:
        name = self._get_param("InstanceProfileName")
        iam_rules.check_free(name, self.backend.instance_profiles, f"Instance Profile {name}")
        iam_rules.check_tags(self._get_param("Tags", []))
        result = super().create_instance_profile()
        _member(result, "InstanceProfile").id = self._unique("AIPA")
        return result

    def create_service_linked_role(self) -> ActionResult:
        service = self._get_param("AWSServiceName")
        if not service.endswith(f".{_SERVICES}") or service == f".{_SERVICES}":
            raise IAMException("InvalidInput", f"{service} is not a valid service name.")
        result = super().create_service_linked_role()
        complete_linked_role(self.backend, _member(result, "Role"))
        return result

    def delete_service_linked_role(self) -> ActionResult:
        role = self.backend.get_role(self._get_param("RoleName"))
        for arn in list(role.managed_policies):
            self.backend.detach_role_policy(arn, role.name)
        return super().delete_service_linked_role()

    def enable_mfa_device(self) -> ActionResult:
        serial = self._get_param("SerialNumber")
        device = self.backend.virtual_mfa_devices.get(serial)
        if device is None:
            raise IAMException(
                "NoSuchEntity", f"VirtualMFADevice with serial number {serial} doesn't exist."
            )
        if device.user:
            raise IAMException("EntityAlreadyExists", "MFA Device is already in use.")
        codes = (self._get_param("AuthenticationCode1"), self._get_param("AuthenticationCode2"))
        if not mfa.consecutive(device.base32_string_seed, *codes, time.time()):
            raise IAMException(
                "InvalidAuthenticationCode",
                f"Authentication code for device is not valid. {serial}",
            )
        return super().enable_mfa_device()

    def delete_virtual_mfa_device(self) -> ActionResult:
        device = self.backend.virtual_mfa_devices.get(self._get_param("SerialNumber"))
        if device and device.user:
            raise IAMException("DeleteConflict", "MFA VirtualDevice is in use. Must deactivate.")
        return super().delete_virtual_mfa_device()

    def create_virtual_mfa_device(self) -> ActionResult:
        result = super().create_virtual_mfa_device()
        device = _member(result, "VirtualMFADevice")
        # moto's is no image at all; a picture of the seed would need a library of its own.
        device.qr_code_png = b""
        return result

    def _boundary(self) -> str | None:
        """Return the boundary in the request; it has to be a managed policy that exists."""
        arn = self._get_param("PermissionsBoundary")
        if arn and arn not in self.backend.managed_policies:
            raise IAMException(
                "NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable."
            )
        return str(arn) if arn else None

    def _attached(self, kind: str, owner: Any) -> ActionResult | None:
        """Return the answer for a policy that is attached already, which moto counts twice."""
        arn = self._get_param("PolicyArn")
        iam_rules.check_attached(kind, owner, arn)
        return EmptyResult() if arn in owner.managed_policies else None

    def _check_inline(self, kind: str, owner: Any) -> None:
        name, document = self._get_param("PolicyName"), self._get_param("PolicyDocument")
        iam_rules.check_inline(kind, owner, name, document)

    def _unique(self, prefix: str) -> str:
        return generate_access_key_id_from_account_id(self.current_account, prefix, 21)


def complete_linked_role(iam: Any, role: Any) -> None:
    """Give moto's new service-linked role of Amazon MQ the name and the policy it has in AWS.

    Raises ``IAMException`` if the account has it already. Other services' roles are left alone.
    """
    if role._linked_service != SERVICE_LINKED_ROLE_OF:  # noqa: SLF001 - moto has no other name for it
        return
    role.name = SERVICE_LINKED_ROLE
    if sum(other.name == role.name for other in iam.get_roles()) > 1:
        raise IAMException(
            "InvalidInput",
            f"Service role name {role.name} has been taken in this account, please try a "
            "different suffix.",
        )
    policies = f"arn:{iam.partition}:iam::aws:policy/aws-service-role/"
    iam.attach_role_policy(policies + SERVICE_LINKED_ROLE_POLICY, role.name)


def _member(result: ActionResult, name: str) -> Any:
    members: Any = result.result
    return members[name]


def _set_boundary(user: Any, arn: str | None) -> None:
    """Give moto's user a boundary, which its answers show under this name."""
    user.permissions_boundary_arn = arn
    user.permissions_boundary = arn and {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": arn,
    }


def has(operation: str) -> bool:
    """Return whether IAM has an operation here."""
    return callable(getattr(IamOperations, camelcase_to_underscores(operation), None))
