"""Records as CloudTrail delivers them to a bucket (CTG, "log file names"), in daily folders.

``AWSLogs/<account>/CloudTrail/<region>/<yyyy>/<mm>/<dd>/``
``<account>_CloudTrail_<region>_<yyyymmdd>T<hhmm>Z_<unique>.json.gz``

A file holds the records of five minutes, and its name the time at which they end. The unique part,
random on AWS, is derived from the rest here: exporting again replaces a file by one that has at
least the same records.
"""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from testbed.documented import regions
from testbed.documented.cloudtrail import DELIVERY_SECONDS, UNIQUE_CHARACTERS
from testbed.trail.attributes import ANY, seconds
from testbed.trail.store import Trail

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def export(trail: Trail, folder: Path | str, account: str) -> list[Path]:
    """Write all of the account's records below ``folder`` and return the files in order of time.

    Only their owner can read them.
    """
    written = []
    for region in regions.names():
        for end, records in groupby(
            _in_order(trail, account, region),
            lambda record: _slot_end(seconds(record["eventTime"])),
        ):
            path = Path(folder) / log_file(account, region, end)
            _write(path, list(records))
            written.append((end, path))
    return [path for _, path in sorted(written)]


def log_file(account: str, region: str, end: int) -> str:
    """Return the path of the file whose records end at ``end``, seconds since 1970."""
    when = datetime.fromtimestamp(end, UTC)
    digest = int.from_bytes(hashlib.sha256(f"{account} {region} {end}".encode()).digest())
    unique = "".join(
        _ALPHABET[digest // len(_ALPHABET) ** n % len(_ALPHABET)] for n in range(UNIQUE_CHARACTERS)
    )
    name = f"{account}_CloudTrail_{region}_{when:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/{region}/{when:%Y/%m/%d}/{name}"


def _slot_end(time: int) -> int:
    return (time // DELIVERY_SECONDS + 1) * DELIVERY_SECONDS


def _in_order(trail: Trail, account: str, region: str) -> Iterator[dict[str, Any]]:
    """Yield records in the order of their time; they may not fit into memory."""
    query = (
        "SELECT (SELECT record FROM events e WHERE e.seq = a.seq) FROM attributes a"
        " WHERE account = ? AND region = ? AND attribute = ? AND value = ? ORDER BY time, seq"
    )
    with trail.reading() as database:
        for [record] in database.execute(query, (account, region, *ANY)):
            yield json.loads(record)


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(
            gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode(), mtime=0)
        )
    beside.replace(path)
