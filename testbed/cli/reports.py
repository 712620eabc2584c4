"""`testbed scenario list|run` and `testbed demo`."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer
from rich.console import Console

from testbed import scenario
from testbed.cli import app
from testbed.cli.base import STATE, JsonOption, StateOption, show, translated
from testbed.documented.engines import SEVERAL_HOURS
from testbed.errors import TestbedError
from testbed.extras import require
from testbed.report import as_json as json_report
from testbed.report import html, junit, terminal
from testbed.results import Run
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed, temporary
from testbed.verdicts import ClaimVerdict, succeeded

ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write report.json, report.html and report.xml (JUnit) into this folder."
    ),
]
EvidenceOption = Annotated[
    bool,
    typer.Option("--evidence", help="Print all evidence, and not only the first sentence of it."),
]
_DURATION = "about four minutes on two cores, and two more when images have to be built."
_group = typer.Typer(
    help="Scenarios, and the claims that they settle.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(_group, name="scenario")


@_group.command("list")
def list_scenarios(as_json: JsonOption = False) -> None:
    """Name, claims and title of each."""
    with translated(as_json):
        rows = [
            {"name": each.name, "claims": list(each.claims), "title": each.title}
            for each in scenario.find()
        ]
        show(
            rows,
            as_json,
            lambda rows: "\n".join(
                f"{row['name']:<24} {row['title']} ({', '.join(row['claims'])})" for row in rows
            ),
        )


@_group.command("run")
def run_scenarios(
    names: Annotated[list[str], typer.Argument(help="Names of scenarios; all when left out.")] = [],  # noqa: B006 - typer's way
    fresh: Annotated[
        bool, typer.Option("--fresh", help="On a testbed of their own, gone afterwards.")
    ] = False,
    report: ReportOption = None,
    evidence: EvidenceOption = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Run scenarios on the testbed, which is started where it is not up.

    Exit status 1 when a claim fails. `--fresh` leaves a testbed that is up alone.
    """
    with translated(as_json):
        require("clients")
        chosen = scenario.find(names)
        _require_writable(report)
        with (
            temporary(delay=SEVERAL_HOURS) if fresh else nullcontext(Testbed.open(state)) as testbed
        ):
            run = scenario.run_all(chosen, testbed, _show_verdict(as_json))
        _conclude(run, report, evidence, as_json)


@app.command()
def demo(
    report: Annotated[
        Path,
        typer.Option("--report", help="Where report.json, report.html and report.xml (JUnit) go."),
    ] = Path("report"),
    evidence: EvidenceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Everything once, on a testbed of its own, with a report.

    Start the brokers, print their endpoints, run all scenarios, show and write the table of claims, take everything down.
    Exit status 1 when a claim fails.
    """
    from testbed.cli.lifecycle import _endpoint_text, _endpoints

    with translated(as_json):
        require("clients")
        _require_writable(report)
        scenarios = scenario.find()
        if not as_json:
            print(f"{len(scenarios)} scenarios: {_DURATION}", flush=True)
        with temporary(delay=SEVERAL_HOURS) as testbed:
            run_concurrently(
                [partial(testbed.default_broker, each) for each in ("RABBITMQ", "ACTIVEMQ")],
                testbed.stop,
            )
            if not as_json:
                print(_endpoint_text(_endpoints(testbed)), flush=True)
            run = scenario.run_all(scenarios, testbed, _show_verdict(as_json))
        _conclude(run, report, evidence, as_json)


def _show_verdict(as_json: bool) -> Callable[[ClaimVerdict], None]:
    """Return what shows a verdict at once: nothing when standard output is one JSON document."""
    if as_json:
        return lambda verdict: None
    return partial(terminal.show_verdict, console=Console())


def _conclude(run: Run, report: Path | None, evidence: bool, as_json: bool) -> None:
    """Write and print the report; exit status 1 when a claim fails or a scenario broke off."""
    if report:
        for name, text in (
            ("report.json", json_report.render(run)),
            ("report.html", html.render(run)),
            ("report.xml", junit.render(run)),
        ):
            (report / name).write_text(text)
    if as_json:
        print(json.dumps(json_report.as_dict(run), indent=2))
    else:
        terminal.show(run, Console(), evidence=evidence)
        if report:
            print(f"Written to {report}: report.json, report.html, report.xml")
    if not succeeded(run):
        raise typer.Exit(1)


def _require_writable(report: Path | None) -> None:
    """Find out before minutes of work whether its report can be written. Raises ``TestbedError``."""
    if report:
        try:
            report.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=report):
                pass
        except OSError as error:
            raise TestbedError(
                f"No report can be written into {report}: {error}.",
                hint="Name another folder with --report.",
            ) from error
