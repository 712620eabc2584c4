"""What is in use stays, and quotas hold, in AWS's words."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from testbed.account import mfa
from tests.support.aws_endpoint import Served, refusal
from tests.support.identities import ACCOUNT, allow, policy, served, trust

LOOK = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("rules") / "state") as served_testbed:
        yield served_testbed


def long(characters: int) -> str:
    """Return a policy that has more than so many characters."""
    return policy(allow(*(f"mq:{'x' * 100}{number}" for number in range(characters // 100))))


def test_a_user_is_deleted_once_nothing_is_left(aws: Served) -> None:
    iam, name = aws.client("iam"), "leaver"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName=name, Password="correct-horse-1")
    iam.create_group(GroupName="leavers")
    iam.add_user_to_group(GroupName="leavers", UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=LOOK)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(allow("mq:*")))
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    serial, seed, now = device["SerialNumber"], device["Base32StringSeed"].decode(), time.time()
    codes = {
        "AuthenticationCode1": mfa.code(seed, now - 30),
        "AuthenticationCode2": mfa.code(seed, now),
    }
    iam.enable_mfa_device(UserName=name, SerialNumber=serial, **codes)
    undo = {
        "must delete access keys first.": partial(
            iam.delete_access_key, UserName=name, AccessKeyId=key
        ),
        "must delete MFA device first.": partial(
            iam.deactivate_mfa_device, UserName=name, SerialNumber=serial
        ),
        "must delete login profile first.": partial(iam.delete_login_profile, UserName=name),
        "must remove users from group first.": partial(
            iam.remove_user_from_group, GroupName="leavers", UserName=name
        ),
        "must detach all policies first.": partial(
            iam.detach_user_policy, UserName=name, PolicyArn=LOOK
        ),
        "must delete policies first.": partial(
            iam.delete_user_policy, UserName=name, PolicyName="own"
        ),
    }
    for sentence, remove in undo.items():
        refused = refusal(iam.delete_user, UserName=name)
        assert (refused["Code"], refused["Status"]) == ("DeleteConflict", 409)
        assert refused["Message"] == f"Cannot delete entity, {sentence}"
        remove()
    iam.delete_user(UserName=name)


def test_a_group_and_a_policy_in_use_stay(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_group(GroupName="used")
    arn = iam.create_policy(PolicyName="used", PolicyDocument=policy(allow("mq:*")))["Policy"][
        "Arn"
    ]
    iam.attach_group_policy(GroupName="used", PolicyArn=arn)
    assert refusal(iam.delete_group, GroupName="used")["Code"] == "DeleteConflict"
    attached = "Cannot delete a policy attached to entities."
    assert refusal(iam.delete_policy, PolicyArn=arn)["Message"] == attached
    iam.detach_group_policy(GroupName="used", PolicyArn=arn)
    iam.delete_group(GroupName="used")
    iam.create_user(UserName="bounded", PermissionsBoundary=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn)["Message"] == attached
    iam.delete_user_permissions_boundary(UserName="bounded")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("mq:List*")))
    assert "more than one version" in refusal(iam.delete_policy, PolicyArn=arn)["Message"]
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


def test_a_policy_is_attached_once_and_ten_at_most(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="many", AssumeRolePolicyDocument=trust(ACCOUNT))
    arns = [
        iam.create_policy(PolicyName=f"many-{number}", PolicyDocument=policy(allow("mq:*")))[
            "Policy"
        ]["Arn"]
        for number in range(11)
    ]
    for arn in (*arns[:10], arns[0]):
        iam.attach_role_policy(RoleName="many", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    refused = refusal(iam.attach_role_policy, RoleName="many", PolicyArn=arns[10])
    assert (refused["Code"], refused["Message"]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )


def test_policies_have_a_size(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="long")
    refused = refusal(iam.create_policy, PolicyName="long", PolicyDocument=long(6200))
    assert refused["Message"] == "Cannot exceed quota for PolicySize: 6144"
    half = {"UserName": "long", "PolicyDocument": long(1100)}
    iam.put_user_policy(PolicyName="first", **half)
    iam.put_user_policy(PolicyName="first", **half)
    refused = refusal(iam.put_user_policy, PolicyName="second", **half)
    assert refused["Message"] == "Maximum policy size of 2048 bytes exceeded for user long"
    wide = trust(ACCOUNT, Condition={"StringEquals": {"sts:ExternalId": ["x" * 1000, "y" * 1000]}})
    refused = refusal(iam.create_role, RoleName="wide", AssumeRolePolicyDocument=wide)
    assert refused["Message"] == "Cannot exceed quota for ACLSizePerRole: 2048"


def test_no_two_names_differ_in_case_alone(aws: Served) -> None:
    iam, document = aws.client("iam"), policy(allow("mq:*"))
    for create, parameters, member in (
        (iam.create_user, {}, "UserName"),
        (iam.create_group, {}, "GroupName"),
        (iam.create_role, {"AssumeRolePolicyDocument": trust(ACCOUNT)}, "RoleName"),
        (iam.create_policy, {"PolicyDocument": document}, "PolicyName"),
        (iam.create_instance_profile, {}, "InstanceProfileName"),
    ):
        create(**{member: "Cased"}, **parameters)
        refused = refusal(create, **{member: "cASED"}, **parameters)
        assert (refused["Code"], refused["Status"]) == ("EntityAlreadyExists", 409), member
        assert "cASED already exists." in refused["Message"]


def test_a_user_that_is_renamed_takes_nobodys_place(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="renamed", Tags=[{"Key": "team", "Value": "orders"}])
    iam.create_access_key(UserName="renamed")
    other = iam.create_user(UserName="taken")["User"]
    refused = refusal(iam.update_user, UserName="renamed", NewUserName="Taken")
    assert refused["Code"] == "EntityAlreadyExists"
    assert iam.get_user(UserName="taken")["User"]["UserId"] == other["UserId"]
    # As Terraform changes a path: with the name that it is.
    iam.update_user(UserName="renamed", NewUserName="renamed", NewPath="/staff/")
    iam.update_user(UserName="renamed", NewUserName="Renamed")
    user = iam.get_user(UserName="Renamed")["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/staff/Renamed"
    assert user["Tags"] == [{"Key": "team", "Value": "orders"}]
    [key] = iam.list_access_keys(UserName="Renamed")["AccessKeyMetadata"]
    assert key["UserName"] == "Renamed"
    assert "Tags" not in iam.create_user(UserName="another", Path="/staff/")["User"]


def test_a_group_gets_another_path_or_name(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_group(GroupName="moving")
    iam.create_group(GroupName="standing")
    iam.attach_group_policy(GroupName="moving", PolicyArn=LOOK)
    refused = refusal(iam.update_group, GroupName="moving", NewGroupName="STANDING")
    assert refused["Code"] == "EntityAlreadyExists"
    iam.update_group(GroupName="moving", NewPath="/a/")
    iam.update_group(GroupName="moving", NewGroupName="moving", NewPath="/b/")
    assert iam.get_group(GroupName="moving")["Group"]["Path"] == "/b/"
    iam.update_group(GroupName="moving", NewGroupName="moved", NewPath="/c/")
    arn = f"arn:aws:iam::{ACCOUNT}:group/c/moved"
    assert iam.get_group(GroupName="moved")["Group"]["Arn"] == arn
    assert iam.list_attached_group_policies(GroupName="moved")["AttachedPolicies"]


def test_names_are_ascii(aws: Served) -> None:
    iam = aws.client("iam")
    refused = refusal(iam.create_user, UserName="m\u00fcller")
    assert refused["Code"] == "ValidationError"
    assert refused["Message"].endswith(r"regular expression pattern: [\w+=,.@-]+")
    tags = [{"Key": "na\u00efve", "Value": "\u00e9t\u00e9 2026"}]
    assert iam.create_user(UserName="mueller", Tags=tags)["User"]["Tags"] == tags


def test_a_marker_that_no_answer_had_is_refused(aws: Served) -> None:
    iam = aws.client("iam")
    for call, parameters in (
        (iam.list_roles, {}),
        (iam.list_policies, {}),
        (iam.list_virtual_mfa_devices, {}),
        (iam.list_attached_group_policies, {"GroupName": "staff"}),
    ):
        for marker in ("x", "-1", "\u00b2"):
            refused = refusal(call, Marker=marker, **parameters)
            assert (refused["Code"], refused["Status"]) == ("ValidationError", 400), marker


def test_keys_of_tags_do_not_differ_in_case_alone(aws: Served) -> None:
    iam, tags = aws.client("iam"), [{"Key": key, "Value": "x"} for key in ("team", "Team")]
    iam.create_user(UserName="tagged")
    iam.create_instance_profile(InstanceProfileName="tagged")
    for call, parameters in (
        (iam.create_user, {"UserName": "untagged"}),
        (iam.tag_user, {"UserName": "tagged"}),
        (iam.create_instance_profile, {"InstanceProfileName": "untagged"}),
        (iam.tag_instance_profile, {"InstanceProfileName": "tagged"}),
    ):
        refused = refusal(call, **parameters, Tags=tags)
        assert (refused["Code"], refused["Status"]) == ("InvalidInput", 400)
    assert refusal(iam.get_user, UserName="untagged")["Code"] == "NoSuchEntity"
