"""EC2's networks, CloudWatch, Logs, Secrets Manager, Parameter Store and EventBridge by boto3."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.account import chosen_services, default_vpc
from testbed.documented.neighbours import NEIGHBOURS
from testbed.errors import TestbedError
from tests.support.aws_endpoint import Served, refusal
from tests.support.aws_tools import Cli, Refused
from tests.support.identities import ACCOUNT, OTHER, allow, client, deny, new_user, served


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("neighbours") / "state") as served_testbed:
        yield served_testbed


def test_every_account_has_a_default_vpc_with_known_ids(aws: Served) -> None:
    for account, region in ((ACCOUNT, "us-east-1"), (OTHER, "eu-central-1")):
        ec2 = aws.client("ec2", account, region)
        [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        assert vpc["VpcId"] == default_vpc.vpc_id(account, region)
        subnets = ec2.describe_subnets()["Subnets"]
        zones = sorted(subnets, key=lambda subnet: str(subnet["AvailabilityZone"]))
        assert [subnet["SubnetId"] for subnet in zones] == [
            default_vpc.subnet_id(account, region, zone) for zone in range(len(zones))
        ]
        [group] = ec2.describe_security_groups()["SecurityGroups"]
        assert group["GroupId"] == default_vpc.security_group_id(account, region)


def test_a_network_is_what_was_made(aws: Served) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24", AvailabilityZone="us-east-1b")
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "broker"}]}]
    group = ec2.create_security_group(
        GroupName="broker", Description="AMQPS", VpcId=vpc, TagSpecifications=tags
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 5671,
                "ToPort": 5671,
                "IpRanges": [{"CidrIp": "10.1.0.0/16"}],
            }
        ],
    )
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"][0]["FromPort"] == 5671
    assert found["Tags"] == [{"Key": "Name", "Value": "broker"}]
    interface = ec2.create_network_interface(SubnetId=subnet["Subnet"]["SubnetId"], Groups=[group])[
        "NetworkInterface"
    ]
    assert interface["VpcId"] == vpc
    refused = refusal(ec2.describe_subnets, SubnetIds=["subnet-00000000000000000"])
    assert refused["Code"] == "InvalidSubnetID.NotFound"


def test_a_dry_run_changes_nothing(aws: Served) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    before = ec2.describe_vpcs()["Vpcs"]
    for call, parameters in (
        (ec2.create_vpc, {"CidrBlock": "10.8.0.0/16"}),
        (ec2.delete_vpc, {"VpcId": vpc}),
        (ec2.create_tags, {"Resources": [vpc], "Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        assert refusal(call, DryRun=True, **parameters)["Code"] == "DryRunOperation"
    assert ec2.describe_vpcs()["Vpcs"] == before
    nobody = client(aws, "ec2", new_user(aws, "dry"))
    refused = refusal(nobody.delete_vpc, VpcId=vpc, DryRun=True)
    assert refused["Code"] == "UnauthorizedOperation"


def test_what_is_in_use_is_not_deleted(aws: Served) -> None:
    ec2 = aws.client("ec2", region="eu-west-2")
    before = ec2.describe_network_acls()["NetworkAcls"]
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    group, other = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("own", "other")
    )
    pair = {"GroupId": group}
    ec2.authorize_security_group_ingress(
        GroupId=other, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]
    )
    refused = refusal(ec2.delete_security_group, GroupId=group)
    assert refused["Message"] == f"resource {group} has a dependent object"
    ec2.delete_security_group(GroupId=other)
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]
    for call, parameters in (
        (ec2.delete_security_group, {"GroupId": group}),
        (ec2.delete_subnet, {"SubnetId": subnet}),
        (ec2.delete_vpc, {"VpcId": vpc}),
    ):
        assert refusal(call, **parameters)["Code"] == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_subnet(SubnetId=subnet)
    assert refusal(ec2.delete_vpc, VpcId=vpc)["Code"] == "DependencyViolation", "a group"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls()["NetworkAcls"] == before


def test_parameters_secrets_logs_metrics_and_events_are_what_was_put(aws: Served) -> None:
    ssm, secrets, logs = aws.client("ssm"), aws.client("secretsmanager"), aws.client("logs")
    ssm.put_parameter(Name="/mq/user", Value="admin", Type="String")
    assert ssm.get_parameter(Name="/mq/user")["Parameter"]["Value"] == "admin"
    secrets.create_secret(Name="mq", SecretString="correct-horse-1")
    assert secrets.get_secret_value(SecretId="mq")["SecretString"] == "correct-horse-1"
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="one")
    now = int(time.time() * 1000)
    logs.put_log_events(
        logGroupName="/app",
        logStreamName="one",
        logEvents=[{"timestamp": now, "message": "hello"}],
    )
    [event] = logs.filter_log_events(logGroupName="/app")["events"]
    assert event["message"] == "hello"
    metrics = aws.client("cloudwatch")
    metrics.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Sent", "Value": 3}])
    [metric] = metrics.list_metrics(Namespace="App")["Metrics"]
    assert metric["MetricName"] == "Sent"


def test_a_resource_policy_has_to_be_one(aws: Served) -> None:
    for document in ("no policy", '{"Version": "2012-10-17", "Statement": {"Effect": "Maybe"}}'):
        refused = refusal(
            aws.client("logs").put_resource_policy, policyName="p", policyDocument=document
        )
        assert refused["Code"] == "InvalidParameterException"


def test_an_event_reaches_the_log_group_of_its_rule(aws: Served) -> None:
    events, logs = aws.client("events"), aws.client("logs")
    logs.create_log_group(logGroupName="/aws/events/app")
    [group] = logs.describe_log_groups(logGroupNamePrefix="/aws/events/app")["logGroups"]
    events.put_rule(Name="app", EventPattern=json.dumps({"source": ["app"]}))
    target = {"Id": "logs", "Arn": group["logGroupArn"]}
    assert events.put_targets(Rule="app", Targets=[target])["FailedEntryCount"] == 0
    for source in ("app", "other"):
        entry = {"Source": source, "DetailType": "t", "Detail": '{"n": 1}'}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    [event] = logs.filter_log_events(logGroupName="/aws/events/app")["events"]
    assert json.loads(event["message"])["source"] == "app"
    refused = refusal(
        events.put_targets,
        Rule="app",
        Targets=[{"Id": "f", "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"}],
    )
    assert refused["Message"] == "The testbed delivers events to log groups alone."


def test_a_rule_is_one_resource_on_whichever_bus_and_a_bus_another(aws: Served) -> None:
    """Service Authorization Reference, EventBridge: rules on the default and on custom buses."""
    events = f"arn:aws:events:us-east-1:{ACCOUNT}"
    pattern = json.dumps({"source": ["app"]})
    rules = new_user(
        aws,
        "rules",
        *(allow("events:*", resource=f"{events}:rule/{name}") for name in ("app-*", "own/*")),
    )
    aws.client("events").create_event_bus(Name="own")
    mine = client(aws, "events", rules)
    rule = mine.put_rule(Name="app-1", EventPattern=pattern, EventBusName="default")["RuleArn"]
    mine.put_rule(Name="any", EventPattern=pattern, EventBusName="own")
    mine.put_rule(Name="any", EventPattern=pattern, EventBusName=f"{events}:event-bus/own")
    assert mine.list_tags_for_resource(ResourceARN=rule)["Tags"] == []
    refused = refusal(mine.put_rule, Name="any", EventPattern=pattern)
    assert f"on resource: {events}:rule/any because" in refused["Message"]
    refused = refusal(mine.create_event_bus, Name="app-2")
    assert f"on resource: {events}:event-bus/app-2 because" in refused["Message"]
    buses = new_user(aws, "buses", allow("events:*", resource=f"{events}:event-bus/own*"))
    mine = client(aws, "events", buses)
    mine.create_event_bus(Name="own-2")
    entry = {"Source": "app", "DetailType": "t", "Detail": "{}", "EventBusName": "own-2"}
    assert mine.put_events(Entries=[entry])["FailedEntryCount"] == 0
    refused = refusal(mine.put_events, Entries=[entry, {**entry, "EventBusName": "default"}])
    assert f"on resource: {events}:event-bus/default because" in refused["Message"]


def test_the_tags_of_a_log_group_are_about_the_group(aws: Served) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/tagged", tags={"team": "blue"})
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/tagged"
    own = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    person = new_user(aws, "tagger", allow("logs:ListTagsForResource", resource=arn, Condition=own))
    found = client(aws, "logs", person).list_tags_for_resource(resourceArn=arn)
    assert found["tags"] == {"team": "blue"}


def test_log_events_end_with_their_retention(tmp_path: Path) -> None:
    with served(tmp_path / "state") as aws:
        logs = aws.client("logs")
        for name in ("/week", "/ever"):
            logs.create_log_group(logGroupName=name)
            logs.create_log_stream(logGroupName=name, logStreamName="one")
            event = {"timestamp": int(time.time() * 1000), "message": "hello"}
            logs.put_log_events(logGroupName=name, logStreamName="one", logEvents=[event])
        logs.put_retention_policy(logGroupName="/week", retentionInDays=7)
        aws.testbed.clock.turn(6 * 86_400)
        assert logs.filter_log_events(logGroupName="/week")["events"]
        aws.testbed.clock.turn(2 * 86_400)
        assert logs.filter_log_events(logGroupName="/week")["events"] == []
        assert logs.filter_log_events(logGroupName="/ever")["events"]
    with served(tmp_path / "state") as aws:
        logs = aws.client("logs")
        logs.put_log_events(logGroupName="/ever", logStreamName="one", logEvents=[event])
        ids = [found["eventId"] for found in logs.filter_log_events(logGroupName="/ever")["events"]]
        assert len(set(ids)) == 2, "`aws logs tail` tells events apart by them"


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"}),
        ("logs", "start_query", {"startTime": 1, "endTime": 2, "queryString": "fields @message"}),
        ("ssm", "send_command", {"DocumentName": "x"}),
        ("secretsmanager", "rotate_secret", {"SecretId": "mq"}),
    ],
)
def test_what_nothing_stands_behind_is_refused_in_plain_words(
    aws: Served, service: str, operation: str, parameters: dict[str, object]
) -> None:
    refused = refusal(getattr(aws.client(service), operation), **parameters)
    name = "".join(word.title() for word in operation.split("_"))
    assert (
        refused["Message"] == f"The testbed does not have {name} of {NEIGHBOURS[service].called}."
    )


@pytest.mark.parametrize("name", ["plain", "/one", "/of/two"])
def test_a_new_version_without_a_type_is_encrypted_whatever_its_name(
    aws: Served, name: str
) -> None:
    """Without containers KMS does not answer, so a version that needs a key is not kept."""
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=name, Value="old", Type="SecureString")
    new = {"Name": name, "Value": "new", "KeyId": "alias/mine", "Overwrite": True}
    assert refusal(ssm.put_parameter, **new)["Code"] in ("InternalServerError", "InvalidKeyId")
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "old"


def test_identity_policies_decide(aws: Served) -> None:
    aws.client("ssm").put_parameter(Name="/team/one", Value="1", Type="String")
    aws.client("ssm").put_parameter(Name="/team/two", Value="2", Type="String")
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/team/*"
    two = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/team/two"
    person = new_user(
        aws, "reader", allow("ssm:GetParameter", resource=arn), deny("ssm:*", resource=two)
    )
    ssm = client(aws, "ssm", person)
    assert ssm.get_parameter(Name="/team/one")["Parameter"]["Value"] == "1"
    user = f"arn:aws:iam::{ACCOUNT}:user/reader"
    refused = refusal(ssm.get_parameter, Name="/team/two")
    assert refused["Code"] == "AccessDeniedException"
    assert refused["Message"] == (
        f"User: {user} is not authorized to perform: ssm:GetParameter on resource: {two} with an "
        "explicit deny in an identity-based policy"
    )
    refused = refusal(client(aws, "ec2", person).create_vpc, CidrBlock="10.2.0.0/16")
    assert refused["Code"] == "UnauthorizedOperation"
    vpc = f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*"
    assert refused["Message"] == (
        f"You are not authorized to perform this operation. User: {user} is not authorized to "
        f"perform: ec2:CreateVpc on resource: {vpc} because no identity-based policy allows the "
        "ec2:CreateVpc action"
    )


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("events", "create_event_bus", {"Name": "bus", "KmsKeyIdentifier": "alias/mine"}),
        ("logs", "create_log_group", {"logGroupName": "/p", "deletionProtectionEnabled": True}),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "EntityMetricData": [
            {"MetricData": [{"MetricName": "m", "Value": 1.0}]}]}),
    ],
)  # fmt: skip
def test_what_would_be_kept_without_effect_is_refused(
    aws: Served, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    refused = refusal(getattr(aws.client(service), operation), **parameters)
    assert refused["Message"].startswith("The testbed ")


def test_a_parameter_keeps_its_pattern(aws: Served) -> None:
    ssm, put = aws.client("ssm"), {"Name": "/patterned", "Type": "String", "Overwrite": True}
    ssm.put_parameter(**put, Value="100", AllowedPattern=r"\d{1,4}")
    ssm.put_parameter(**put, Value="200")
    for _ in range(2):
        refused = refusal(ssm.put_parameter, **put, Value="10,000")
        assert refused["Code"] == "ParameterPatternMismatchException"
        assert refused["Message"].endswith(r"cannot be validated against allowedPattern: \d{1,4}")
    assert ssm.get_parameter(Name="/patterned")["Parameter"]["Value"] == "200"
    refused = refusal(ssm.put_parameter, **put, Value="1", AllowedPattern="(")
    assert refused["Code"] == "InvalidAllowedPatternException"


def test_a_secret_that_is_deleted_gets_no_value(aws: Served) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="deleted", SecretString="one")
    secrets.delete_secret(SecretId="deleted", RecoveryWindowInDays=7)
    refused = refusal(secrets.put_secret_value, SecretId="deleted", SecretString="two")
    assert refused["Code"] == "InvalidRequestException"
    secrets.restore_secret(SecretId="deleted")
    assert secrets.get_secret_value(SecretId="deleted")["SecretString"] == "one"


def test_a_secret_is_allowed_by_its_whole_arn(aws: Served) -> None:
    made = aws.client("secretsmanager").create_secret(Name="whole", SecretString="x-1")
    person = new_user(
        aws, "whole", allow("secretsmanager:GetSecretValue", resource=f"{made['ARN'][:-6]}??????")
    )
    secrets = client(aws, "secretsmanager", person)
    assert secrets.get_secret_value(SecretId="whole")["SecretString"] == "x-1"
    assert secrets.get_secret_value(SecretId=made["ARN"])["SecretString"] == "x-1"
    assert refusal(secrets.get_secret_value, SecretId="mq")["Code"] == "AccessDeniedException"


def test_a_batch_has_the_secrets_that_its_reader_may_read_one_by_one(aws: Served) -> None:
    """API reference, BatchGetSecretValue: GetSecretValue for each, with filters ListSecrets."""
    admin = aws.client("secretsmanager")
    mine, theirs = (
        admin.create_secret(Name=f"batch-{name}", SecretString=name)["ARN"] for name in "ab"
    )
    batch = "secretsmanager:BatchGetSecretValue"
    read = allow("secretsmanager:GetSecretValue", resource=mine)
    person = new_user(aws, "batch", allow(batch), read)
    secrets = client(aws, "secretsmanager", person)
    answer = secrets.batch_get_secret_value(SecretIdList=["batch-a", "batch-b"])
    assert [secret["SecretString"] for secret in answer["SecretValues"]] == ["a"]
    [error] = answer["Errors"]
    assert (error["SecretId"], error["ErrorCode"]) == (theirs, "AccessDeniedException")
    assert theirs in error["Message"]
    about = [{"AttributeKey": "Username", "AttributeValue": "batch"}]
    events = aws.client("cloudtrail").lookup_events(LookupAttributes=about)["Events"]
    assert [event["EventName"] for event in events] == ["BatchGetSecretValue", "GetSecretValue"]
    by_name = [{"Key": "name", "Values": ["batch-"]}]
    refused = refusal(secrets.batch_get_secret_value, Filters=by_name)
    assert "secretsmanager:ListSecrets" in refused["Message"]
    lister = new_user(aws, "lister", allow(batch, "secretsmanager:ListSecrets"), read)
    found = client(aws, "secretsmanager", lister).batch_get_secret_value(Filters=by_name)
    assert [secret["ARN"] for secret in found["SecretValues"]] == [mine]


@pytest.mark.parametrize("team", ["blue", "red"])
def test_tags_of_what_exists_decide(aws: Served, team: str) -> None:
    tags = [{"Key": "team", "Value": team}]
    aws.client("ssm").put_parameter(Name=f"/{team}", Value="1", Type="String", Tags=tags)
    secret = aws.client("secretsmanager").create_secret(Name=team, SecretString="s", Tags=tags)
    aws.client("logs").create_log_group(logGroupName=f"/{team}", tags={"team": team})
    vpc = aws.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}]
    )["Vpc"]["VpcId"]
    own = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    person = new_user(aws, f"of-{team}", {**allow("*"), "Condition": own})
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client(aws, "ssm", person).get_parameter, {"Name": f"/{team}"}),
        (client(aws, "secretsmanager", person).get_secret_value, {"SecretId": secret["ARN"]}),
        (client(aws, "logs", person).delete_log_group, {"logGroupName": f"/{team}"}),
        (client(aws, "ec2", person).delete_vpc, {"VpcId": vpc}),
    ]
    for service, call, parameters, code in (
        ("ssm", "get_parameter", {"Name": "/none"}, "ParameterNotFound"),
        ("secretsmanager", "get_secret_value", {"SecretId": "none"}, "ResourceNotFoundException"),
        ("logs", "delete_log_group", {"logGroupName": "/none"}, "ResourceNotFoundException"),
        ("ec2", "delete_vpc", {"VpcId": "vpc-0"}, "InvalidVpcID.NotFound"),
    ):
        everything = new_user(aws, f"all-{team}-{service}", allow("*"))
        assert (
            refusal(getattr(client(aws, service, everything), call), **parameters)["Code"] == code
        )
    for call, parameters in calls:
        if team == "blue":
            call(**parameters)
        else:
            assert "not authorized to perform" in refusal(call, **parameters)["Message"]


def test_calls_are_recorded_without_secrets_and_data_events_not(aws: Served) -> None:
    secrets = aws.client("secretsmanager", OTHER)
    secrets.create_secret(Name="recorded", SecretString="correct-horse-2")
    aws.client("logs", OTHER).create_log_group(logGroupName="/recorded")
    aws.client("logs", OTHER).filter_log_events(logGroupName="/recorded")
    aws.client("cloudwatch", OTHER).list_metrics()
    records = [
        json.loads(event["CloudTrailEvent"])
        for event in aws.client("cloudtrail", OTHER).lookup_events()["Events"]
    ]
    seen = {(record["eventSource"], record["eventName"]): record for record in records}
    created = seen["secretsmanager.amazonaws.com", "CreateSecret"]
    assert created["requestParameters"]["name"] == "recorded"
    assert "correct-horse-2" not in json.dumps(records)
    assert ("logs.amazonaws.com", "CreateLogGroup") in seen
    assert ("logs.amazonaws.com", "FilterLogEvents") not in seen
    assert seen["monitoring.amazonaws.com", "ListMetrics"]["readOnly"]


def test_what_breaks_the_model_is_refused_in_aws_words(aws: Served) -> None:
    refused = refusal(aws.client("logs").create_log_group, logGroupName="a b")
    assert refused["Code"] == "InvalidParameterException"
    assert refused["Message"].startswith(
        "1 validation error detected: Value 'a b' at 'logGroupName'"
    )


def test_everything_outlives_the_endpoint(tmp_path: Path) -> None:
    with served(tmp_path / "state") as aws:
        vpc = aws.client("ec2").create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
        aws.client("ssm").put_parameter(
            Name="/kept", Value="1", Type="String", Tags=[{"Key": "t", "Value": "1"}]
        )
        aws.client("secretsmanager").create_secret(Name="kept", SecretString="y-1")
        aws.client("logs").create_log_group(logGroupName="/kept")
        aws.client("cloudwatch").put_metric_data(
            Namespace="Kept", MetricData=[{"MetricName": "Sent", "Value": 3}]
        )
        aws.client("events").put_rule(Name="kept", EventPattern='{"source": ["app"]}')
    with served(tmp_path / "state") as aws:
        vpcs = aws.client("ec2").describe_vpcs()["Vpcs"]
        assert {found["VpcId"] for found in vpcs} == {vpc, default_vpc.vpc_id(ACCOUNT, "us-east-1")}
        ssm = aws.client("ssm")
        assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "1"
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/kept")["TagList"]
        assert tags == [{"Key": "t", "Value": "1"}]
        assert (
            aws.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"] == "y-1"
        )
        assert aws.client("logs").describe_log_groups()["logGroups"]
        assert aws.client("cloudwatch").list_metrics(Namespace="Kept")["Metrics"]
        assert aws.client("events").describe_rule(Name="kept")["State"] == "ENABLED"


def test_only_the_chosen_are_served(tmp_path: Path) -> None:
    with served(tmp_path / "state") as aws:
        chosen_services.choose(aws.testbed.state, ["mq", "kms", "ssm"])
        refused = refusal(aws.client("ec2").describe_vpcs)
        assert refused["Message"] == "EC2 is turned off; `testbed up --only` says what is served."
        assert aws.client("ssm").describe_parameters()["Parameters"] == []
        with pytest.raises(TestbedError, match="no service 's3'"):
            chosen_services.choose(aws.testbed.state, ["s3"])
        chosen_services.choose(aws.testbed.state, ["all"])
        assert aws.client("ec2").describe_vpcs()["Vpcs"]


@pytest.mark.nightly("the AWS CLI; every push has boto3")
def test_the_aws_cli_reads_and_writes_them(aws: Served) -> None:
    cli = Cli(aws.endpoint, "us-east-1")
    cli.call("ssm", "PutParameter", Name="cli", Value="x", Type="String")
    assert cli.call("ssm", "GetParameter", Name="cli")["Parameter"]["Value"] == "x"
    group = cli.call("ec2", "CreateSecurityGroup", GroupName="cli", Description="of the CLI")
    found = cli.call("ec2", "DescribeSecurityGroups", GroupIds=[group["GroupId"]])
    assert found["SecurityGroups"][0]["GroupName"] == "cli"
    cli.call("iam", "CreateUser", UserName="cli", Tags=[{"Key": "team", "Value": "blue"}])
    assert cli.call("iam", "GetUser", UserName="cli")["User"]["Tags"][0]["Value"] == "blue"
    with pytest.raises(Refused, match="NoSuchEntity"):
        cli.call("iam", "GetRole", RoleName="none")


@pytest.mark.parametrize(
    ("service", "call", "parameters", "code"),
    [
        ("ec2", "create_subnet", {"VpcId": "vpc-0", "CidrBlock": "10.0.0.0/24"},
         "InvalidVpcID.NotFound"),
        ("logs", "get_log_events", {"logGroupName": "none", "logStreamName": "none"},
         "ResourceNotFoundException"),
        ("secretsmanager", "get_secret_value", {"SecretId": "none"}, "ResourceNotFoundException"),
        ("ssm", "get_parameter", {"Name": "none"}, "ParameterNotFound"),
        ("events", "describe_rule", {"Name": "none"}, "ResourceNotFoundException"),
    ],
)  # fmt: skip
def test_refusals_are_the_services_own(
    aws: Served, service: str, call: str, parameters: dict[str, Any], code: str
) -> None:
    refused = refusal(getattr(aws.client(service), call), **parameters)
    assert refused["Code"] == code
    assert refused["Status"] < 500


def test_other_services_are_refused(aws: Served) -> None:
    refused = refusal(aws.client("sqs").list_queues)
    assert "and not sqs" in refused["Message"]


def test_nothing_is_loaded_before_it_is_used(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support.identities import served\n"
        f"with served(Path({str(tmp_path / 'state')!r})) as aws:\n"
        "    aws.client('sts').get_caller_identity()\n"
        "    aws.client('mq').list_brokers()\n"
        "assert 'moto' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_parameter_is_the_same_for_policies_however_it_is_named(aws: Served) -> None:
    ssm, about_red = aws.client("ssm"), {"StringEquals": {"aws:ResourceTag/team": "red"}}
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/"
    tags = [{"Key": "team", "Value": "red"}]
    for name in ("/named/one", "named"):
        ssm.put_parameter(Name=name, Value="1", Type="String", Tags=tags)
    named = [arn + "named/one", arn + "named"]
    may = client(aws, "ssm", new_user(aws, "named", {**allow("ssm:*"), "Resource": named}))
    red = deny("ssm:*", Condition=about_red)
    may_not = client(aws, "ssm", new_user(aws, "not-red", allow("ssm:*"), red))
    names = ("/named/one", "/named/one:1", named[0], f"{named[0]}:1", "named", "/named", named[1])
    for name in names:
        assert may.get_parameter(Name=name)["Parameter"]["Value"] == "1", name
        assert refusal(may_not.get_parameter, Name=name)["Code"] == "AccessDeniedException", name


def test_a_parameter_has_a_name_and_a_size(aws: Served) -> None:
    ssm = aws.client("ssm")
    value = {"Value": "x" * 4097, "Type": "String"}
    refused = refusal(ssm.put_parameter, Name="long", **value)
    assert refused["Code"] == "ValidationException"
    assert refused["Message"].startswith("Standard tier parameters support a maximum")
    ssm.put_parameter(Name="long", **value, Tier="Advanced")
    ssm.put_parameter(Name="long", Value="y" * 8192, Overwrite=True)
    refused = refusal(ssm.put_parameter, Name="long", Value="y" * 8193, Overwrite=True)
    assert "8192 characters" in refused["Message"]
    name = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/long"
    refused = refusal(ssm.put_parameter, Name=name, Value="z", Overwrite=True)
    assert refused["Code"] == "ValidationException"


TAG = {"Key": "team", "Value": "red"}


@pytest.mark.parametrize(
    ("service", "action", "call", "parameters", "tags"),
    [
        (
            "ec2",
            "CreateTags",
            "create_vpc",
            {"CidrBlock": "10.3.0.0/16"},
            {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [TAG]}]},
        ),
        ("logs", "TagResource", "create_log_group", {"logGroupName": "t"}, {"tags": {"a": "b"}}),
        (
            "secretsmanager",
            "TagResource",
            "create_secret",
            {"Name": "t", "SecretString": "x"},
            {"Tags": [TAG]},
        ),
        (
            "ssm",
            "AddTagsToResource",
            "put_parameter",
            {"Name": "t", "Value": "x", "Type": "String"},
            {"Tags": [TAG]},
        ),
        (
            "events",
            "TagResource",
            "put_rule",
            {"Name": "t", "EventPattern": '{"source": ["a"]}'},
            {"Tags": [TAG]},
        ),
    ],
)
def test_who_makes_something_with_tags_may_tag(
    aws: Served, service: str, action: str, call: str, parameters: Any, tags: Any
) -> None:
    made = f"{service}:{''.join(word.title() for word in call.split('_'))}"
    name = f"maker-{service}"
    make = getattr(client(aws, service, new_user(aws, name, allow(made))), call)
    refused = refusal(make, **parameters, **tags)
    assert f"not authorized to perform: {service}:{action} on" in refused["Message"]
    make(**parameters)
    tagger = new_user(aws, f"{name}-tags", allow(made, f"{service}:{action}"))
    another = {member: "u" if text == "t" else text for member, text in parameters.items()}
    getattr(client(aws, service, tagger), call)(**another, **tags)


def test_a_security_group_is_the_same_by_its_name(aws: Served) -> None:
    ec2 = aws.client("ec2", region="eu-west-3")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_security_group(GroupName="same", Description="of another VPC", VpcId=vpc)
    spec = {"ResourceType": "security-group", "Tags": [TAG]}
    group = ec2.create_security_group(
        GroupName="same", Description="in use", TagSpecifications=[spec]
    )["GroupId"]
    made = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]
    refused = refusal(ec2.delete_security_group, GroupName="same")
    assert refused["Code"] == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    of_red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    person = new_user(aws, "not-red-groups", allow("ec2:*"), deny("ec2:*", Condition=of_red))
    may_not = client(aws, "ec2", person, "eu-west-3")
    refused = refusal(may_not.delete_security_group, GroupName="same")
    assert f"security-group/{group} with an explicit deny" in refused["Message"]
    ec2.delete_security_group(GroupName="same")
    left = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["same"]}])
    assert [each["VpcId"] for each in left["SecurityGroups"]] == [vpc]


def test_tags_of_ec2_are_decided_on_by_what_gets_them(aws: Served) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.4.1.0/24")["Subnet"]["SubnetId"]
    vpcs = allow("ec2:*Tags", resource=f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*")
    tagger = client(aws, "ec2", new_user(aws, "vpc-tagger", vpcs))
    tagger.create_tags(Resources=[vpc], Tags=[TAG])
    refused = refusal(tagger.create_tags, Resources=[vpc, subnet], Tags=[TAG])
    assert f":subnet/{subnet} because" in refused["Message"]
    tagger.delete_tags(Resources=[vpc], Tags=[TAG])
    on_creation = {"StringEquals": {"ec2:CreateAction": "CreateVpc"}}
    own = allow("ec2:CreateTags", Condition=on_creation)
    maker = client(aws, "ec2", new_user(aws, "vpc-maker", allow("ec2:CreateVpc"), own))
    spec = {"ResourceType": "vpc", "Tags": [TAG]}
    made = maker.create_vpc(CidrBlock="10.5.0.0/16", TagSpecifications=[spec])["Vpc"]
    assert made["Tags"] == [TAG]
    refused = refusal(maker.create_tags, Resources=[made["VpcId"]], Tags=[TAG])
    assert refused["Code"] == "UnauthorizedOperation"


@pytest.mark.parametrize("name", ["logs", "secretsmanager", "ssm", "events"])
def test_a_form_is_no_request_of_a_service_that_speaks_json(aws: Served, name: str) -> None:
    for action in sorted(NEIGHBOURS[name].operations):
        answer = aws.send("POST", "/", f"Action={action}".encode(), service=name)
        assert answer.status == 400, (action, answer.body)
        assert answer.document["__type"] == "UnknownOperationException"


def test_log_events_are_found_by_group_stream_words_and_time(aws: Served) -> None:
    logs, now = aws.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="/found")
    for stream, events in (("a-1", (0, 2)), ("a-2", (1, 3)), ("b", (4,))):
        logs.create_log_stream(logGroupName="/found", logStreamName=stream)
        logs.put_log_events(
            logGroupName="/found",
            logStreamName=stream,
            logEvents=[{"timestamp": now + at, "message": f"event {at}"} for at in events],
        )
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/found"
    own = allow("logs:*", resource=f"{arn}:*")
    reader = client(aws, "logs", new_user(aws, "log-reader", own))

    def found(**asked: Any) -> list[int]:
        events = reader.filter_log_events(**asked)["events"]
        return [int(event["message"][-1]) for event in events]

    for group in (
        {"logGroupName": "/found"},
        *({"logGroupIdentifier": n} for n in (arn, "/found")),
    ):
        assert found(**group) == [0, 1, 2, 3, 4]
        assert found(**group, logStreamNamePrefix="a-") == [0, 1, 2, 3]
        assert found(**group, logStreamNamePrefix="c") == []
        assert len(reader.describe_log_streams(**group)["logStreams"]) == 3
    assert found(logGroupName="/found", filterPattern='"event 3"') == [3]
    for odd in ("{ $.level = 1 }", "?event ?other", "event -3", "%e%", "500"):
        refused = refusal(logs.filter_log_events, logGroupName="/found", filterPattern=odd)
        assert refused["Code"] == "InvalidParameterException", odd
    foreign = arn.replace(ACCOUNT, OTHER)
    refused = refusal(logs.filter_log_events, logGroupIdentifier=foreign)
    assert refused["Code"] == "ResourceNotFoundException"
    refused = refusal(logs.describe_log_groups, logGroupNamePattern="found")
    assert refused["Code"] == "InvalidParameterException"


def test_an_event_in_a_log_group_has_whole_milliseconds(aws: Served) -> None:
    logs, events = aws.client("logs"), aws.client("events")
    logs.create_log_group(logGroupName="/whole")
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/whole"
    events.put_rule(Name="whole", EventPattern='{"source": ["whole"]}')
    events.put_targets(Rule="whole", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "whole", "DetailType": "t", "Detail": "{}"}])
    [event] = logs.filter_log_events(logGroupName="/whole")["events"]
    assert isinstance(event["timestamp"], int)


def test_rules_deliver_to_what_is_there_while_they_are_enabled(aws: Served) -> None:
    logs, events = aws.client("logs"), aws.client("events")
    pattern, prefix = '{"source": ["there"]}', f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:"
    logs.create_log_group(logGroupName="/there")
    events.put_rule(Name="there", EventPattern=pattern, State="DISABLED")
    targets = [{"Id": "1", "Arn": f"{prefix}/there:*"}, {"Id": "2", "Arn": f"{prefix}/gone"}]
    events.put_targets(Rule="there", Targets=targets)
    entry = {"Source": "there", "DetailType": "t", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert logs.filter_log_events(logGroupName="/there")["events"] == []
    events.enable_rule(Name="there")
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert len(logs.filter_log_events(logGroupName="/there")["events"]) == 1
    assert events.list_targets_by_rule(Rule="there")["Targets"] == targets
    [target, _] = targets
    given = [{**target, "Input": "{}"}]
    refused = refusal(events.put_targets, Rule="there", Targets=given)
    assert refused["Code"] == "ValidationException"
    for source, matches in (("there", True), ("elsewhere", False)):
        event = json.dumps({"id": "1", "source": source, "detail": {}})
        assert events.test_event_pattern(EventPattern=pattern, Event=event)["Result"] is matches
    refused = refusal(events.test_event_pattern, EventPattern=pattern, Event="[]")
    assert refused["Code"] == "ValidationException"


def test_what_aws_refuses_is_not_kept(aws: Served) -> None:
    ec2, logs, ssm = aws.client("ec2"), aws.client("logs"), aws.client("ssm")
    refused = refusal(ec2.describe_vpcs, Filters=[{"Name": "no-such", "Values": ["x"]}])
    assert (refused["Code"], refused["Status"]) == ("InvalidParameterValue", 400)
    assert refused["Message"] == "The testbed does not have the filter 'no-such' for DescribeVpcs."
    logs.create_log_group(logGroupName="/kept")
    refused = refusal(logs.put_retention_policy, logGroupName="/kept", retentionInDays=2)
    assert refused["Code"] == "InvalidParameterException"
    refused = refusal(logs.create_log_group, logGroupName="/rare", logGroupClass="DELIVERY")
    assert refused["Code"] == "InvalidParameterException"
    refused = refusal(aws.client("secretsmanager").create_secret, Name="a b", SecretString="x")
    assert refused["Message"].startswith("Invalid name.")
    ssm.put_parameter(Name="typed", Value="x", Type="String")
    other = {"Name": "typed", "Value": "x", "Type": "SecureString"}
    refused = refusal(ssm.put_parameter, **other, Overwrite=True)
    assert refused["Code"] == "HierarchyTypeMismatchException"
    assert refusal(ssm.put_parameter, **other)["Code"] == "ParameterAlreadyExists"
