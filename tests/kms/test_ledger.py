"""The ledger: private, written by several processes, and never half written."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import StateBroken
from testbed.kms.base import USER_ACCOUNT
from testbed.kms.grant import Grant, new_id
from testbed.kms.key import Key
from testbed.kms.ledger import FILE, Ledger, View
from testbed.state.store import State

ARN = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = Key(ARN, "{}", rotations=(("m", 1.0, "ON_DEMAND"),))


def grant(**fields: Any) -> Grant:
    defaults: dict[str, Any] = {
        "grantee": "mq.amazonaws.com",
        "operations": ("Decrypt",),
        "issuing_account": USER_ACCOUNT,
        "created": 0.0,
        "starts": 0.0,
    }
    return Grant(new_id(), ARN, **(defaults | fields))


def stored(source: Ledger | View) -> Key:
    """Return the key, which has to exist."""
    key = source.key(ARN)
    assert key is not None
    return key


def test_what_is_put_is_there_for_everyone(tmp_path: Path) -> None:
    one, other = Ledger(State(tmp_path / "s")), Ledger(State(tmp_path / "s"))
    first, second = (
        grant(name="a", constraints={"EncryptionContextSubset": {"k": "v"}}),
        grant(retiring="ec2.amazonaws.com"),
    )
    with one.change() as change:
        change.put_key(KEY)
        change.put_grant(first)
        change.put_grant(second)

    assert other.key(ARN) == KEY
    assert other.arns(KEY.key_id) == [ARN]
    assert other.key("arn:none") is None
    assert other.grants(key=ARN) == [first, second]
    assert other.grant(first.grant_id) == first
    assert other.grants(key=ARN, name="a") == [first]
    assert other.grants(retiring="ec2.amazonaws.com") == [second]
    assert other.grants(key=ARN, grantees=("x", "mq.amazonaws.com")) == [
        first,
        second,
    ]
    assert not other.grants(key=ARN, grantees=("x",))
    with other.change() as change:
        change.put_grant(replace(first, ends=5.0))
    assert [grant.ends for grant in one.grants(key=ARN)] == [5.0, None], "and keeps its place"
    with one.change() as change:
        change.drop_key(ARN)
    assert other.key(ARN) is None
    assert other.count_grants(ARN) == 0


def test_a_dropped_secret_is_in_no_file(tmp_path: Path) -> None:
    def files() -> bytes:
        return b"".join(path.read_bytes() for path in (tmp_path / "s").iterdir() if path.is_file())

    ledger, secret, kept = Ledger(State(tmp_path / "s")), b"s3cret" * 8, b"another" * 8
    with ledger.change() as change:
        change.put_secret(ARN, "one", secret)
        change.put_secret(ARN, "two", kept)
    assert (ledger.secret(ARN, "one"), ledger.secret("arn:none", "one")) == (secret, None)
    assert secret in files(), "control"
    with ledger.change() as change:
        change.drop_secret(ARN, "one")
    assert secret not in files()
    assert ledger.secret(ARN, "two") == kept
    with ledger.change() as change:
        change.drop_key(ARN)
    assert kept not in files()


def test_what_falls_due_is_found_when_it_does(tmp_path: Path) -> None:
    ledger = Ledger(State(tmp_path / "s"))
    doomed, ended = KEY.scheduled(0, 0, 7), grant(ends=100.0)
    with ledger.change() as change:
        change.put_key(doomed)
        change.put_grant(ended)
    assert doomed.due is not None
    assert [ledger.first_due() <= now for now in (99, 100)] == [False, True]
    with ledger.change() as change:
        change.drop_ended_grants(100)
    assert ledger.grant(ended.grant_id) is None
    assert [ledger.due(now) for now in (doomed.due - 1, doomed.due)] == [
        [],
        [doomed],
    ]
    assert ledger.first_due() <= doomed.due
    with ledger.change() as change:
        change.put_key(doomed.cancelled())
    assert ledger.first_due() > doomed.due


def test_what_is_remembered_is_forgotten_with_the_next_change_by_anyone(tmp_path: Path) -> None:
    one, other = Ledger(State(tmp_path / "s")), Ledger(State(tmp_path / "s"))
    for number in range(60):
        writer = (one, other, one)[number % 3]  # the reader itself, or like another process
        ending = grant(ends=float(number), grantee="mq.amazonaws.com")
        with writer.change() as change:
            change.put_key(replace(KEY, policy=str(number)))
            change.put_grant(ending)
            change.drop_ended_grants(number - 1)
        for reader in (one, other):
            for _ in range(2):
                view = reader.view()
                assert stored(view).policy == str(number)
                assert ending in view.grants_to(ARN, ("mq.amazonaws.com",))
                assert number - 1 < view.first_due() <= number


def test_a_change_is_made_on_the_present_and_seen_by_the_next_view(tmp_path: Path) -> None:
    one, other = Ledger(State(tmp_path / "s")), Ledger(State(tmp_path / "s"))
    view = one.view()
    assert view.key(ARN) is None
    assert view.first_due() > 1e12
    with other.change() as change:
        change.put_key(KEY)
    with one.change() as change:
        assert change.key(ARN) == KEY, "not what was read before"
        change.put_key(KEY.scheduled(0, 0, 7))
    assert view.key(ARN) is None, "a call keeps to what it first read"
    assert stored(one.view()).state == "PendingDeletion"
    assert one.view().first_due() <= 1e12


def test_a_look_costs_sqlite_one_question_a_call(tmp_path: Path) -> None:
    ledger = Ledger(State(tmp_path / "s"))
    with ledger.change() as change:
        change.put_key(KEY)
        change.put_grant(grant())
    statements: list[str] = []
    ledger._database._connections.reader.set_trace_callback(statements.append)
    for _ in range(3):
        statements.clear()
        view = ledger.view()
        view.first_due()
        for _ in range(3):
            assert view.key(ARN)
            assert view.grants_to(ARN, ("mq.amazonaws.com",))
    assert statements == ["PRAGMA data_version"]


def test_a_change_that_raises_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(State(tmp_path / "s"))

    def raising() -> None:
        with ledger.change() as change:
            change.put_key(KEY)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        raising()
    assert ledger.key(ARN) is None
    with ledger.change() as change:
        change.put_key(KEY)
    assert ledger.key(ARN) == KEY


def test_changes_are_made_one_after_the_other_by_threads_and_looks_do_not_wait(
    tmp_path: Path,
) -> None:
    ledger = Ledger(State(tmp_path / "s"))
    with ledger.change() as change:
        change.put_key(KEY)

    def one_more_rotation() -> None:
        for _ in range(20):
            with ledger.change() as change:
                key = change.key(ARN)
                assert key
                change.put_key(replace(key, rotations=(*key.rotations, ("m", 0.0, "AUTOMATIC"))))

    threads = [threading.Thread(target=one_more_rotation) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert ledger.key(ARN)
        time.sleep(0.001)
    assert len(stored(ledger).rotations) == 81

    with ledger.change() as change:
        change.put_key(replace(KEY, state="Disabled"))
        states: list[str] = []
        looking = threading.Thread(target=lambda: states.append(stored(ledger).state))
        looking.start()
        looking.join(10)
        assert states == ["Enabled"], "neither late nor early"


def test_a_child_process_has_a_separate_connection(tmp_path: Path) -> None:
    ledger = Ledger(State(tmp_path / "s"))
    with ledger.change() as change:
        change.put_key(KEY)

    def rotate() -> None:
        with ledger.change() as change:
            change.put_key(replace(KEY, policy="{1}"))

    child = multiprocessing.get_context("fork").Process(target=rotate)
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert stored(ledger).policy == "{1}"


def test_a_child_process_does_not_go_by_what_its_parent_remembers(tmp_path: Path) -> None:
    with Ledger(State(tmp_path / "s")).change() as change:
        change.put_key(KEY)
    ledger, fork = Ledger(State(tmp_path / "s")), multiprocessing.get_context("fork")
    assert stored(ledger.view()).state == "Enabled"
    changed, seen = fork.Event(), fork.Queue()

    def look() -> None:
        changed.wait(30)
        seen.put(stored(ledger.view()).state)

    child = fork.Process(target=look)
    child.start()
    with ledger.change() as change:
        change.put_key(replace(KEY, state="Disabled"))
    changed.set()
    assert seen.get(timeout=30) == "Disabled"
    child.join(30)


WRITER = """
import sys
from dataclasses import replace
from testbed.kms.grant import new_id
from testbed.kms.ledger import Ledger
from testbed.state.store import State
from tests.kms.test_ledger import KEY, grant
ledger = Ledger(State(sys.argv[1]))
number = 0
while True:
    with ledger.change() as change:
        change.put_key(replace(KEY, policy=str(number)))
        change.put_grant(replace(grant(), name=str(number)))
    print(number, flush=True)
    number += 1
"""


def test_a_process_killed_at_any_point_leaves_whole_changes_and_all_it_reported(
    tmp_path: Path,
) -> None:
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdout
        printed = [int(process.stdout.readline()) for _ in range(5 + 7 * attempt)]
        process.send_signal(signal.SIGKILL)
        with process:
            printed += [int(line) for line in process.stdout.read().split("\n")[:-1]]

        ledger = Ledger(State(folder))
        numbers = [int(grant.name) for grant in ledger.grants(key=ARN)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) - 1 in (printed[-1], printed[-1] + 1)
        assert stored(ledger).policy == str(numbers[-1]), "both halves of the last change or none"


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    ledger = Ledger(State(tmp_path / "s"))
    with ledger.change() as change:
        change.put_key(KEY)
    assert ledger.key(ARN)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "s").iterdir()} == {0}


@pytest.mark.parametrize(
    "damage",
    [
        b"no database at all, but long enough to be looked at" * 99,
        b"SQLite format 3\0" + b"x" * 500,
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, damage: bytes) -> None:
    state = State(tmp_path / "s")
    (state.folder / FILE).write_bytes(damage)
    with pytest.raises(StateBroken, match="ledger of KMS keys .* cannot be used") as broken:
        Ledger(state)
    assert "testbed down" in broken.value.hint


def test_a_ledger_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    state = State(tmp_path / "s")
    Ledger(state)
    with sqlite3.connect(state.folder / FILE) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StateBroken, match="another version"):
        Ledger(state)
