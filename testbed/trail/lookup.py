"""Looking records up, as CloudTrail's LookupEvents does it (CTAPI), and following them.

At most one attribute, a time range, newest first, pages of up to 50. Unlike CloudTrail, which
forgets after 90 days and shows an event some minutes late, the testbed keeps all records and shows
them at once.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from testbed.documented.cloudtrail import (
    LOOKUP_ATTRIBUTES,
    LOOKUP_MAX_RESULTS,
    LOOKUP_VALUE,
)
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import ApiError
from testbed.trail.attributes import ANY, NUMBERS, attributes, resources, seconds
from testbed.trail.identity import username
from testbed.trail.store import Trail

_AFTER_ALL = 2**62
_LOOKUP = """
SELECT (SELECT record FROM events e WHERE e.seq = a.seq), time, seq FROM attributes a
WHERE account = ? AND region = ? AND attribute = ? AND value = ?
AND time >= ? AND (time, seq) < (?, ?)
ORDER BY time DESC, seq DESC LIMIT ?
"""
_RECENT = "SELECT record FROM events WHERE account = ? ORDER BY seq DESC LIMIT ?"
_SINCE = "SELECT seq, account, region, record FROM events WHERE seq > ? ORDER BY seq LIMIT ?"


@dataclass(frozen=True)
class Page:
    """Records, newest first, and the token for those before them; no token on the last page."""

    records: tuple[dict[str, Any], ...]
    next_token: str = ""


@dataclass(frozen=True)
class Attribute:
    """A LookupAttribute: ``key`` is one of ``LOOKUP_ATTRIBUTES``; ``value`` must match exactly."""

    key: str
    value: str


def lookup_events(
    trail: Trail,
    account: str,
    *,
    region: str = DEFAULT_REGION,
    attribute: Attribute | None = None,
    start: float | None = None,
    end: float | None = None,
    max_results: int = LOOKUP_MAX_RESULTS,
    next_token: str = "",
) -> Page:
    """Return a page of the account's records in ``region``.

    ``start`` and ``end`` are seconds since 1970, both included. Raises ``ApiError`` with
    CloudTrail's code: ``InvalidLookupAttributesException``, ``InvalidTimeRangeException``,
    ``InvalidMaxResultsException`` or ``InvalidNextTokenException``.
    """
    if not 1 <= max_results <= LOOKUP_MAX_RESULTS:
        raise _invalid(
            "MaxResults", f"A page has 1 to {LOOKUP_MAX_RESULTS} events, not {max_results}."
        )
    if start is not None and end is not None and start > end:
        raise _invalid("TimeRange", "The start of the time range is after its end.")
    request = _digest(account, region, attribute, start, end)
    time, seq = _position(next_token, request) if next_token else (_AFTER_ALL, 0)
    if end is not None and int(end) < time:
        time, seq = int(end), _AFTER_ALL
    first = 0 if start is None else math.ceil(start)  # eventTime has whole seconds
    values = (account, region, *_attribute_row(attribute), first, time, seq, max_results + 1)
    with trail.reading() as database:
        rows = database.execute(_LOOKUP, values).fetchall()
    page = rows[:max_results]
    token = _token(page[-1][1], page[-1][2], request) if len(rows) > max_results else ""
    return Page(tuple(json.loads(row[0]) for row in page), token)


def events(
    trail: Trail,
    account: str,
    *,
    region: str = DEFAULT_REGION,
    attribute: Attribute | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield all matching records, newest first. Takes and raises what ``lookup_events`` does."""
    token = ""
    while True:
        page = lookup_events(
            trail,
            account,
            region=region,
            attribute=attribute,
            start=start,
            end=end,
            next_token=token,
        )
        yield from page.records
        token = page.next_token
        if not token:
            return


def recent(trail: Trail, account: str, limit: int) -> tuple[dict[str, Any], ...]:
    """Return the account's last records of all Regions, in the order of writing, newest first."""
    with trail.reading() as database:
        rows = database.execute(_RECENT, (account, limit)).fetchall()
    return tuple(json.loads(record) for (record,) in rows)


def newest(trail: Trail) -> int:
    """Return the cursor behind everything recorded so far, of all accounts; see ``since``."""
    with trail.reading() as database:
        [seq] = database.execute("SELECT max(seq) FROM events").fetchone()
    return int(seq or 0)


def since(
    trail: Trail,
    account: str,
    cursor: int = 0,
    *,
    region: str = DEFAULT_REGION,
    attribute: Attribute | None = None,
    limit: int = 1000,
) -> tuple[tuple[dict[str, Any], ...], int]:
    """Return the records written after ``cursor``, oldest first, and the next cursor.

    They are those of account and Region. At most ``limit`` records are examined; if the cursor has
    moved there may be more, even when none is returned.
    """
    row = _attribute_row(attribute)
    with trail.reading() as database:
        rows = database.execute(_SINCE, (cursor, limit)).fetchall()
    records = (json.loads(record) for _, *of, record in rows if of == [account, region])
    matching = tuple(record for record in records if row in attributes(record))
    return matching, rows[-1][0] if rows else cursor


def as_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as LookupEvents does (CTAPI, ``Event``): its attributes, and its text."""
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "AccessKeyId": record["userIdentity"].get("accessKeyId", ""),
        "EventTime": datetime.fromtimestamp(seconds(record["eventTime"]), UTC),
        "EventSource": record["eventSource"],
        "Username": username(record["userIdentity"]),
        "Resources": [
            {"ResourceType": kind, "ResourceName": name} for kind, name in resources(record)
        ],
        "CloudTrailEvent": json.dumps(record),
    }
    return {name: value for name, value in event.items() if value != ""}


def _attribute_row(attribute: Attribute | None) -> tuple[int, str]:
    if attribute is None:
        return ANY
    if attribute.key not in NUMBERS:
        raise _invalid(
            "LookupAttributes",
            f"Events are looked up by {', '.join(LOOKUP_ATTRIBUTES)}, not by {attribute.key}.",
        )
    if not 1 <= len(attribute.value) <= LOOKUP_VALUE:
        raise _invalid(
            "LookupAttributes", f"The value of {attribute.key} has 1 to {LOOKUP_VALUE} characters."
        )
    return NUMBERS[attribute.key], attribute.value


def _digest(*request: object) -> str:
    return hashlib.sha256(repr(request).encode()).hexdigest()[:16]


def _token(time: int, seq: int, request: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([time, seq, request]).encode()).decode()


def _position(token: str, request: str) -> tuple[int, int]:
    try:
        time, seq, made_for = json.loads(base64.b64decode(token, b"-_", validate=True))
        if made_for == request and {type(time), type(seq)} == {int}:
            return time, seq
    except (ValueError, TypeError, RecursionError):
        pass
    raise _invalid("NextToken", "The token does not come from an answer to the same request.")


def _invalid(what: str, sentence: str) -> ApiError:
    return ApiError(sentence, code=f"Invalid{what}Exception", status=400)
