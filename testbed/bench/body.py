"""What a message of a run says of itself: which run and producer, which number, and when it was meant to be sent.

The rest, noise that cannot be compressed or a file's content, is the same for all messages of a producer, so that a damaged
body shows.
"""

import hashlib
from functools import lru_cache
from struct import Struct

# Run, producer, number (from 0), intended time of sending (ns of the monotonic clock).
HEADER = Struct(">IIQQ")
LEAST_SIZE = HEADER.size


@lru_cache(maxsize=64)
def filler(run: int, producer: int, size: int, content: bytes = b"") -> bytes:
    """What follows the header in a body of ``size`` bytes, ``LEAST_SIZE`` at least: ``content`` over and over, or noise."""
    wanted = max(0, size - HEADER.size)
    if content:
        return (content * (wanted // len(content) + 1))[:wanted]
    return hashlib.shake_128(f"{run}-{producer}".encode()).digest(wanted)


def name_of(run: int, producer: int, number: int) -> str:
    """The message's identity in a history."""
    return f"{run:08x}-{producer}-{number}"
