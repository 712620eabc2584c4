"""`testbed fault list`, `run` and `undo`."""

import logging
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    existing,
    new_app,
    show,
)
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from testbed.faults.running import Injection

logger = logging.getLogger(__name__)

DEFAULT_DURATION = "30s"
_REPORT_EVERY = 5  # seconds of the countdown
app = new_app("Inject faults, and undo them.")


@app.command("list")
def list_faults(as_json: JsonOption = False) -> None:
    """List faults with their parameters."""
    from testbed.faults.all import FAULTS

    rows = [
        {
            "name": fault.name,
            "of": fault.of,
            "summary": fault.summary,
            "in_aws": fault.in_aws,
            "lasts": fault.lasts,
            "parameters": {
                parameter.name: {"default": parameter.default, "meaning": parameter.meaning}
                for parameter in fault.parameters
            },
        }
        for fault in FAULTS.values()
    ]
    show(rows, as_json, _render_list)


@app.command("run")
def run_fault(
    name: Annotated[str, typer.Argument(help="The fault; `testbed fault list` lists them.")],
    broker: Annotated[str, typer.Option(help="A broker's name or id.")] = "",
    node: Annotated[
        str,
        typer.Option(help="A node's name, or `all`; by default the first, or the active one."),
    ] = "",
    how_long: Annotated[
        str,
        typer.Option(
            "--for",
            help=f"How long, such as 500ms, 30s or 5m; {DEFAULT_DURATION} by default. A fault that "
            "is over at once, such as kill, leaves the broker to maintenance unless this is given.",
        ),
    ] = "",
    parameters: Annotated[
        list[str], typer.Option("--param", help="A parameter as name=value. May be repeated.")
    ] = [],  # noqa: B006 - typer's way
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Inject a fault, wait, and undo it; on Ctrl-C it is undone at once."""
    from testbed.faults.all import find
    from testbed.faults.base import duration, parse
    from testbed.faults.running import Faults

    with errors_shown(as_json):
        fault = find(name)
        seconds = duration(how_long or DEFAULT_DURATION)
        given = dict(map(_pair, parameters))
        parse(fault, given)
        if how_long and not fault.lasts and fault.of in ("broker", "testbed"):
            raise TestbedError(
                f"{fault.name} is over at once, and cannot be undone.",
                hint="Leave out --for.",
            )
        with existing(state) as testbed, Faults(testbed) as faults:
            stays = fault.lasts or bool(how_long)
            started = time.monotonic()
            injection = faults.inject(
                name, broker, node=node, hold=stays, seconds=seconds if stays else 0.0, **given
            )
            logger.info("%s", injection.description)
            if stays:
                _count_down(injection, started + seconds)
                logger.info("undoing it")
                injection.undo()
            document = {
                "fault": fault.name,
                "nodes": list(injection.nodes),
                "description": injection.description,
                "seconds": round(time.monotonic() - started, 1),
                "undone": stays,
            }
        show(document, as_json, _render_run)


@app.command("undo")
def undo_faults(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Undo all faults that are at work, and wait until the brokers serve."""
    from testbed.faults.running import Faults

    with errors_shown(as_json), existing(state) as testbed:
        show(Faults(testbed).undo_all(), as_json, _render_undone)


def _count_down(injection: "Injection", end: float) -> None:
    """Wait until ``end``, or until another process has undone the fault."""
    reported = None
    while (left := end - time.monotonic()) > 0 and not injection.is_undone:
        step = int(left // _REPORT_EVERY) * _REPORT_EVERY
        if step != reported and step:
            reported = step
            logger.info("%s: undone in %d s, or on Ctrl-C", injection.fault, round(left))
        time.sleep(min(left, 0.2))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TestbedError(f"{text!r} is not a parameter.", hint="Write --param name=value.")
    return name, value


def _render_list(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        lines.append(f"{row['name']:<24} {row['summary']}")
        lines += [
            f"{'':<24}   {name}={parameter['default']}: {parameter['meaning']}"
            for name, parameter in row["parameters"].items()
        ]
    return "\n".join(lines)


def _render_run(document: dict[str, Any]) -> str:
    end = (
        f"Undone after {document['seconds']:g} s."
        if document["undone"]
        else "The rest is maintenance's, as in AWS."
    )
    return f"{document['description']} {end}"


def _render_undone(descriptions: list[str]) -> str:
    if not descriptions:
        return "No fault was at work."
    return "\n".join(f"Undone: {description}" for description in descriptions)
