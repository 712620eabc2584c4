"""`testbed trail`: what was called, by whom, and what came of it."""

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli import app
from testbed.cli.base import STATE, JsonOption, StateOption, existing, translated
from testbed.documented.cloudtrail import LOOKUP_ATTRIBUTES
from testbed.errors import TestbedError
from testbed.kms.base import USER_ACCOUNT
from testbed.report import trail as rendered
from testbed.trail.export import export
from testbed.trail.lookup import Attribute, events, newest, since

logger = logging.getLogger(__name__)

_POLL = 0.5  # seconds


@app.command()
def trail(
    attribute: Annotated[
        str,
        typer.Option(
            "--attribute",
            help=f"KEY=VALUE as LookupEvents has it; KEY is one of {', '.join(LOOKUP_ATTRIBUTES)}.",
        ),
    ] = "",
    start: Annotated[datetime | None, typer.Option(help="Nothing before this time.")] = None,
    end: Annotated[datetime | None, typer.Option(help="Nothing after this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many records at most, the newest.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Write all records into this folder as CloudTrail delivers them."
        ),
    ] = None,
    account: Annotated[
        str, typer.Option(help="Whose trail; the user's account when left out.")
    ] = USER_ACCOUNT,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """What CloudTrail has recorded, oldest first.

    As LookupEvents finds it, a line for each record; with --json each record as it is, one on a line.
    """
    show = rendered.json_line if as_json else rendered.line
    with translated(as_json), existing(state) as testbed:
        if export_to:
            for path in export(testbed.trail, export_to, account):
                print(path)
            return
        chosen, cursor = _attribute(attribute), newest(testbed.trail)
        found = events(
            testbed.trail,
            account,
            attribute=chosen,
            start=start and start.timestamp(),
            end=end and end.timestamp(),
        )
        for record in reversed([record for record, _ in zip(found, range(limit), strict=False)]):
            print(show(record), flush=True)
        if follow:
            logger.info("following; Ctrl-C ends it")
        while follow:
            records, cursor = since(testbed.trail, account, cursor, attribute=chosen)
            for record in records:
                print(show(record), flush=True)
            time.sleep(_POLL)


def _attribute(text: str) -> Attribute | None:
    if not text:
        return None
    key, equals, value = text.partition("=")
    if not equals or key not in LOOKUP_ATTRIBUTES:
        raise TestbedError(
            f"{text!r} is no attribute to look for.",
            hint=f"Write KEY=VALUE, with one of {', '.join(LOOKUP_ATTRIBUTES)} for KEY.",
        )
    return Attribute(key, value)
