"""Which nightly tests run when, and the report of tests that got slower."""

from pathlib import Path

import pytest

from tests.support.durations import UNKNOWN, merged, slower
from tests.support.nightly import FILES, share, shares, table

SECONDS = {"a": 30.0, "b": 30.0, "c": 50.0, "d": 200.0, "e": 1.0}


def test_shares_are_of_neighbours_and_within_the_budget() -> None:
    assert shares("edcba", SECONDS, 100.0) == [["a", "b"], ["c"], ["d"], ["e"]]
    assert shares("ec", SECONDS, 100.0) == [["c", "e"]]


def test_a_test_that_was_never_measured_has_its_place() -> None:
    assert shares(["new", "e"], SECONDS, UNKNOWN) == [["e"], ["new"]]


def test_every_test_has_its_turn_within_as_many_commits_as_there_are_shares() -> None:
    turns = [share(SECONDS, SECONDS, 100.0, commits) for commits in range(7, 11)]
    assert sorted(test for tests in turns for test in tests) == sorted(SECONDS)
    assert share(SECONDS, SECONDS, 100.0, 7) == share(SECONDS, SECONDS, 100.0, 11)


def test_no_tests_are_no_share() -> None:
    assert share([], SECONDS, 100.0, 3) == ()


@pytest.mark.parametrize(
    ("seconds", "slow"), [(30.0, False), (44.9, False), (45.1, True), (300.0, True)]
)
def test_half_as_long_again_is_slower(seconds: float, slow: bool) -> None:
    assert bool(slower(SECONDS, {"a": seconds})) is slow


@pytest.mark.parametrize(("seconds", "slow"), [(5.9, False), (6.1, True)])
def test_a_short_test_is_slower_by_five_seconds(seconds: float, slow: bool) -> None:
    assert bool(slower(SECONDS, {"e": seconds})) is slow
    assert bool(slower(SECONDS, {"new": seconds})) is slow


def test_what_is_kept_is_rounded_sorted_and_a_second_at_least() -> None:
    now = {"c": 48.23, "b": 0.4, "new": 1.06}
    assert list(merged(SECONDS, now).items()) == [
        ("a", 30.0),
        ("c", 48.2),
        ("d", 200.0),
        ("e", 1.0),
        ("new", 1.1),
    ]


def test_the_documentation_lists_the_nightly_tests(request: pytest.FixtureRequest) -> None:
    folder = Path(__file__).parent
    if not request.config.stash[FILES].issuperset(folder.rglob("test_*.py")):
        pytest.skip("not all test files are collected")
    document = (folder.parent / "docs/testing.md").read_text()
    documented = document[document.index("| file | nightly tests |") :].strip()
    assert documented == table(request.config), "pytest --collect-only --nightly-table prints it"
