"""The environment that `testbed aws` gives to the AWS CLI; a stand-in takes its place."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from testbed.aws.endpoint import Endpoint
from testbed.cli import aws, endpoints
from testbed.cli.root import app


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the AWS CLI is given, filled when the command runs."""
    given: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/aws")
    monkeypatch.setattr(aws, "existing", lambda _: nullcontext(SimpleNamespace()))
    endpoint = Endpoint(4433, Path("/ca.pem"), "eu-central-1")
    monkeypatch.setattr(endpoints, "find_endpoint", lambda _: endpoint)
    monkeypatch.setattr(os, "execve", lambda _, __, environment: given.update(environment))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return given


def run() -> None:
    done = CliRunner().invoke(app, ["aws", "mq", "list-brokers"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("former", "exceptions"),
    [
        ({}, "localhost"),
        ({"NO_PROXY": "example.com"}, "example.com,localhost"),
        ({"NO_PROXY": "example.com", "no_proxy": "example.org"}, "example.org,localhost"),
    ],
)
def test_a_proxy_is_not_asked_for_the_endpoint(
    given: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    former: dict[str, str],
    exceptions: str,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    for name, value in former.items():
        monkeypatch.setenv(name, value)
    run()
    assert given["HTTPS_PROXY"] == "http://127.0.0.1:9", "for others"
    assert given["no_proxy"] == given["NO_PROXY"] == exceptions


def test_what_leads_elsewhere_is_left_out(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MQ", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "foreign")
    run()
    assert given["AWS_ENDPOINT_URL"] == "https://localhost:4433"
    assert given["AWS_REGION"] == "eu-central-1"
    assert not {"AWS_ENDPOINT_URL_MQ", "AWS_SESSION_TOKEN"} & given.keys()
