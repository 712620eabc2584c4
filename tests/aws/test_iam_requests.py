"""Whatever IAM is sent, it answers or refuses, and never fails itself."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import Shape

from testbed import api_models
from tests.support.aws_endpoint import Served
from tests.support.identities import ACCOUNT, policy, served, trust

IAM = api_models.operations("iam")
VALUES = {
    "PolicyDocument": policy({"Effect": "Allow", "Action": "mq:*", "Resource": "*"}),
    "AssumeRolePolicyDocument": trust(ACCOUNT),
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/none",
    "AuthenticationCode1": "123456",
    "AuthenticationCode2": "123456",
    "SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/none",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("iam") / "state") as served_testbed:
        yield served_testbed


def flat(shape: Shape, name: str) -> Iterator[tuple[str, str]]:
    """Yield the form of a legal value."""
    member: Any = shape
    if shape.type_name == "structure":
        for child in member.required_members:
            yield from flat(member.members[child], f"{name}.{child}")
    elif shape.type_name == "list":
        yield from flat(member.member, f"{name}.member.1")
    else:
        text = VALUES.get(name)
        if text is None:
            allowed = shape.metadata.get("enum")
            least = max(int(shape.metadata.get("min", 1)), 20)
            text = {"boolean": "true", "integer": "100"}.get(shape.type_name, "")
            text = text or (allowed[0] if allowed else "a" * least)
        yield name, text


@pytest.mark.parametrize("name", sorted(IAM))
def test_every_operation_is_answered_or_refused(aws: Served, name: str) -> None:
    shape = IAM[name].input_shape
    members = shape.members if shape else {}
    required = shape.required_members if shape else []
    forms = [
        {},
        dict(pair for each in required for pair in flat(members[each], each)),
        dict(pair for each, child in members.items() for pair in flat(child, each)),
    ]
    for form in forms:
        body = urlencode({"Action": name, **form}).encode()
        answer = aws.send("POST", "/", body, service="iam")
        assert answer.status < 500, (form, answer.body, aws.log)
        assert answer.body.startswith(b"<")
        if answer.status >= 400:
            assert b"<Code>" in answer.body, json.dumps(form)
            assert b"object has no attribute" not in answer.body
