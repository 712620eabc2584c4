"""Scenarios: finding them, and running one so that its failure never takes the report down.

A scenario is one file of ``scenarios/`` with

- ``TITLE``, one line, and ``CLAIMS``, the ids of the claims that it decides;
- ``run(testbed)``, a generator of ``Finding``s, each with its control, of notes and of matrices.

It uses only what a user can use: ``testbed.brokers``, ``testbed.kms``, clients and observers.
"""

import importlib.util
import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from types import ModuleType

from testbed import paths
from testbed.errors import TestbedError
from testbed.results import Finding, Matrix, Run, ScenarioResult
from testbed.testbed import Testbed
from testbed.verdicts import ClaimVerdict, decide_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scenario:
    """A scenario; ``name`` is its file's, without the suffix."""

    name: str
    title: str
    claims: tuple[str, ...]
    run: Callable[[Testbed], Iterator[Finding | Matrix | str]]


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
    findings: list[Finding] = []
    notes: list[str] = []
    matrices: list[Matrix] = []
    error = ""
    logger.info("scenario %s: %s", scenario.name, scenario.title)
    try:
        for item in scenario.run(testbed):
            if isinstance(item, Finding):
                findings.append(item)
                logger.info("  %s %s: %s", item.verdict.value, item.claim, item.subject)
            elif isinstance(item, Matrix):
                matrices.append(item)
            else:
                notes.append(item)
    except TestbedError as caught:
        error = f"{caught} {caught.hint}".strip()
    except Exception as caught:  # noqa: BLE001 - must not take the others down
        error = f"{type(caught).__name__}: {caught}"
    if error:
        logger.info("  broke off: %s", error)
    return ScenarioResult(
        scenario.name,
        scenario.title,
        tuple(findings),
        time.monotonic() - started,
        error,
        tuple(notes),
        tuple(matrices),
    )


def run_all(
    scenarios: Sequence[Scenario],
    testbed: Testbed,
    on_verdict: Callable[[ClaimVerdict], None] = lambda verdict: None,
) -> Run:
    """Run the scenarios one after the other.

    ``on_verdict`` gets the verdict on each claim after the last scenario about it.
    """
    begun, started = time.monotonic(), datetime.now(UTC)
    results: list[ScenarioResult] = []
    for number, scenario in enumerate(scenarios, 1):
        results.append(run(scenario, testbed))
        pending = {claim for later in scenarios[number:] for claim in later.claims}
        for verdict in decide_run(Run(started, time.monotonic() - begun, {}, tuple(results))):
            if verdict.claim.id in scenario.claims and verdict.claim.id not in pending:
                on_verdict(verdict)
    return Run(started, time.monotonic() - begun, environment(testbed), tuple(results))


def environment(testbed: Testbed) -> dict[str, str]:
    """Return what the results depend on: versions and the machine."""
    engine = testbed.containers.describe_engine()
    running = {
        f"{broker.engine_type} {broker.engine_version}": broker.running_version or broker.image
        for broker in testbed.brokers.peek_all()
    }
    return {
        "testbed": version_of("amazonmq-testbed"),
        "engine": engine["version"],
        "kernel": engine["kernel"],
        "machine": f"{platform.machine()}, {engine['processors']} CPUs",
        "python": platform.python_version(),
        **running,
    }


def _load(path: Path) -> Scenario:
    try:
        module = _import(path)
        return Scenario(path.stem, module.TITLE, tuple(module.CLAIMS), module.run)
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
