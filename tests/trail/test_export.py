"""The trail as CloudTrail delivers it: names, folders, gzip, every record once."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.kms.base import USER, USER_ACCOUNT
from testbed.trail.export import export, log_file
from testbed.trail.record import Call, Setting, kms_record
from testbed.trail.store import Trail

NOON = 1_786_104_000  # 2026-08-07T12:00:00Z


def record(
    number: int, at: float, region: str = "us-east-1", account: str = USER_ACCOUNT
) -> dict[str, Any]:
    return kms_record(
        Call(replace(USER, region=region), "ListKeys", {}, at, "request"),
        Setting(),
        event_id=f"event-{number}",
        recipient=account,
    )


def read(path: Path) -> list[dict[str, Any]]:
    document = json.loads(gzip.decompress(path.read_bytes()))
    assert list(document) == ["Records"]
    records: list[dict[str, Any]] = document["Records"]
    return records


def test_files_are_named_and_placed_as_the_user_guide_says(tmp_path: Path) -> None:
    name = log_file("111122223333", "us-east-2", NOON)
    assert re.fullmatch(
        r"AWSLogs/111122223333/CloudTrail/us-east-2/2026/08/07/111122223333_CloudTrail_us-east-2_20260807T1200Z_[0-9A-Za-z]{16}\.json\.gz",
        name,
    )
    assert (
        len(
            {
                log_file("111122223333", region, NOON + slot)
                for region in ("us-east-1", "us-east-2")
                for slot in (0, 300)
            }
        )
        == 4
    )


def test_every_record_is_delivered_once_within_five_minutes_of_its_time(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    times = [NOON, NOON + 299, NOON + 300, NOON + 86_400, NOON + 100]
    trail.append(*(record(number, at) for number, at in enumerate(times)))
    trail.append(record(9, NOON, account="999999999999"))

    files = export(trail, tmp_path / "bucket", USER_ACCOUNT)

    assert [[record["eventID"] for record in read(path)] for path in files] == [
        ["event-0", "event-4", "event-1"],
        ["event-2"],
        ["event-3"],
    ]
    assert [path.parent.name for path in files] == ["07", "07", "08"]
    assert "T1205Z_" in files[0].name
    assert "T1210Z_" in files[1].name
    assert {path for path in (tmp_path / "bucket").rglob("*") if path.is_file()} == set(files)


def test_the_exported_record_is_the_record(tmp_path: Path) -> None:
    trail, written = Trail(tmp_path), record(1, NOON)
    trail.append(written)
    [path] = export(trail, tmp_path / "bucket", USER_ACCOUNT)
    assert read(path) == [written]
    assert path.stat().st_mode & 0o077 == 0


def test_each_region_has_its_own_files(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.append(record(1, NOON), record(2, NOON + 1, "eu-west-1"), record(3, NOON + 2))
    files = export(trail, tmp_path / "bucket", USER_ACCOUNT)
    assert {path.relative_to(tmp_path / "bucket").parts[3]: len(read(path)) for path in files} == {
        "us-east-1": 2,
        "eu-west-1": 1,
    }


def test_exporting_again_adds_what_is_new_and_doubles_nothing(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.append(record(1, NOON))
    first = export(trail, tmp_path / "bucket", USER_ACCOUNT)
    before = first[0].read_bytes()
    assert export(trail, tmp_path / "bucket", USER_ACCOUNT) == first
    assert first[0].read_bytes() == before

    trail.append(record(2, NOON + 1), record(3, NOON + 400))
    export(trail, tmp_path / "bucket", USER_ACCOUNT)
    delivered = [
        record["eventID"]
        for path in sorted((tmp_path / "bucket").rglob("*.gz"))
        for record in read(path)
    ]
    assert sorted(delivered) == ["event-1", "event-2", "event-3"]


def test_an_empty_trail_delivers_nothing(tmp_path: Path) -> None:
    assert export(Trail(tmp_path), tmp_path / "bucket", USER_ACCOUNT) == []
    assert not (tmp_path / "bucket").exists()
