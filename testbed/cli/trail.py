"""`testbed trail`: the API calls that CloudTrail has recorded."""

import logging
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, existing, new_app
from testbed.documented.cloudtrail import LOOKUP_ATTRIBUTES
from testbed.errors import TestbedError
from testbed.kms.base import USER_ACCOUNT

if TYPE_CHECKING:
    from testbed.trail.lookup import Attribute

logger = logging.getLogger(__name__)

_POLL = 0.5  # seconds
_KEYS = ", ".join(LOOKUP_ATTRIBUTES)
app = new_app()


@app.command()
def trail(
    attribute: Annotated[
        str,
        typer.Option(
            "--attribute",
            help=f"KEY=VALUE as LookupEvents takes it; KEY is one of {_KEYS}.",
        ),
    ] = "",
    start: Annotated[datetime | None, typer.Option(help="Nothing before this time.")] = None,
    end: Annotated[datetime | None, typer.Option(help="Nothing after this time.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="The largest number of records, the newest.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue with new records until Ctrl-C.")
    ] = False,
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Write all records into this folder as CloudTrail delivers them."
        ),
    ] = None,
    account: Annotated[
        str, typer.Option(help="The account of the trail; the user's by default.")
    ] = USER_ACCOUNT,
    region: Annotated[str, typer.Option(help="The Region; the testbed's by default.")] = "",
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Show what CloudTrail has recorded, oldest first.

    A line for each record that LookupEvents finds; with --json, each whole record on a line.
    """
    from testbed.report import trail as rendered
    from testbed.trail.export import export
    from testbed.trail.lookup import events, newest, since

    show = rendered.json_line if as_json else rendered.line
    with errors_shown(as_json), existing(state) as testbed:
        if export_to:
            for path in export(testbed.trail, export_to, account):
                print(path)
            return
        chosen, cursor = _attribute(attribute), newest(testbed.trail)
        region = testbed.user_in(region).region
        matches = events(
            testbed.trail,
            account,
            region=region,
            attribute=chosen,
            start=start.timestamp() if start else None,
            end=end.timestamp() if end else None,
        )
        for record in reversed([record for record, _ in zip(matches, range(limit), strict=False)]):
            print(show(record), flush=True)
        if follow:
            logger.info("following; Ctrl-C ends it")
        while follow:
            records, cursor = since(testbed.trail, account, cursor, region=region, attribute=chosen)
            for record in records:
                print(show(record), flush=True)
            time.sleep(_POLL)


def _attribute(text: str) -> "Attribute | None":
    from testbed.trail.lookup import Attribute

    if not text:
        return None
    key, equals, value = text.partition("=")
    if not equals or key not in LOOKUP_ATTRIBUTES:
        raise TestbedError(
            f"Unknown attribute {text!r}.",
            hint=f"Write KEY=VALUE, with one of {_KEYS} for KEY.",
        )
    return Attribute(key, value)
