"""What a worker measured, on its way to whoever asked for it: as JSON has it, and back. Pure."""

from dataclasses import asdict, replace
from typing import Any

from testbed.bench.accounting import Sent
from testbed.bench.worker import Part


def packed(part: Part) -> dict[str, Any]:
    """Without its samples, whose times mean nothing to another machine."""
    tallies = [
        {str(producer): counts.hex() for producer, counts in tally.items()}
        for tally in part.tallies
    ]
    return {**asdict(replace(part, tallies=(), samples=())), "tallies": tallies}


def unpacked(document: dict[str, Any]) -> Part:
    """What ``packed`` made. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
    sent = tuple(
        Sent(each["producer"], each["attempted"], tuple(each["refused"]), tuple(each["unknown"]))
        for each in document["sent"]
    )
    tallies = tuple(
        {int(producer): bytes.fromhex(counts) for producer, counts in tally.items()}
        for tally in document["tallies"]
    )
    return Part(**{**document, "sent": sent, "tallies": tallies, "samples": ()})
