"""AMQP 0-9-1 (specification, sections 2.3 and 4.2), and the SASL login of AMQP 1.0."""

import struct
from struct import Struct

HEADER_0_9_1 = b"AMQP\0\0\x09\x01"
HEADER_1_0 = b"AMQP\0\1\0\0"
HEADER_SASL = b"AMQP\3\1\0\0"  # AMQP 1.0, to be authenticated first
# Frames of AMQP 0-9-1.
FRAME = Struct(">BHI")  # type, channel, size
METHOD, FRAME_END = 1, 0xCE
_CONTENT_HEADER, _CONTENT_BODY = 2, 3


def sasl_plain(username: str, password: str) -> bytes:
    """Return a sasl-init frame for the mechanism PLAIN (AMQP 1.0, part 5)."""
    response = b"\0" + username.encode() + b"\0" + password.encode()
    fields = b"\xa3\x05PLAIN\xb0" + struct.pack(">I", len(response)) + response
    # Data offset, frame type SASL, the descriptor of sasl-init, and a list of two fields.
    body = b"\2\1\0\0\0\x53\x41\xd0" + struct.pack(">II", len(fields) + 4, 2) + fields
    return struct.pack(">I", len(body) + 4) + body


def is_accepted(outcome: bytes) -> bool:
    """Say whether a sasl-outcome has the code ok."""
    return outcome.endswith(b"\x50\0")


def is_0_9_1(answer: bytes) -> bool:
    """Say whether a server's first bytes are its header, or connection.start on channel 0."""
    start = answer[:3] == b"\1\0\0" and answer[7:11] == b"\0\x0a\0\x0a"
    return start or answer.startswith(HEADER_0_9_1)


def is_1_0(answer: bytes) -> bool:
    """Say whether a server's first bytes are AMQP 1.0, with SASL or without."""
    return answer.startswith((HEADER_SASL, HEADER_1_0))


def short(text: str | bytes) -> bytes:
    """Encode a short string."""
    raw = text.encode() if isinstance(text, str) else text
    return bytes([len(raw)]) + raw


def long(raw: bytes) -> bytes:
    """Encode a long string."""
    return struct.pack(">I", len(raw)) + raw


def table(**entries: str) -> bytes:
    """Encode a table of strings; underscores in names stand for hyphens."""
    return long(
        b"".join(
            short(name.replace("_", "-")) + b"S" + long(value.encode())
            for name, value in entries.items()
        )
    )


def _frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return FRAME.pack(kind, channel, len(payload)) + payload + bytes([FRAME_END])


def method(kind: tuple[int, int], arguments: bytes = b"", channel: int = 1) -> bytes:
    """Return a method's frame."""
    return _frame(METHOD, struct.pack(">HH", *kind) + arguments, channel)


def properties(*, persistent: bool) -> bytes:
    """Encode a message's properties: its delivery mode alone."""
    return struct.pack(">HB", 0x1000, 2 if persistent else 1)


def content(body: bytes, properties: bytes, frame_max: int) -> bytes:
    """Return the content header and as many body frames as it takes."""
    most = frame_max - FRAME.size - 1
    pieces = (body[at : at + most] for at in range(0, len(body), most))
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties
    return _frame(_CONTENT_HEADER, header) + b"".join(
        _frame(_CONTENT_BODY, piece) for piece in pieces
    )


def before_body(properties: bytes) -> int:
    """Return the bytes of a content before its body: the header's frame, and a frame's start."""
    return FRAME.size + 12 + len(properties) + 1 + FRAME.size
