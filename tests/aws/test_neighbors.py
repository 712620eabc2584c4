"""What templates for brokers name beside them, as boto3 sees it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal
from tests.support.aws_tools import Cli, Refused
from tests.support.identities import ACCOUNT, allow, client, new_user, served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("neighbors") / "state"


@pytest.fixture(scope="module")
def aws(folder: Path) -> Iterator[Served]:
    with served(folder) as served_testbed:
        yield served_testbed


def template(aws: Served) -> dict[str, Any]:
    """Make what a template for a broker has, and return the ids."""
    ec2, logs = aws.client("ec2"), aws.client("logs")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="mq", Description="of brokers", VpcId=vpc)[
        "GroupId"
    ]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 5671, "ToPort": 5671,
             "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
        ],
    )  # fmt: skip
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]
    logs.create_log_group(logGroupName="/aws/amazonmq/broker/b-1/general")
    logs.put_retention_policy(logGroupName="/aws/amazonmq/broker/b-1/general", retentionInDays=7)
    logs.create_log_stream(logGroupName="/aws/amazonmq/broker/b-1/general", logStreamName="s")
    logs.put_log_events(
        logGroupName="/aws/amazonmq/broker/b-1/general",
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": "started"}],
    )
    secret = aws.client("secretsmanager").create_secret(
        Name="broker", SecretString=json.dumps({"password": "canary-of-the-secret"})
    )["ARN"]
    aws.client("ssm").put_parameter(
        Name="/broker/password", Value="canary-of-the-parameter", Type="SecureString"
    )
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="depth",
        Namespace="AWS/AmazonMQ",
        MetricName="MessageCount",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Average",
        Threshold=1.0,
    )
    aws.client("events").put_rule(Name="nightly", ScheduleExpression="rate(1 day)")
    return {
        "vpc": vpc,
        "subnet": subnet,
        "group": group,
        "interface": interface["NetworkInterfaceId"],
        "secret": secret,
    }


def inventory(aws: Served) -> dict[str, Any]:
    """Return what is there, as its owner sees it."""
    ec2, logs = aws.client("ec2"), aws.client("logs")
    return {
        "vpcs": sorted(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]),
        "subnets": sorted(each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]),
        "groups": sorted(
            each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]
        ),
        "rules": [
            each["FromPort"]
            for each in ec2.describe_security_group_rules()["SecurityGroupRules"]
            if not each["IsEgress"] and each.get("FromPort")
        ],
        "interfaces": sorted(
            each["NetworkInterfaceId"]
            for each in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ),
        "logs": [
            (each["logGroupName"], each.get("retentionInDays"))
            for each in logs.describe_log_groups()["logGroups"]
        ],
        "messages": [
            event["message"]
            for each in logs.describe_log_groups()["logGroups"]
            for event in logs.filter_log_events(logGroupName=each["logGroupName"])["events"]
        ],
        "secret": aws.client("secretsmanager").get_secret_value(SecretId="broker")["SecretString"],
        "parameter": aws.client("ssm").get_parameter(Name="/broker/password", WithDecryption=True)[
            "Parameter"
        ]["Value"],
        "alarms": [
            each["AlarmName"] for each in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ],
        "rule": aws.client("events").list_rules()["Rules"][0]["Name"],
    }


def test_a_template_is_there_recorded_and_outlives_the_process(aws: Served, folder: Path) -> None:
    made, before = template(aws), inventory(aws)
    assert made["subnet"] in before["subnets"]
    assert made["interface"] in before["interfaces"]
    assert before["rules"] == [5671]
    assert before["messages"] == ["started"]
    assert before["parameter"] == "canary-of-the-parameter"
    with served(folder) as again:  # another process would read the same
        assert inventory(again) == before
    records = [
        event["CloudTrailEvent"]
        for page in aws.client("cloudtrail").get_paginator("lookup_events").paginate()
        for event in page["Events"]
    ]
    names = {json.loads(record)["eventName"] for record in records}
    assert {"CreateVpc", "PutMetricAlarm", "CreateSecret", "PutParameter", "PutRule"} <= names
    assert "PutLogEvents" not in names, "a data event"
    sources = {json.loads(record)["eventSource"] for record in records}
    assert {"ec2.amazonaws.com", "monitoring.amazonaws.com", "ssm.amazonaws.com"} <= sources
    assert "canary-of-the" not in "".join(records)


def test_the_default_network_stays_and_is_the_accounts_and_regions(
    aws: Served, folder: Path
) -> None:
    def default(served_testbed: Served, *place: str) -> str:
        [vpc] = served_testbed.client("ec2", *place).describe_vpcs(
            Filters=[{"Name": "is-default", "Values": ["true"]}]
        )["Vpcs"]
        return str(vpc["VpcId"])

    own = default(aws)
    assert len({own, default(aws, ACCOUNT, "eu-central-1"), default(aws, OTHER_ACCOUNT)}) == 3
    with served(folder) as again:
        assert default(again) == own


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


def test_policies_decide_on_actions_and_resources(aws: Served) -> None:
    person = new_user(
        aws,
        "reader",
        allow("ssm:GetParameter", resource=f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/mine"),
        allow("ec2:DescribeVpcs"),
    )
    aws.client("ssm").put_parameter(Name="mine", Value="x", Type="String")
    aws.client("ssm").put_parameter(Name="other", Value="x", Type="String")
    ssm, ec2 = client(aws, "ssm", person), client(aws, "ec2", person)
    ssm.get_parameter(Name="mine")
    refused = refusal(ssm.get_parameter, Name="other")
    assert (refused["Code"], refused["Status"]) == ("AccessDeniedException", 400)
    assert f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/other" in refused["Message"]
    ec2.describe_vpcs()
    refused = refusal(ec2.create_vpc, CidrBlock="10.9.0.0/16")
    assert (refused["Code"], refused["Status"]) == ("UnauthorizedOperation", 403)
    assert refused["Message"].startswith("You are not authorized to perform this operation. User: ")
    cloudwatch = client(aws, "cloudwatch", person)
    assert refusal(cloudwatch.describe_alarms)["Code"] == "AccessDeniedException"


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


def test_what_moto_lacks_is_refused_in_plain_words(aws: Served) -> None:
    refused = refusal(aws.client("ec2").get_ipam_pool_cidrs, IpamPoolId="ipam-pool-1")
    assert refused["Message"] == "The testbed does not have GetIpamPoolCidrs of ec2."


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
