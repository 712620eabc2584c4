"""Nightly tests, and the share of them that a run of ``make test`` takes in its turn.

``--nightly=all`` (the default) runs every one, ``none`` leaves them out, and ``share`` runs those
whose turn it is at the checked-out commit. The next commit takes the next share, so that every
nightly test runs every few commits and none rots.
"""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.durations import UNKNOWN, recorded

BUDGET = 45.0  # seconds of nightly tests in a run of `make test`
FILES = pytest.StashKey[set[Path]]()  # all that were collected
_REASONS = pytest.StashKey[set[tuple[str, str]]]()  # why a file has nightly tests


def shares(tests: Iterable[str], seconds: Mapping[str, float], budget: float) -> list[list[str]]:
    """Divide the tests into shares of at most ``budget`` seconds; neighbours stay together.

    Each test is in exactly one share. One that takes longer than the budget is a share by itself.
    """
    divided: list[list[str]] = []
    left = 0.0
    for test in sorted(tests):
        cost = seconds.get(test, UNKNOWN)
        if not divided or cost > left:
            divided.append([])
            left = budget
        divided[-1].append(test)
        left -= cost
    return divided


def share(
    tests: Iterable[str], seconds: Mapping[str, float], budget: float, turn: int
) -> Sequence[str]:
    """Return the share whose turn it is; as many turns as there are shares take each once."""
    divided = shares(tests, seconds, budget)
    return divided[turn % len(divided)] if divided else ()


def first_then_nightly(cases: Iterable[object], reason: str) -> list[object]:
    """Return cases for ``parametrize`` or a fixture of which only the first runs in each push."""
    first, *others = cases
    mark = pytest.mark.nightly(reason)
    return [
        first,
        *(
            pytest.param(*case, marks=mark)
            if isinstance(case, tuple)
            else pytest.param(case, marks=mark)
            for case in others
        ),
    ]


def commits() -> int:
    """Count the commits up to the checked-out one; 0 outside of a repository."""
    command = ["git", "rev-list", "--count", "HEAD"]
    counted = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(counted.stdout) if counted.returncode == 0 else 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nightly",
        choices=("all", "share", "none"),
        default="all",
        help="Nightly tests: all (default), the share whose turn it is at this commit, or none.",
    )
    parser.addoption(
        "--nightly-table", action="store_true", help="Print the table of docs/testing.md."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REASONS] = set()
    config.stash[FILES] = set()


def pytest_itemcollected(item: pytest.Item) -> None:
    item.config.stash[FILES].add(item.path)
    if mark := item.get_closest_marker("nightly"):
        [reason] = mark.args
        item.config.stash[_REASONS].add((item.nodeid.partition("::")[0], reason))


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    which = config.getoption("nightly")
    if which == "all":
        return
    nightly = [item.nodeid for item in items if item.get_closest_marker("nightly")]
    taken = share(nightly, recorded(), BUDGET, commits()) if which == "share" else ()
    left_out = set(nightly).difference(taken)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def table(config: pytest.Config) -> str:
    """Return the list of nightly tests for ``docs/testing.md``."""
    reasons = config.stash[_REASONS]
    rows = [f"| `{file}` | {reason} |" for file, reason in sorted(reasons)]
    return "\n".join(["| file | nightly tests |", "|---|---|", *rows])


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    return table(config) if config.getoption("nightly_table") else ""
