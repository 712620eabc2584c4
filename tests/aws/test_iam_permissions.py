"""IAM asks for its own permissions, and refuses in its own words."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import (
    ACCOUNT,
    Person,
    allow,
    client,
    deny,
    new_role,
    new_user,
    policy,
    served,
    trust,
)

AWS_POLICY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ME = f"arn:aws:iam::{ACCOUNT}:user/me"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("iam") / "state") as served_testbed:
        new_user(served_testbed, "other")
        new_role(served_testbed, "ops", f"arn:aws:iam::{ACCOUNT}:root")
        iam = served_testbed.client("iam")
        iam.create_group(GroupName="staff")
        iam.create_policy(PolicyName="look", PolicyDocument=policy(allow("mq:List*")))
        iam.create_instance_profile(InstanceProfileName="profile")
        yield served_testbed


@pytest.fixture(scope="module")
def me(aws: Served) -> Person:
    return new_user(aws, "me")


def _keys(person: Person) -> dict[str, str]:
    return {
        "aws_access_key_id": person.access_key_id,
        "aws_secret_access_key": person.secret,
    }


def give(aws: Served, *statements: dict[str, Any]) -> None:
    aws.client("iam").put_user_policy(
        UserName="me", PolicyName="own", PolicyDocument=policy(*statements)
    )


DOCUMENT = policy(allow("mq:*"))
LOOK = f"arn:aws:iam::{ACCOUNT}:policy/look"
# The call, the ARN that it is about, and what a refusal calls it.
CALLS = [
    ("create_user", {"UserName": "new", "Path": "/a/"}, "user/a/new", ""),
    ("create_role", {"RoleName": "new", "AssumeRolePolicyDocument": trust(ACCOUNT)}, "role/new",
     ""),
    ("create_group", {"GroupName": "new"}, "group/new", ""),
    ("create_policy", {"PolicyName": "new", "PolicyDocument": DOCUMENT}, "policy/new", ""),
    ("create_instance_profile", {"InstanceProfileName": "new"}, "instance-profile/new", ""),
    ("create_virtual_mfa_device", {"VirtualMFADeviceName": "new"}, "mfa/new", ""),
    ("get_user", {"UserName": "other"}, "user/other", "user other"),
    ("create_access_key", {"UserName": "other"}, "user/other", "user other"),
    ("list_access_keys", {}, "user/me", "user me"),
    ("put_user_policy", {"UserName": "other", "PolicyName": "p", "PolicyDocument": DOCUMENT},
     "user/other", "user other"),
    ("attach_user_policy", {"UserName": "other", "PolicyArn": LOOK}, "user/other", "user other"),
    ("add_user_to_group", {"UserName": "other", "GroupName": "staff"}, "group/staff",
     "group staff"),
    ("get_role", {"RoleName": "ops"}, "role/ops", "role ops"),
    ("attach_role_policy", {"RoleName": "ops", "PolicyArn": LOOK}, "role/ops", "role ops"),
    ("get_policy", {"PolicyArn": LOOK}, "policy/look", f"policy {LOOK}"),
    ("create_policy_version", {"PolicyArn": LOOK, "PolicyDocument": DOCUMENT}, "policy/look",
     f"policy {LOOK}"),
    ("get_instance_profile", {"InstanceProfileName": "profile"}, "instance-profile/profile",
     "instance profile profile"),
    ("list_users", {"PathPrefix": "/a/"}, "user/a/", ""),
    ("list_roles", {}, "role/", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "resource", "called"), CALLS)
def test_an_operation_asks_for_its_permission_on_its_resource(
    aws: Served, me: Person, name: str, parameters: dict[str, Any], resource: str, called: str
) -> None:
    call, arn = getattr(client(aws, "iam", me), name), f"arn:aws:iam::{ACCOUNT}:{resource}"
    action = "iam:" + "".join(word.title() for word in name.split("_")).replace("Mfa", "MFA")
    give(aws, allow(action, resource=f"arn:aws:iam::{ACCOUNT}:user/someone-else"))
    refused = refusal(call, **parameters)
    assert (refused["Code"], refused["Status"]) == ("AccessDenied", 403)
    assert refused["Message"] == (
        f"User: {ME} is not authorized to perform: {action} on resource: {called or arn} "
        f"because no identity-based policy allows the {action} action"
    )
    give(aws, allow(action, resource=arn))
    call(**parameters)


def test_the_use_of_an_access_key_is_about_its_user(aws: Served, me: Person) -> None:
    """IAM User Guide, "Permissions required to manage access keys"."""
    give(aws, allow("iam:GetAccessKeyLastUsed", resource="arn:aws:iam::*:user/${aws:username}"))
    iam = client(aws, "iam", me)
    found = iam.get_access_key_last_used(AccessKeyId=me.access_key_id)
    assert found["UserName"] == "me"
    other, *_ = aws.client("iam").list_access_keys(UserName="other")["AccessKeyMetadata"]
    refused = refusal(iam.get_access_key_last_used, AccessKeyId=other["AccessKeyId"])
    assert "iam:GetAccessKeyLastUsed on resource: user other because" in refused["Message"]


def test_a_tag_without_a_value_is_the_clients_mistake(aws: Served, me: Person) -> None:
    give(aws, allow("iam:*"))
    loose = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    iam = boto3.client("iam", **{**aws.endpoint.client(), **_keys(me)}, config=loose)
    for tag in ({"Key": "team"}, {"Value": "blue"}):
        refused = refusal(iam.tag_user, UserName="other", Tags=[tag])
        assert refused["Code"] == "ValidationError", tag


def test_what_a_user_may_attach_can_be_a_condition(aws: Served, me: Person) -> None:
    give(aws, allow("iam:*", Condition={"ArnEquals": {"iam:PolicyARN": LOOK}}))
    iam = client(aws, "iam", me)
    iam.attach_role_policy(RoleName="ops", PolicyArn=LOOK)
    refused = refusal(iam.attach_role_policy, RoleName="ops", PolicyArn=AWS_POLICY)
    assert refused["Code"] == "AccessDenied"
    give(aws, allow("iam:*", Condition={"StringEquals": {"iam:PermissionsBoundary": LOOK}}))
    assert refusal(iam.create_user, UserName="unbounded")["Code"] == "AccessDenied"
    iam.create_user(UserName="bounded", PermissionsBoundary=LOOK)


def test_a_role_is_passed_only_with_permission(aws: Served, me: Person) -> None:
    iam, passing = client(aws, "iam", me), {"RoleName": "ops", "InstanceProfileName": "profile"}
    give(aws, allow("iam:AddRoleToInstanceProfile"))
    refused = refusal(iam.add_role_to_instance_profile, **passing)
    assert "iam:PassRole on resource: role ops" in refused["Message"]
    give(aws, allow("iam:AddRoleToInstanceProfile", "iam:PassRole"))
    iam.add_role_to_instance_profile(**passing)


def test_nobody_changes_the_policies_of_aws_and_who_may_attaches_them(
    aws: Served, me: Person
) -> None:
    give(aws, allow("*"))
    change = {"PolicyArn": AWS_POLICY, "PolicyDocument": DOCUMENT}
    for iam in (client(aws, "iam", me), aws.client("iam")):
        assert refusal(iam.create_policy_version, **change)["Code"] == "AccessDenied"
        assert refusal(iam.delete_policy, PolicyArn=AWS_POLICY)["Code"] == "AccessDenied"
        assert iam.get_policy(PolicyArn=AWS_POLICY)["Policy"]["DefaultVersionId"]
    client(aws, "iam", me).attach_user_policy(UserName="other", PolicyArn=AWS_POLICY)


def test_a_deny_outweighs_and_a_refused_change_does_nothing(aws: Served, me: Person) -> None:
    give(aws, allow("*"), deny("iam:CreateUser"))
    refused = refusal(client(aws, "iam", me).create_user, UserName="denied")
    assert refused["Message"].endswith("with an explicit deny in an identity-based policy")
    assert refusal(aws.client("iam").get_user, UserName="denied")["Code"] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("call", "parameters", "tagging"),
    [
        ("create_user", {"UserName": "tagged"}, "iam:TagUser"),
        (
            "create_role",
            {"RoleName": "tagged", "AssumeRolePolicyDocument": trust(ACCOUNT)},
            "iam:TagRole",
        ),
        ("create_policy", {"PolicyName": "tagged", "PolicyDocument": DOCUMENT}, "iam:TagPolicy"),
        (
            "create_instance_profile",
            {"InstanceProfileName": "tagged"},
            "iam:TagInstanceProfile",
        ),
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "tagged"}, "iam:TagMFADevice"),
    ],
)
def test_who_creates_something_with_tags_may_tag(
    aws: Served, me: Person, call: str, parameters: dict[str, Any], tagging: str
) -> None:
    create = getattr(client(aws, "iam", me), call)
    give(aws, allow("iam:Create*"))
    refused = refusal(create, **parameters, Tags=[{"Key": "team", "Value": "red"}])
    assert f"not authorized to perform: {tagging} on resource: arn:" in refused["Message"]
    give(aws, allow("iam:Create*", tagging))
    create(**parameters, Tags=[{"Key": "team", "Value": "red"}])


def test_groups_and_profiles_are_decided_on_with_their_paths(aws: Served, me: Person) -> None:
    iam, prefix = aws.client("iam"), f"arn:aws:iam::{ACCOUNT}:"
    iam.create_group(GroupName="deep", Path="/a/b/")
    iam.create_instance_profile(InstanceProfileName="deep", Path="/c/")
    named = [f"{prefix}group/a/b/*", f"{prefix}instance-profile/c/deep"]
    give(aws, {**allow("iam:*"), "Resource": named})
    own = client(aws, "iam", me)
    own.add_user_to_group(GroupName="deep", UserName="other")
    assert own.get_instance_profile(InstanceProfileName="deep")["InstanceProfile"]
    assert refusal(own.get_group, GroupName="staff")["Code"] == "AccessDenied"
    iam.update_group(GroupName="deep", NewPath="/elsewhere/")
    assert refusal(own.get_group, GroupName="deep")["Code"] == "AccessDenied"
