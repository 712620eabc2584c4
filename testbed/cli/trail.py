"""`testbed trail`: the API calls that CloudTrail has recorded."""

import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    checked_account,
    errors_shown,
    existing,
    new_app,
    show,
)
from testbed.documented.cloudtrail import LOOKUP_ATTRIBUTES
from testbed.errors import TestbedError
from testbed.kms.base import USER_ACCOUNT

if TYPE_CHECKING:
    from testbed.trail.filters import Filter
    from testbed.trail.lookup import Attribute
    from testbed.trail.store import Trail

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
    everything: Annotated[
        bool, typer.Option("--all", help="Also show what services did by themselves.")
    ] = False,
    actor: Annotated[
        str,
        typer.Option(
            help="Only calls of this user, role, ARN, access key id, or service (mq.amazonaws.com)."
        ),
    ] = "",
    key: Annotated[
        str, typer.Option(help="Only calls about this key: its id or ARN, or an alias.")
    ] = "",
    broker: Annotated[
        str, typer.Option(help="Only Amazon MQ's calls about this broker: its name or id.")
    ] = "",
    error: Annotated[
        str, typer.Option(help="Only refused calls with this code, or with `any`.")
    ] = "",
    start: Annotated[
        datetime | None, typer.Option(help="Nothing before this time, in UTC as what is shown.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(help="Nothing after this time, in UTC as what is shown.")
    ] = None,
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
    """Show what users did, as CloudTrail records it, the newest last.

    What services did is left out unless --all or --actor asks for it. Each record is a line, cut to
    the width of a terminal; with --json, the line is the whole record.
    """
    from testbed.trail.broker_names import broker_names, synonyms
    from testbed.trail.export import export
    from testbed.trail.filters import Filter, newest_of
    from testbed.trail.lookup import events, newest

    with errors_shown(as_json), existing(state) as testbed:
        checked_account(account)
        if export_to:
            files = list(map(str, export(testbed.trail, export_to, account)))
            if files or as_json:
                show({"files": files}, as_json, lambda _: "\n".join(files))
            return
        chosen, cursor = _attribute(attribute), newest(testbed.trail)
        region = testbed.user_in(region).region
        names = broker_names(testbed.trail, account, region)
        wanted = Filter(everything, actor, key, synonyms(broker, names), error)
        records = events(
            testbed.trail,
            account,
            region=region,
            attribute=chosen,
            start=_seconds(start),
            end=_seconds(end),
        )
        matches, hidden = newest_of(records, wanted, limit)
        for record in reversed(matches):
            _show(record, names, as_json)
        if hidden:
            logger.info("%d calls by services are left out: --all shows them", hidden)
        if follow:
            logger.info("following; Ctrl-C ends it")
            coming = _followed(testbed.trail, account, region, cursor, chosen)
            shown = {record["eventID"] for record in matches}  # some came while these were read
            for record in _wanted(coming, wanted, names, broker):
                if record["eventID"] not in shown:
                    _show(record, names, as_json)


def _seconds(moment: datetime | None) -> float | None:
    """Return the seconds since 1970 of a time in UTC, unless it names another zone."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _show(record: Mapping[str, Any], names: Mapping[str, str], as_json: bool) -> None:
    from testbed.report import trail as rendered

    width = shutil.get_terminal_size((0, 0)).columns  # a file or a pipe gets whole lines
    text = rendered.json_line(record) if as_json else rendered.line(record, names, width)
    print(text, flush=True)


def _followed(
    trail: "Trail", account: str, region: str, cursor: int, attribute: "Attribute | None"
) -> Iterator[Mapping[str, Any]]:
    from testbed.trail.lookup import since

    while True:
        records, cursor = since(trail, account, cursor, region=region, attribute=attribute)
        yield from records
        time.sleep(_POLL)


def _wanted(
    records: Iterable[Mapping[str, Any]], wanted: "Filter", names: dict[str, str], broker: str
) -> Iterator[Mapping[str, Any]]:
    """Yield what is wanted, and add the brokers that are created meanwhile to ``names``."""
    from testbed.trail.broker_names import created_in, synonyms

    for record in records:
        if new := created_in(record):
            names |= new
            wanted = replace(wanted, brokers=synonyms(broker, names))
        if wanted.is_met(record) and not wanted.is_hidden(record):
            yield record


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
