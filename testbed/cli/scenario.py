"""`testbed scenario list` and `run`, and what `demo` shares with them."""

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, new_app, show
from testbed.errors import TestbedError
from testbed.report import FILES, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.results import Run
    from testbed.verdicts import ClaimVerdict

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help=f"Write {', '.join(FILES)} (JUnit) into this folder."),
]
EvidenceOption = Annotated[
    bool, typer.Option("--evidence", help="Print all evidence, not only its first sentence.")
]
app = new_app("List and run scenarios, which decide the claims.")


def run_file(file: str) -> None:
    """Run one scenario on a temporary testbed, for ``python scenarios/NAME.py``."""
    from testbed.cli import main

    main(["scenario", "run", Path(file).stem, "--fresh"])


@app.command("list")
def list_scenarios(as_json: JsonOption = False) -> None:
    """List scenarios with their claims and titles."""
    from testbed.scenario import find

    with errors_shown(as_json):
        rows = [
            {"name": scenario.name, "claims": list(scenario.claims), "title": scenario.title}
            for scenario in find()
        ]
        show(
            rows,
            as_json,
            lambda rows: "\n".join(map(_line, rows)),
        )


def _line(row: dict[str, Any]) -> str:
    claims = f" ({', '.join(row['claims'])})" if row["claims"] else ""
    return f"{row['name']:<24} {row['title']}{claims}"


@app.command("run")
def run_scenarios(
    names: Annotated[list[str], typer.Argument(help="Names of scenarios; all by default.")] = [],  # noqa: B006 - typer's way
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Use a new testbed, and remove it afterwards.")
    ] = False,
    report: ReportOption = None,
    evidence: EvidenceOption = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Run scenarios on the testbed, which is started if it is not up.

    Exit status 1 when a claim fails. `--fresh` leaves a testbed that is up alone.
    """
    from testbed.documented.engines import SEVERAL_HOURS
    from testbed.extras import require
    from testbed.scenario import find, run_all
    from testbed.testbed import Testbed

    with errors_shown(as_json):
        require("clients")
        scenarios = find(names)
        require_writable(report)
        with Testbed(delay=SEVERAL_HOURS) if fresh else Testbed(state) as testbed:
            run = run_all(scenarios, testbed, verdict_printer(as_json), concurrently=fresh)
            conclude(run, report, evidence, as_json)  # before a removal that may fail


def verdict_printer(as_json: bool) -> "Callable[[ClaimVerdict], None]":
    """Return what prints a verdict at once: nothing, when the output is one JSON document."""
    if as_json:
        return lambda verdict: None
    from rich.console import Console

    from testbed.report import terminal

    return partial(terminal.show_verdict, console=Console())


def conclude(run: "Run", report: Path | None, evidence: bool, as_json: bool) -> None:
    """Write and print the report; exit status 1 when a claim fails or a scenario broke off."""
    from rich.console import Console

    from testbed.report import as_json as json_report
    from testbed.report import terminal
    from testbed.verdicts import succeeded

    if report:
        write(run, report)
    if as_json:
        print(json.dumps(json_report.as_dict(run), indent=2))
    else:
        terminal.show(run, Console(), evidence=evidence)
        if report:
            print(f"Written to {report}: {', '.join(FILES)}")
    if not succeeded(run):
        raise typer.Exit(1)


def require_writable(report: Path | None) -> None:
    """Make a folder. Raises ``TestbedError`` if it is not writable, before minutes of work."""
    if report is None:
        return
    try:
        report.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=report):
            pass
    except OSError as error:
        raise TestbedError(
            f"Nothing can be written into {report}: {error}.",
            hint="Name another folder.",
        ) from error
