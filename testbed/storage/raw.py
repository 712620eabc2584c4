"""The proof by raw bytes: is a text anywhere on a volume, as the disk has it?"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RawSearch:
    """``hits`` occurrences of the needle in ``scanned`` bytes of raw storage."""

    hits: int
    scanned: int


def search(chunks: Iterable[bytes], needle: bytes) -> RawSearch:
    """Count ``needle`` in a stream, across the borders of its chunks."""
    hits, scanned, tail = 0, 0, b""
    for chunk in chunks:
        scanned += len(chunk)
        window = tail + chunk
        hits += window.count(needle)
        # What is kept is shorter than the needle, so nothing is counted twice.
        tail = window[-(len(needle) - 1) :] if len(needle) > 1 else b""
    return RawSearch(hits, scanned)
