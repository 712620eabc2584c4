"""The newest records of the trail, one line each; repeated reads are folded into one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testbed.report.trail import OK, result, what, who


@dataclass(frozen=True)
class TrailLine:
    """One call, or ``count`` equal reads between two changes. ``time`` is the newest one's."""

    event_id: str
    time: str
    region: str
    event: str
    caller: str
    resources: str
    result: str
    count: int = 1

    @property
    def refused(self) -> bool:
        return self.result != OK


def fold(
    records: Iterable[Mapping[str, Any]], names: Mapping[str, str], lines: int
) -> tuple[TrailLine, ...]:
    """Return at most so many lines of ``records``, which come newest first.

    ``names`` has the names of brokers by their ids. Equal reads with no change between them become
    one line, where the newest of them is.
    """
    folded: list[TrailLine] = []
    reads: dict[TrailLine, int] = {}  # since the last change, by what they have in common
    for record in records:
        line = _line(record, names)
        alike = replace(line, event_id="", time="")
        if record["readOnly"] and alike in reads:
            place = reads[alike]
            folded[place] = replace(folded[place], count=folded[place].count + 1)
            continue
        if len(folded) == lines:
            break
        if record["readOnly"]:
            reads[alike] = len(folded)
        else:
            reads.clear()
        folded.append(line)
    return tuple(folded)


def _line(record: Mapping[str, Any], names: Mapping[str, str]) -> TrailLine:
    return TrailLine(
        event_id=record["eventID"],
        time=record["eventTime"],
        region=record["awsRegion"],
        event=record["eventName"],
        caller=who(record),
        resources=what(record, names),
        result=result(record),
    )
