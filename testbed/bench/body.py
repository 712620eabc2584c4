"""What a message of a run says of itself: which run and producer, which number, and when it was meant to be sent.

The rest is noise that cannot be compressed, the same for all messages of a producer, so that a damaged body shows.
"""

import hashlib
from struct import Struct

# Run, producer, number (from 0), intended time of sending (ns of the monotonic clock).
HEADER = Struct(">IIQQ")
LEAST_SIZE = HEADER.size


def filler(run: int, producer: int, size: int) -> bytes:
    """What follows the header in a body of ``size`` bytes."""
    return hashlib.shake_128(f"{run}-{producer}".encode()).digest(max(0, size - HEADER.size))


def body_of(run: int, producer: int, number: int, intended: int, size: int) -> bytes:
    """A whole body of ``size`` bytes, ``LEAST_SIZE`` at least."""
    return HEADER.pack(run, producer, number, intended) + filler(run, producer, size)


def name_of(run: int, producer: int, number: int) -> str:
    """The message's identity in a history."""
    return f"{run:08x}-{producer}-{number}"
