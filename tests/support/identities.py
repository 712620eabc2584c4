"""IAM and STS at an endpoint without containers, with clients for those whom IAM knows."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.client import BaseClient

from testbed.aws.endpoint import serve
from tests.support.aws_endpoint import ONCE, Served
from tests.support.brokers_offline import offline

ACCOUNT = "000000000000"
OTHER = "222222222222"


@dataclass(frozen=True)
class Person:
    """Someone with an access key, and a session token if it is temporary."""

    access_key_id: str
    secret: str
    token: str = ""

    @staticmethod
    def of(credentials: Mapping[str, Any]) -> "Person":
        """Return who has these credentials, as CreateAccessKey or STS answers them."""
        return Person(
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials.get("SessionToken", ""),
        )


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve a testbed without containers."""
    with offline(folder) as testbed, serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


def client(aws: Served, service: str, person: Person, region: str = "us-east-1") -> BaseClient:
    """Return a client that signs with someone's key."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint.url,
        verify=str(aws.endpoint.ca_file),
        region_name=region,
        aws_access_key_id=person.access_key_id,
        aws_secret_access_key=person.secret,
        aws_session_token=person.token or None,
        config=ONCE,
    )


def policy(*statements: Mapping[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str = "*", **rest: Any) -> dict[str, Any]:
    """Return a statement that allows actions."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **rest}


def deny(*actions: str, resource: str = "*", **rest: Any) -> dict[str, Any]:
    """Return a statement that denies actions."""
    return {**allow(*actions, resource=resource, **rest), "Effect": "Deny"}


def trust(principal: str, **rest: Any) -> str:
    """Return the trust policy of a role."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            **rest,
        }
    )


def new_user(aws: Served, name: str, *statements: Mapping[str, Any]) -> Person:
    """Create a user with an access key and, if there are statements, an inline policy."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return Person.of(iam.create_access_key(UserName=name)["AccessKey"])


def new_role(aws: Served, name: str, trusted: str, *statements: Mapping[str, Any]) -> str:
    """Create a role with an inline policy, and return its ARN."""
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(trusted))["Role"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return str(role["Arn"])
