"""`testbed demo`: everything once."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.base import JsonOption, errors_shown, new_app
from testbed.cli.scenario import EvidenceOption, conclude, require_writable, verdict_printer
from testbed.report import FILES

_DURATION = "about five minutes on two cores, and two more when images have to be built."
app = new_app()


@app.command()
def demo(
    report: Annotated[
        Path,
        typer.Option("--report", help=f"The folder for {', '.join(FILES)} (JUnit)."),
    ] = Path("report"),
    evidence: EvidenceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run everything once, on a new testbed, and write a report.

    Start the brokers, print their endpoints, run the scenarios, show and write the table of claims,
    remove everything. Exit status 1 when a claim fails.
    """
    from testbed.cli.endpoints import describe_endpoints, render_endpoints
    from testbed.documented.engines import SEVERAL_HOURS
    from testbed.extras import require
    from testbed.runtime.tasks import run_concurrently
    from testbed.scenario import find, run_all
    from testbed.testbed import Testbed

    with errors_shown(as_json):
        require("clients")
        require_writable(report)
        scenarios = find()
        if not as_json:
            print(f"{len(scenarios)} scenarios: {_DURATION}", flush=True)
        with Testbed(delay=SEVERAL_HOURS) as testbed:
            run_concurrently(
                [partial(testbed.default_broker, name) for name in ("RABBITMQ", "ACTIVEMQ")],
                testbed.stop,
            )
            if not as_json:
                print(render_endpoints(describe_endpoints(testbed)), flush=True)
            run = run_all(scenarios, testbed, verdict_printer(as_json), concurrently=True)
            conclude(run, report, evidence, as_json)  # before a removal that may fail
