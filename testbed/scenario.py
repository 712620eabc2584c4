"""Scenarios: finding them, and running one so that its failure never takes the report down.

A scenario is one file of ``scenarios/`` with

- ``TITLE``, one line, and ``CLAIMS``, the ids of the claims that it decides;
- ``TURNS_CLOCK = True``, ``HAS_SESSIONS = True`` or ``ALONE = True``, if it cannot run beside any
  other, see ``Scenario``;
- ``run(testbed)``, a generator of ``Finding``s, each with its control, of notes, of matrices, of
  time lines and of dependencies.

It uses only what a user can use: ``testbed.brokers``, ``testbed.kms``, clients and observers.
"""

import importlib.util
import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from testbed import paths
from testbed.errors import TestbedError, is_of_interruption
from testbed.graph import Dependencies
from testbed.results import Finding, Matrix, Output, Run, ScenarioResult
from testbed.runtime.schedule import Schedule
from testbed.runtime.tasks import run_concurrently
from testbed.storage import choice
from testbed.testbed import Testbed
from testbed.timeline import Timeline
from testbed.verdicts import ClaimVerdict, decide_run

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PATIENCE = 5.0  # seconds that scenarios get to notice an interruption


@dataclass(frozen=True)
class Scenario:
    """A scenario; ``name`` is its file's, without the suffix.

    ``turns_clock`` if it waits out KMS's delay or lets days pass; ``has_sessions`` if it has
    sessions of STS, which expire when another one does so. ``alone`` if it stops the default
    brokers, or counts or measures what others do.
    """

    name: str
    title: str
    claims: tuple[str, ...]
    run: Callable[[Testbed], Iterator[Output]]
    turns_clock: bool = False
    has_sessions: bool = False
    alone: bool = False

    def fits(self, other: "Scenario") -> bool:
        """Return whether it can run beside another."""
        if self.alone or other.alone:
            return False
        if self.turns_clock:
            return not (other.turns_clock or other.has_sessions)
        return not (self.has_sessions and other.turns_clock)


def find(names: Sequence[str] = ()) -> list[Scenario]:
    """Return the named scenarios in that order, or all.

    Raises ``TestbedError`` for an unknown name or a broken file.
    """
    files = {path.stem: path for path in sorted(paths.data("scenarios").glob("[!_]*.py"))}
    for name in names:
        if name not in files:
            raise TestbedError(
                f"There is no scenario {name!r}.", hint=f"There are: {', '.join(files)}."
            )
    return [_load(files[name]) for name in names or files]


def run(scenario: Scenario, testbed: Testbed) -> ScenarioResult:
    """Run a scenario. Its error becomes the result's ``error``, beside the findings until then."""
    started = time.monotonic()
    items: list[Output] = []
    error = ""
    logger.info("scenario %s: %s", scenario.name, scenario.title)
    try:
        for item in scenario.run(testbed):
            items.append(item)
            if isinstance(item, Finding):
                logger.info("  %s %s: %s", item.verdict.value, item.claim, item.subject)
    except Exception as caught:  # it must not take the others down
        if is_of_interruption(caught):  # it is for the whole run
            raise KeyboardInterrupt from caught
        if isinstance(caught, TestbedError):
            error = f"{caught} {caught.hint}".strip()
        else:
            error = f"{type(caught).__name__}: {caught}"
    if error:
        logger.info("  broke off: %s", error)
    return ScenarioResult(
        scenario.name,
        scenario.title,
        _of(Finding, items),
        time.monotonic() - started,
        error,
        _of(str, items),
        _of(Matrix, items),
        _of(Timeline, items),
        _of(Dependencies, items),
        scenario.claims,
    )


def _of(kind: type[T], items: Sequence[Output]) -> tuple[T, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def run_all(
    scenarios: Sequence[Scenario],
    testbed: Testbed,
    on_verdict: Callable[[ClaimVerdict], None] = lambda verdict: None,
    *,
    concurrently: bool = False,
) -> Run:
    """Run the scenarios one after the other, or ``concurrently`` where they leave each other alone.

    Then two run at a time: those that turn the clock begin, since no two of them fit, and those
    that have to be alone come last. When it is interrupted, what a scenario created may stay, so it
    is for a testbed that is removed afterwards. ``on_verdict`` gets the verdict on each claim after
    the last scenario about it.
    """
    begun, started = time.monotonic(), datetime.now(UTC)
    results: dict[int, ScenarioResult] = {}  # by position
    finishing = threading.Lock()

    def finished() -> Run:
        in_order = tuple(results[position] for position in sorted(results))
        return Run(started, time.monotonic() - begun, {}, in_order)

    def run_one(position: int) -> None:
        result = run(scenarios[position], testbed)
        with finishing:
            results[position] = result
            pending = {
                claim
                for other, scenario in enumerate(scenarios)
                for claim in scenario.claims
                if other not in results
            }
            for verdict in decide_run(finished()):
                if verdict.claim.id in {*scenarios[position].claims} - pending:
                    on_verdict(verdict)

    def fit(one: int, other: int) -> bool:
        return scenarios[one].fits(scenarios[other])

    def urgency(position: int) -> tuple[bool, ...]:
        chosen = scenarios[position]
        return chosen.alone, chosen.has_sessions, not chosen.turns_clock

    positions = range(len(scenarios))
    if concurrently:
        schedule = Schedule(sorted(positions, key=urgency), fit)
        run_concurrently([partial(schedule.work, run_one)] * 2, testbed.stop, _PATIENCE)
    else:
        for position in positions:
            run_one(position)
    return replace(finished(), environment=environment(testbed))


def environment(testbed: Testbed) -> dict[str, str]:
    """Return what the results depend on: versions and the machine.

    An engine that has ended since is not described: the results are worth more.
    """
    try:
        engine = testbed.containers.describe_engine()
    except TestbedError as error:
        engine = {"version": str(error), "kernel": "unknown", "processors": "?"}
    running = {
        f"{broker.engine_type} {broker.engine_version}": broker.runs
        for broker in testbed.brokers.peek_all()
    }
    return {
        "testbed": version_of("amazonmq-testbed"),
        "engine": engine["version"],
        "kernel": engine["kernel"],
        "machine": f"{platform.machine()}, {engine['processors']} CPUs",
        "python": platform.python_version(),
        "volumes": str(choice.chosen(testbed.state)),
        **running,
    }


def _load(path: Path) -> Scenario:
    try:
        module = _import(path)
        return Scenario(
            path.stem,
            module.TITLE,
            tuple(module.CLAIMS),
            module.run,
            getattr(module, "TURNS_CLOCK", False),
            getattr(module, "HAS_SESSIONS", False),
            getattr(module, "ALONE", False),
        )
    except Exception as error:
        raise TestbedError(
            f"The scenario {path} cannot be loaded: {type(error).__name__}: {error}",
            hint="A scenario has TITLE, CLAIMS and run(testbed).",
        ) from error


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"testbed.scenarios.{path.stem}", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
