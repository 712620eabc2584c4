"""`testbed why` says who may what, and which statement decides."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from testbed.cli import why
from testbed.cli.root import app
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import add, request
from tests.support.identities import allow, deny, new_user, served


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(tmp_path / "state") as served_testbed:
        offline = cast("Any", served_testbed.testbed)
        offline.user_in = lambda region: offline.user
        offline.services = replace(
            offline.services, key_policies=cast("Any", SimpleNamespace(decide=None))
        )

        @contextmanager
        def existing(_: Path) -> Iterator[Testbed]:
            yield served_testbed.testbed

        monkeypatch.setattr(why, "existing", existing)
        yield served_testbed


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["why", *words])


def test_the_decision_its_statement_and_the_status(aws: Served) -> None:
    broker = add(aws.testbed, request())
    new_user(aws, "alice", allow("mq:*", Sid="Everything"), deny("mq:DeleteBroker"))
    allowed = run("alice", "mq:RebootBroker", broker.arn)
    assert allowed.exit_code == 0
    assert f"user/alice may perform mq:RebootBroker on {broker.arn}" in allowed.output
    assert (
        "allowed by statement 1 (Everything) of inline policy own of user alice" in allowed.output
    )
    denied = run("alice", "mq:DeleteBroker", broker.arn)
    assert denied.exit_code == 3
    assert "denied by statement 2 of inline policy own of user alice" in denied.output
    missing = run("alice", "kms:CreateKey")
    assert missing.exit_code == 3
    assert "because no identity-based policy allows the kms:CreateKey action" in missing.output
    assert "allowed by" in run("root", "mq:DeleteBroker").output


def test_tags_of_the_broker_and_given_keys_count(aws: Served) -> None:
    broker = add(aws.testbed, request())
    aws.testbed.brokers.amend(
        broker.broker_id, lambda stored: replace(stored, tags={"team": "blue"})
    )
    new_user(
        aws,
        "alice",
        allow("mq:RebootBroker", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
        allow("mq:CreateBroker", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}),
    )
    assert run("alice", "mq:RebootBroker", broker.arn).exit_code == 0
    assert run("alice", "mq:RebootBroker").exit_code == 3
    assert run("alice", "mq:CreateBroker").exit_code == 3
    assert run("alice", "mq:CreateBroker", "--context", "aws:RequestTag/team=blue").exit_code == 0


def test_json_has_all_of_it(aws: Served) -> None:
    new_user(aws, "alice")
    document = json.loads(run("alice", "mq:ListBrokers", "--json").output)
    assert document["allowed"] is False
    assert document["source"] == "identity-based policy"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nobody", "mq:ListBrokers"), "IAM has no user and no role nobody"),
        (("root", "ListBrokers"), "ListBrokers is not an action"),
        (("root", "mq:ListBrokers", "--context", "a"), "a is not a condition key with a value"),
        (("root", "mq:ListBrokers", "--account", "12"), "'12' is not an account"),
        (("arn:alice", "mq:ListBrokers"), "arn:alice is not an ARN"),
    ],
)
def test_mistakes_are_said(aws: Served, words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert message in result.output
