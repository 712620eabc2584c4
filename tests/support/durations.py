"""How long each test takes, kept in ``tests/durations.json`` and compared with every run.

``--store-durations`` updates the file with what the run measured. Tests under a second are not
in it, so that it changes only when something does.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

FILE = Path(__file__).parent.parent / "durations.json"
SHORTEST = 1.0  # seconds; what takes less is not kept
UNKNOWN = 10.0  # seconds, assumed of a nightly test that has not been measured
_FACTOR, _EXCESS = 1.5, 5.0  # slower by both is reported


@cache
def recorded() -> Mapping[str, float]:
    """Return the seconds of each test as the file has them."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def slower(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Return the tests that take half as long again as before, and five seconds more."""
    return {
        test: seconds
        for test, seconds in now.items()
        if seconds > before.get(test, SHORTEST) * _FACTOR
        and seconds > before.get(test, SHORTEST) + _EXCESS
    }


def merged(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Return what the file should have after a run, sorted by test."""
    kept = {test: seconds for test, seconds in before.items() if test not in now}
    kept |= {test: round(seconds, 1) for test, seconds in now.items() if seconds >= SHORTEST}
    return dict(sorted(kept.items()))


class Durations:
    """Add up set-up, call and tear-down of each test that passes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        measured = {
            test: seconds for test, seconds in self._seconds.items() if test not in self._failed
        }
        before = recorded()
        if slow := slower(before, measured):
            terminalreporter.section("slower than recorded")
            for test, seconds in sorted(slow.items(), key=lambda item: -item[1]):
                earlier = f"{before[test]:.1f} s" if test in before else f"under {SHORTEST:.0f} s"
                terminalreporter.write_line(f"{seconds:6.1f} s, recorded {earlier}: {test}")
        if self._config.getoption("store_durations"):
            whole = not (self._config.option.markexpr or self._config.option.keyword)
            whole = whole and self._config.args_source != pytest.Config.ArgsSource.ARGS
            rows = merged({} if whole else before, measured)
            FILE.write_text(json.dumps(rows, indent=0) + "\n")
            terminalreporter.write_line(f"Durations of {len(measured)} tests stored in {FILE}.")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store-durations", action="store_true", help="Update tests/durations.json with this run."
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # with xdist, the controller hears of every test
        config.pluginmanager.register(Durations(config))
