"""`testbed trail`: what users did, with filters; KMS alone suffices."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import KmsError, NotFoundException
from testbed.key import Key
from testbed.kms.base import MQ, USER
from testbed.testbed import Testbed
from tests.support.command_line import COMMAND, CommandLine

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def key(testbed: Testbed) -> Iterator[Key]:
    """Return a disabled key that Amazon MQ has looked at 60 times."""
    key = Key(testbed, testbed.new_key("Of one trail"))
    key.disable()
    service = replace(MQ, account=USER.account)
    for _ in range(60):
        testbed.kms.call(service, "ListRetirableGrants", {"RetiringPrincipal": MQ.principal})
    yield key
    key.schedule_deletion()


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def lines(command: CommandLine, key: Key, *arguments: str) -> list[str]:
    done = command.run(
        *("trail", "--state", key.testbed.state.folder, *arguments), environment={"COLUMNS": "80"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_the_user_did_is_in_the_last_lines(key: Key, command: CommandLine) -> None:
    shown = lines(command, key, "--limit", "2")
    assert [line.split()[2] for line in shown] == ["CreateKey", "DisableKey"]
    assert all(len(line) <= 80 for line in shown)
    everything = lines(command, key, "--limit", "50", "--all")
    assert {line.split()[2] for line in everything} == {"ListRetirableGrants"}, "control"


def test_filters(key: Key, command: CommandLine) -> None:
    key_id = key.arn.rpartition("/")[2]
    about = [line.split()[2] for line in lines(command, key, "--key", key_id)]
    assert about == ["CreateKey", "DisableKey"]
    assert len(lines(command, key, "--actor", MQ.principal, "--limit", "1000")) >= 60
    with pytest.raises(NotFoundException):
        key.testbed.brokers.describe("b-1")
    refused = lines(command, key, "--broker", "b-1", "--error", "any")
    assert refused[-1].split()[2:6] == ["DescribeBroker", "root", "b-1", "NotFoundException:"]
    assert lines(command, key, "--broker", "b-1", "--error", "ConflictException") == []


def test_following_shows_what_comes_by_the_same_filters(key: Key) -> None:
    arguments = ("--key", key.arn, "--json", "--limit", "1", "--follow")
    following = subprocess.Popen(
        [COMMAND, "trail", "--state", key.testbed.state.folder, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert following.stdout
        names = [json.loads(following.stdout.readline())["eventName"]]
        service = replace(MQ, account=USER.account)
        with pytest.raises(KmsError, match="not authorized"):
            key.testbed.kms.call(service, "DescribeKey", {"KeyId": key.arn})
        key.enable()
        key.disable()
        names += [json.loads(following.stdout.readline())["eventName"] for _ in range(2)]
        following.send_signal(signal.SIGINT)
        assert following.wait(60) == 130
    finally:
        following.kill()
        following.communicate()
    assert names == ["DisableKey", "EnableKey", "DisableKey"]
