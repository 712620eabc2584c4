"""A testbed as a whole: rejoined by its folder, separate from others, always removed."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from testbed.errors import KmsError, VolumeRefused
from testbed.key import Key
from testbed.kms.base import USER
from testbed.library import MqBroker
from testbed.runtime.cleanup import purge
from testbed.runtime.containers import Containers
from testbed.runtime.tasks import run_concurrently
from testbed.state.store import instance_of
from testbed.testbed import Testbed, down
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers


def test_keys_survive_a_killed_kms_and_what_was_encrypted_opens(
    testbed: Testbed, kms_key: Key
) -> None:
    """The volumes of all brokers depend on it."""
    blob = kms_key.call("Encrypt", Plaintext=b"before")["CiphertextBlob"]
    [row] = testbed.containers.find("kms")
    testbed.containers.kill(row["id"])
    again = Testbed(testbed.state.folder)
    try:
        assert again.kms_container.url == testbed.kms_container.url, (
            "clients find it at the same address"
        )
        for opened in (again, testbed):
            assert (
                opened.kms.call(USER, "Decrypt", {"CiphertextBlob": blob, "KeyId": kms_key.arn})[
                    "Plaintext"
                ]
                == b"before"
            )
    finally:
        again.close()


def test_the_folder_is_all_it_takes_to_rejoin(testbed: Testbed, rabbitmq_broker: MqBroker) -> None:
    again = Testbed(testbed.state.folder)
    try:
        assert (
            again.default_broker("RABBITMQ").nodes
            == testbed.brokers.describe(rabbitmq_broker.broker_id).nodes
        )
        assert again.ca_file.read_bytes() == testbed.ca_file.read_bytes()
        assert again.delay == testbed.delay
    finally:
        again.close()


def test_reading_starts_nothing(tmp_path: Path) -> None:
    """As `testbed status` does where KMS has died."""
    first = Testbed(tmp_path / "state")
    try:
        first.new_key("there")
        [row] = first.containers.find("kms")
        first.containers.kill(row["id"])
        looking = Testbed(first.state.folder, start=False)
        started = time.monotonic()
        with pytest.raises(KmsError, match="KMS is not running") as error:
            looking.kms.call(USER, "CreateKey", {})
        assert "testbed up" in error.value.hint
        assert time.monotonic() - started < 8, "it does not wait"
        assert [row["status"] for row in first.containers.find("kms")] == ["exited"]
    finally:
        first.down()


def test_two_commands_at_once_start_one_kms(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened = [Testbed(tmp_path / "state") for _ in range(2)]
    try:
        run_concurrently([partial(testbed.kms.call, USER, "ListKeys", {}) for testbed in opened])
        assert caplog.messages.count("KMS: starting") == 1
        assert len(opened[0].containers.find("kms")) == 1
    finally:
        opened[1].close()
        opened[0].down()


def test_two_testbeds_side_by_side_do_not_touch_each_other(testbed: Testbed, kms_key: Key) -> None:
    before = {row["id"] for row in testbed.containers.find()}
    with Testbed() as other:
        key = other.new_key("of the other")
        for kms, stranger in ((testbed.kms, key), (other.kms, kms_key.arn)):
            with pytest.raises(KmsError) as error:
                kms.call(USER, "DescribeKey", {"KeyId": stranger})
            assert error.value.code == "NotFoundException"
        assert other.state.folder != testbed.state.folder
        assert other.kms_container.url != testbed.kms_container.url
        assert other.ca_file.read_bytes() != testbed.ca_file.read_bytes()
        folder, mine = other.state.folder, other.containers
        assert len(mine.find()) == 1
    assert mine.find() == []
    assert not folder.exists()
    assert {row["id"] for row in testbed.containers.find()} == before
    assert kms_key.call("DescribeKey")["KeyMetadata"]["Arn"] == kms_key.arn


def test_a_broker_whose_volume_is_gone_does_not_come_back_empty(tmp_path: Path) -> None:
    """The engine would otherwise create a new volume of that name."""
    testbed = Testbed(tmp_path / "state")
    try:
        broker = testbed.default_broker("RABBITMQ")
        volume = broker.nodes[0].volume.volume_id
        testbed.upkeep.detach(broker.broker_id)
        testbed.containers.remove(broker.nodes[0].container_id)
        testbed.containers.remove_volume(volume)
        with pytest.raises(VolumeRefused, match=f"{volume} of rabbitmq is gone") as error:
            testbed.default_broker("RABBITMQ")
        assert "testbed down" in error.value.hint
        assert not testbed.containers.has_volume(volume)
    finally:
        testbed.down()


def test_down_takes_what_is_still_starting(tmp_path: Path) -> None:
    testbed = Testbed(tmp_path / "state")
    containers = testbed.containers
    testbed.down()
    time.sleep(2)
    assert containers.find() == []
    assert not (tmp_path / "state").exists()
    assert containers.purge() == {"containers": 0, "volumes": 0, "networks": 0}


def test_down_leaves_a_folder_alone_that_is_not_the_testbeds(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert down(tmp_path) == {"containers": 0, "volumes": 0, "networks": 0}
    assert (tmp_path / "letter.txt").read_text() == "dear"


_OWNER = """
import logging, os, sys, time
from testbed.testbed import Testbed
logging.getLogger("testbed").setLevel(logging.INFO)
logging.getLogger("testbed").addHandler(logging.StreamHandler(sys.stdout))
with Testbed() as testbed:
    print("folder", testbed.state.folder, flush=True)
    %s
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("until", "work"),
    first_then_nightly(
        [
            ("rabbitmq: starting", "testbed.default_broker('RABBITMQ')"),
            ("KMS: starting", "testbed.kms"),
            ("up", "testbed.new_key('of a test')"),
        ],
        "a kill in other phases",
    ),
    ids=["broker starting", "kms starting", "kms up"],
)
def test_a_temporary_testbed_is_gone_after_its_process_was_killed(
    testbed: Testbed, tmp_path: Path, until: str, work: str
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER % work], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith(until):
        lines.append(process.stdout.readline().strip())
        assert lines[-1], f"ended before it said {until!r}: {lines}"
    [folder] = tmp_path.iterdir()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    mine = Containers(testbed.containers.client, instance_of(folder))
    deadline = time.monotonic() + 60
    while (mine.find() or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert mine.find() == []
    assert list(tmp_path.iterdir()) == []
    assert purge(testbed.containers.client, mine.instance) == {
        "containers": 0,
        "volumes": 0,
        "networks": 0,
    }
