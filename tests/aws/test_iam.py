"""IAM through the endpoint, as boto3 sees it."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from testbed.account import mfa
from tests.support.aws_endpoint import Served, refusal
from tests.support.aws_tools import Cli, Refused
from tests.support.identities import (
    ACCOUNT,
    OTHER,
    Person,
    allow,
    client,
    new_role,
    new_user,
    policy,
    served,
    trust,
)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("iam") / "state") as served_testbed:
        yield served_testbed


def test_users_groups_keys_and_policies_are_what_was_put(aws: Served) -> None:
    iam = aws.client("iam")
    user = iam.create_user(UserName="alice", Path="/staff/", Tags=[{"Key": "t", "Value": "1"}])[
        "User"
    ]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/staff/alice"
    assert user["UserId"].startswith("AIDA")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    document = policy(allow("mq:ListBrokers"))
    made = iam.create_policy(PolicyName="look", PolicyDocument=document)["Policy"]
    second = policy(allow("mq:DescribeBroker"))
    iam.create_policy_version(PolicyArn=made["Arn"], PolicyDocument=second, SetAsDefault=True)
    iam.attach_group_policy(GroupName="staff", PolicyArn=made["Arn"])
    iam.attach_user_policy(
        UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AmazonMQReadOnlyAccess"
    )
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document)
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v2")["PolicyVersion"]
    assert version["Document"] == json.loads(second)
    assert version["IsDefaultVersion"]
    assert iam.get_user_policy(UserName="alice", PolicyName="own")["PolicyDocument"] == json.loads(
        document
    )
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="alice")["Groups"]]
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    assert (len(key["AccessKeyId"]), len(key["SecretAccessKey"])) == (20, 40)


def test_each_account_and_partition_has_its_own_identities(aws: Served) -> None:
    aws.client("iam").create_user(UserName="only-here")
    for elsewhere in (aws.client("iam", OTHER), aws.client("iam", region="cn-north-1")):
        assert refusal(elsewhere.get_user, UserName="only-here")["Code"] == "NoSuchEntity"
    arn = aws.client("iam", region="eu-central-1").get_user(UserName="only-here")["User"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:user/only-here"
    china = aws.client("iam", region="cn-north-1").create_user(UserName="x")["User"]["Arn"]
    assert china == f"arn:aws-cn:iam::{ACCOUNT}:user/x"


def test_the_root_user_and_a_role_are_no_users(aws: Served) -> None:
    """Quoted in aws/aws-sdk-java#1304; of the root user IAM shows the ARN and no name."""
    root = aws.client("iam")
    user = root.get_user()["User"]
    assert (user["Arn"], user["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert "UserName" not in user
    assert root.list_access_keys()["AccessKeyMetadata"] == []
    assert root.list_mfa_devices()["MFADevices"] == []
    person = new_user(aws, "rooted", allow("*"))
    assert refusal(root.create_access_key)["Code"] == "NoSuchEntity"
    assert refusal(root.delete_access_key, AccessKeyId=person.access_key_id)["Code"] == (
        "NoSuchEntity"
    )
    role = new_role(aws, "no-user", f"arn:aws:iam::{ACCOUNT}:root", allow("*"))
    session = client(aws, "sts", person).assume_role(RoleArn=role, RoleSessionName="session")
    iam = client(aws, "iam", Person.of(session["Credentials"]))
    for call in (iam.get_user, iam.list_access_keys, iam.create_access_key):
        refused = refusal(call)
        assert (refused["Code"], refused["Message"]) == (
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )
    refused = refusal(iam.delete_access_key, AccessKeyId=person.access_key_id)
    assert refused["Code"] == "ValidationError"
    assert iam.list_access_keys(UserName="rooted")["AccessKeyMetadata"]


def test_a_boundary_is_a_policy_that_exists(aws: Served) -> None:
    iam, boundary = aws.client("iam"), "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.create_user(UserName="bounded", PermissionsBoundary=boundary)
    assert iam.get_user(UserName="bounded")["User"]["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": boundary,
    }
    iam.delete_user_permissions_boundary(UserName="bounded")
    assert "PermissionsBoundary" not in iam.get_user(UserName="bounded")["User"]
    refused = refusal(
        iam.put_user_permissions_boundary,
        UserName="bounded",
        PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/none",
    )
    assert refused["Code"] == "NoSuchEntity"


def test_refusals_are_in_aws_words_and_change_nothing(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="twice")
    refused = refusal(iam.create_user, UserName="twice")
    assert (refused["Code"], refused["Status"]) == ("EntityAlreadyExists", 409)
    assert refused["Message"] == "User with name twice already exists."
    refused = refusal(iam.get_role, RoleName="nobody")
    assert (refused["Code"], refused["Status"]) == ("NoSuchEntity", 404)
    assert refused["Message"] == "The role with name nobody cannot be found."
    refused = refusal(
        iam.put_user_policy, UserName="twice", PolicyName="bad", PolicyDocument='{"Statement": 1}'
    )
    assert refused["Code"] == "MalformedPolicyDocument"
    refused = refusal(iam.create_role, RoleName="bad", AssumeRolePolicyDocument=policy(allow("*")))
    assert refused["Code"] == "MalformedPolicyDocument"
    assert iam.list_user_policies(UserName="twice")["PolicyNames"] == []
    refused = refusal(iam.create_user, UserName="a b")
    assert refused["Code"] == "ValidationError"
    assert refused["Message"].startswith(
        "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint"
    )
    refused = refusal(iam.change_password, OldPassword="correct", NewPassword="horse")
    assert refused["Message"] == "The testbed does not have ChangePassword of IAM."


def test_the_service_linked_role_of_amazon_mq_has_its_name_and_policy(aws: Served) -> None:
    iam = aws.client("iam", OTHER)
    role = iam.create_service_linked_role(AWSServiceName="mq.amazonaws.com")["Role"]
    name = "AWSServiceRoleForAmazonMQ"
    assert role["Arn"] == f"arn:aws:iam::{OTHER}:role/aws-service-role/mq.amazonaws.com/{name}"
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AmazonMQServiceRolePolicy"]
    taken = refusal(iam.create_service_linked_role, AWSServiceName="mq.amazonaws.com")
    assert taken["Code"] == "InvalidInput"


def test_an_instance_profile_has_its_role(aws: Served) -> None:
    iam = aws.client("iam")
    new_role(aws, "of-instances", f"arn:aws:iam::{ACCOUNT}:root")
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="of-instances")
    profile = iam.get_instance_profile(InstanceProfileName="profile")["InstanceProfile"]
    assert profile["InstanceProfileId"].startswith("AIPA")
    assert [role["RoleName"] for role in profile["Roles"]] == ["of-instances"]


def test_an_mfa_device_is_enabled_by_two_codes_of_it(aws: Served) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="with-device")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    enable = {"UserName": "with-device", "SerialNumber": device["SerialNumber"]}
    refused = refusal(
        iam.enable_mfa_device,
        **enable,
        AuthenticationCode1=mfa.code(seed, now),
        AuthenticationCode2=mfa.code(seed, now),
    )
    assert refused["Code"] == "InvalidAuthenticationCode"
    iam.enable_mfa_device(
        **enable,
        AuthenticationCode1=mfa.code(seed, now - mfa.STEP),
        AuthenticationCode2=mfa.code(seed, now),
    )
    [listed] = iam.list_mfa_devices(UserName="with-device")["MFADevices"]
    assert listed["SerialNumber"] == device["SerialNumber"]
    refused = refusal(iam.delete_virtual_mfa_device, SerialNumber=device["SerialNumber"])
    assert refused["Code"] == "DeleteConflict"


def test_an_account_can_be_listed_as_a_whole(aws: Served) -> None:
    iam = aws.client("iam")
    new_user(aws, "listed", allow("kms:*"))
    details = iam.get_account_authorization_details(Filter=["User"])
    [user] = [each for each in details["UserDetailList"] if each["UserName"] == "listed"]
    assert user["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == ["kms:*"]


def test_calls_are_recorded_without_secrets(aws: Served) -> None:
    iam = aws.client("iam")
    person = new_user(aws, "recorded")
    iam.create_login_profile(UserName="recorded", Password="canary-of-the-console")
    refusal(iam.get_user, UserName="never-there")
    iam.create_role(RoleName="recorded", AssumeRolePolicyDocument=trust(ACCOUNT))
    events: dict[str, str] = {}
    for page in (
        aws.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(
            LookupAttributes=[
                {"AttributeKey": "EventSource", "AttributeValue": "iam.amazonaws.com"}
            ]
        )
    ):
        for event in page["Events"]:
            events.setdefault(event["EventName"], event["CloudTrailEvent"])
    created = json.loads(events["CreateAccessKey"])
    assert created["requestParameters"] == {"userName": "recorded"}
    answer = created["responseElements"]["accessKey"]
    assert (answer["accessKeyId"], answer["status"]) == (person.access_key_id, "Active")
    assert (created["awsRegion"], created["readOnly"]) == ("us-east-1", False)
    refused = json.loads(events["GetUser"])
    assert (refused["errorCode"], refused["readOnly"]) == ("NoSuchEntity", True)
    assert refused["requestParameters"] == {"userName": "never-there"}
    assert "recorded" in json.loads(events["CreateRole"])["responseElements"]["role"]["arn"]
    everything = "".join(events.values())
    assert person.secret not in everything
    assert "canary-of-the-console" not in everything


def test_a_users_calls_are_recorded_as_the_users(aws: Served) -> None:
    person = new_user(aws, "caller", allow("iam:GetUser"))
    client(aws, "iam", person).get_user(UserName="caller")
    [event] = aws.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": person.access_key_id}]
    )["Events"]
    identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
    user = aws.client("iam").get_user(UserName="caller")["User"]
    assert identity == {
        "type": "IAMUser",
        "principalId": user["UserId"],
        "arn": user["Arn"],
        "accountId": ACCOUNT,
        "accessKeyId": person.access_key_id,
        "userName": "caller",
    }


@pytest.mark.nightly("the AWS CLI; every push has boto3")
def test_the_aws_cli_is_answered(aws: Served) -> None:
    cli = Cli(aws.endpoint, "us-east-1")
    cli.call("iam", "CreateUser", UserName="cli", Tags=[{"Key": "team", "Value": "blue"}])
    assert cli.call("iam", "GetUser", UserName="cli")["User"]["Tags"][0]["Value"] == "blue"
    with pytest.raises(Refused, match="NoSuchEntity"):
        cli.call("iam", "GetRole", RoleName="none")


def test_the_last_use_of_a_key_is_the_trails(aws: Served) -> None:
    iam, person = aws.client("iam"), new_user(aws, "used", allow("mq:*"))
    asked = {"AccessKeyId": person.access_key_id}
    never = iam.get_access_key_last_used(**asked)
    assert never["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    client(aws, "sts", person).get_caller_identity()
    client(aws, "mq", person, "eu-central-1").list_brokers()
    answer = iam.get_access_key_last_used(**asked)
    assert answer["UserName"] == "used"
    last = answer["AccessKeyLastUsed"]
    assert (last["ServiceName"], last["Region"]) in (
        ("amazonmq", "eu-central-1"),
        ("sts", "us-east-1"),  # in the same second
    )
    assert abs(last["LastUsedDate"] - aws.testbed.clock.datetime()) < timedelta(minutes=1)
    assert refusal(iam.get_access_key_last_used, AccessKeyId="AKIA" + "X" * 16)["Code"] == (
        "NoSuchEntity"
    )
