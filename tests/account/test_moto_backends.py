"""What moto keeps outlives the process, whenever that ends, and testbeds share nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError

from testbed.account.store import DATABASE
from testbed.policy.language import parse
from tests.support.aws_endpoint import ONCE, refusal
from tests.support.identities import ACCOUNT, Person, allow, client, new_role, new_user, served

_SERVER = """
import sys, threading
from pathlib import Path
from tests.support.identities import served
with served(Path(sys.argv[1])) as aws:
    print(aws.endpoint.port, flush=True)
    threading.Event().wait()
"""
CALLS = 500
DETAILS = ["User", "Role", "Group", "LocalManagedPolicy"]


@contextmanager
def serving(
    folder: Path, *services: str
) -> Iterator[tuple["subprocess.Popen[str]", tuple[BaseClient, ...]]]:
    """Serve in another process, which is killed at the end, with a client of each service."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with server:
        try:
            assert server.stdout
            port = int(server.stdout.readline())
            clients = (
                boto3.client(
                    service,
                    endpoint_url=f"https://localhost:{port}",
                    verify=str(folder / "ca.pem"),
                    region_name="us-east-1",
                    aws_access_key_id=ACCOUNT,
                    aws_secret_access_key="test",
                    config=ONCE,
                )
                for service in services
            )
            yield server, tuple(clients)
        finally:
            server.kill()


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with served(folder) as aws:
        person = new_user(aws, "alice", allow("iam:*"))
        role = new_role(aws, "ops", f"arn:aws:iam::{ACCOUNT}:user/alice", allow("mq:*"))
        iam = aws.client("iam")
        iam.attach_user_policy(
            UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
        before = iam.get_account_authorization_details(Filter=DETAILS)
        session = Person.of(
            client(aws, "sts", person).assume_role(RoleArn=role, RoleSessionName="before")[
                "Credentials"
            ]
        )
    with served(folder) as aws:
        iam = aws.client("iam")
        after = iam.get_account_authorization_details(Filter=DETAILS)
        for answer in (before, after):
            answer.pop("ResponseMetadata")
        assert after == before
        assert client(aws, "sts", session).get_caller_identity()["Arn"].endswith("ops/before")
        policy = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")["Policy"]
        assert policy["AttachmentCount"] == 1
        iam.detach_user_policy(UserName="alice", PolicyArn=policy["Arn"])


@pytest.mark.nightly("a kill amid hundreds of calls; every push has a restart")
def test_everything_answered_before_a_kill_is_there_afterwards(tmp_path: Path) -> None:
    folder, answered = tmp_path / "state", {"users": set[str](), "keys": set[str]()}
    with serving(folder, "iam") as (server, (iam,)):
        killing = threading.Timer(2.0, lambda: os.kill(server.pid, signal.SIGKILL))
        iam.create_user(UserName="first")
        killing.start()
        try:
            for number in range(CALLS):
                name = f"user-{number}"
                iam.create_user(UserName=name)
                answered["users"].add(name)
                if number % 5 == 0:
                    key = iam.create_access_key(UserName=name)["AccessKey"]
                    answered["keys"].add(key["AccessKeyId"])
        except (BotoCoreError, ClientError):
            pass
        server.wait()
    assert answered["users"]
    with serving(folder, "iam") as (_, (iam,)):
        users = {
            user["UserName"]
            for page in iam.get_paginator("list_users").paginate()
            for user in page["Users"]
        }
        keys = {
            key["AccessKeyId"]
            for name in sorted(users)
            if int(name.partition("-")[2] or 1) % 5 == 0
            for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        }
    assert answered["users"] <= users
    assert answered["keys"] <= keys
    # Without an answer one more may have been created; nothing else.
    assert len(users - answered["users"] - {"first"}) <= 1


@pytest.mark.nightly("a kill amid hundreds of calls; every push has a restart")
def test_what_neighbours_answered_before_a_kill_is_there_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    services = ("ec2", "logs", "ssm", "secretsmanager", "cloudwatch", "events")
    answered: dict[str, set[str]] = {service: set() for service in services}
    with serving(folder, *services) as (server, clients):
        for service, client_of in zip(services, clients, strict=True):
            _add(service, client_of, "first")  # loads the service
        killing = threading.Timer(2.0, lambda: os.kill(server.pid, signal.SIGKILL))
        killing.start()
        try:
            for number in range(CALLS):
                service = services[number % len(services)]
                _add(service, clients[number % len(services)], f"n-{number}")
                answered[service].add(f"n-{number}")
        except (BotoCoreError, ClientError):
            pass
        server.wait()
    assert all(answered.values())
    with serving(folder, *services) as (_, clients):
        found = {
            service: _names(service, client_of)
            for service, client_of in zip(services, clients, strict=True)
        }
    assert [name for each in services for name in answered[each] - found[each]] == []
    # Without an answer one more may have been created; nothing else.
    assert sum(len(found[each] - answered[each] - {"first"}) for each in services) <= 1


def _add(service: str, client_of: BaseClient, name: str) -> None:
    """Create something of a name; a log group gets an event, too."""
    if service == "ec2":
        client_of.create_security_group(GroupName=name, Description="-")
    elif service == "logs":
        client_of.create_log_group(logGroupName=name)
        client_of.create_log_stream(logGroupName=name, logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": name}
        client_of.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])
    elif service == "ssm":
        client_of.put_parameter(Name=name, Value="v", Type="String")
    elif service == "secretsmanager":
        client_of.create_secret(Name=name, SecretString="v")
    elif service == "cloudwatch":
        client_of.put_metric_data(Namespace="n", MetricData=[{"MetricName": name, "Value": 1}])
    else:
        client_of.put_rule(Name=name, EventPattern='{"source": ["s"]}')


def _names(service: str, client_of: BaseClient) -> set[str]:
    """Return the names of what there is; of log groups, of those that have their event."""
    operation, member, name = {
        "ec2": ("describe_security_groups", "SecurityGroups", "GroupName"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
        "ssm": ("describe_parameters", "Parameters", "Name"),
        "secretsmanager": ("list_secrets", "SecretList", "Name"),
        "cloudwatch": ("list_metrics", "Metrics", "MetricName"),
        "events": ("list_rules", "Rules", "Name"),
    }[service]
    pages = client_of.get_paginator(operation).paginate()
    names = {str(item[name]) for page in pages for item in page[member]} - {"default"}
    if service == "logs":
        return {each for each in names if client_of.filter_log_events(logGroupName=each)["events"]}
    return names


def test_two_processes_see_each_others_changes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with served(folder) as aws, serving(folder, "iam") as (_, (elsewhere,)):
        iam = aws.client("iam")
        for number in range(5):
            iam.create_user(UserName=f"here-{number}")
            elsewhere.create_user(UserName=f"there-{number}")
        for each in (iam, elsewhere):
            assert len(each.list_users()["Users"]) == 10


def test_testbeds_in_one_process_share_nothing(tmp_path: Path) -> None:
    with served(tmp_path / "a") as first, served(tmp_path / "b") as second:
        new_user(first, "alice")
        assert refusal(second.client("iam").get_user, UserName="alice")["Code"] == "NoSuchEntity"
        new_user(second, "bob")
        listed = first.client("iam").list_users()["Users"]
        assert [user["UserName"] for user in listed] == ["alice"]
        policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
        first.client("iam").attach_user_policy(UserName="alice", PolicyArn=policy)
        counts = [
            each.client("iam").get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"]
            for each in (first, second)
        ]
        assert counts == [1, 0]


def test_a_refused_change_leaves_what_was_there(tmp_path: Path) -> None:
    with served(tmp_path / "state") as aws:
        iam = aws.client("iam")
        refusal(
            iam.create_user, UserName="x", PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/n"
        )
        assert iam.list_users()["Users"] == []


def test_who_needs_no_iam_gets_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with served(folder) as aws:
        aws.client("sts").get_caller_identity()
        assert not (folder / DATABASE).exists()
        new_user(aws, "alice")
        assert (folder / DATABASE).stat().st_mode & 0o077 == 0


@pytest.mark.nightly("AWS's own policies, which change with moto alone")
def test_every_policy_of_aws_can_be_decided_by() -> None:
    from testbed.account import iam

    documents = [
        policy.versions[0].document for policy in iam.aws_policies(ACCOUNT, "aws").values()
    ]
    assert len(documents) > 1000
    for document in documents:
        parse(document, "identity")


@pytest.mark.parametrize(
    "name", ["AmazonMQFullAccess", "AmazonMQApiReadOnlyAccess", "ReadOnlyAccess"]
)
def test_the_managed_policies_of_amazon_mq_are_there(name: str) -> None:
    from testbed.account import iam

    assert f"arn:aws:iam::aws:policy/{name}" in iam.aws_policies(ACCOUNT, "aws")
