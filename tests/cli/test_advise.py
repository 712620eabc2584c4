"""`testbed advise` and `up --strict-names`, on a testbed that is up."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from testbed.documented.names import TAGS_SENTENCE
from tests.support.command_line import CommandLine

pytestmark = pytest.mark.containers
PRIVATE = {"owner": "jane.doe@example.com"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path_factory.mktemp("advise"))
    done = command.run("up", "--engine", "rabbitmq")
    assert done.returncode == 0, done.stderr
    yield command
    assert command.run("down").returncode == 0
    command.wait_until_nothing_is_left()


@pytest.fixture(scope="module")
def mq(up: CommandLine) -> Any:
    return up.client("mq")


def create(mq: Any, tags: dict[str, str]) -> str:
    name = f"advise-{uuid.uuid4()}"
    made = mq.create_configuration(Name=name, EngineType="RABBITMQ", EngineVersion="4.2", Tags=tags)
    return str(made["Id"])


@pytest.mark.nightly("advice by the command; every push has scenario names")
def test_a_private_tag_is_the_only_advice_and_is_not_repeated(up: CommandLine, mq: Any) -> None:
    assert up.json("advise") == {"advice": [], "unread": []}
    assert up.run("advise").stdout.startswith("No advice")
    identity = create(mq, PRIVATE)
    try:
        text, document = up.run("advise"), up.run("advise", "--json")
    finally:
        mq.delete_configuration(ConfigurationId=identity)
    assert (text.returncode, document.returncode) == (1, 1)
    [advice] = json.loads(document.stdout)["advice"]
    assert identity in advice["resource"]
    assert advice["what"] == "tag owner"
    assert advice["looks_like"] == ["an e-mail address"]
    assert advice["rule"] == TAGS_SENTENCE
    assert text.stdout.splitlines()[0] == TAGS_SENTENCE
    assert identity in text.stdout
    assert "jane.doe" not in text.stdout + text.stderr + document.stdout + document.stderr


@pytest.mark.nightly("the wish of a running endpoint; every push has that of a new one")
def test_strict_names_are_for_the_running_endpoint_too(up: CommandLine, mq: Any) -> None:
    up.json("up", "--engine", "rabbitmq", "--strict-names")
    with pytest.raises(ClientError) as refused:
        create(mq, PRIVATE)
    assert TAGS_SENTENCE in refused.value.response["Error"]["Message"]
    up.json("up", "--engine", "rabbitmq")  # they stay
    with pytest.raises(ClientError):
        create(mq, PRIVATE)
    up.json("up", "--engine", "rabbitmq", "--no-strict-names")
    mq.delete_configuration(ConfigurationId=create(mq, PRIVATE))


def test_without_a_testbed_it_says_so(tmp_path: Path) -> None:
    error, hint = CommandLine(tmp_path).error("advise")
    assert "There is no testbed in" in error
    assert "testbed up" in hint
