"""OpenWire version 1 in loose encoding, without caching (ActiveMQ's OpenWire specification)."""

import struct
from dataclasses import dataclass

WIRE_FORMAT_INFO, CONNECTION_INFO, CONNECTION_ERROR = 1, 3, 16
BYTES_MESSAGE, RESPONSE, EXCEPTION_RESPONSE = 24, 30, 31
MESSAGE_ID, LOCAL_TRANSACTION = 110, 111
CONNECTION_ID, SESSION_ID, CONSUMER_ID, PRODUCER_ID = 120, 121, 122, 123
NULL, TRUE, FALSE = b"\0", b"\1", b"\0"

_GREETING = bytes([WIRE_FORMAT_INFO]) + b"ActiveMQ"
_OPTIONS = {
    "TightEncodingEnabled": False,
    "CacheEnabled": False,
    "SizePrefixDisabled": False,
    "TcpNoDelayEnabled": True,
}


def frame(command: bytes) -> bytes:
    """Prefix a command with its size."""
    return struct.pack(">i", len(command)) + command


def string(text: str) -> bytes:
    """Encode a string that may be null."""
    return TRUE + _text(text)


def boolean(value: bool) -> bytes:
    """Encode a boolean."""
    return TRUE if value else FALSE


def structure(kind: int, body: bytes) -> bytes:
    """Encode a nested data structure of type ``kind``."""
    return TRUE + bytes([kind]) + body


def wire_format() -> bytes:
    """Return the client's WireFormatInfo, its first command.

    It asks for loose encoding, and for no monitoring of inactivity.
    """
    properties = struct.pack(">i", len(_OPTIONS) + 1)
    for name, value in _OPTIONS.items():
        properties += _text(name) + b"\1" + boolean(value)
    properties += _text("MaxInactivityDuration") + b"\6" + struct.pack(">q", 0)
    return _GREETING + struct.pack(">i", 1) + TRUE + struct.pack(">i", len(properties)) + properties


def command(kind: int, number: int, body: bytes, *, answer: bool) -> bytes:
    """Return a command with its number; ``answer`` asks the broker to respond to it."""
    return struct.pack(">Bi", kind, number) + boolean(answer) + body


def connection_info(client: str, username: str, password: str) -> bytes:
    """Return the body of a ConnectionInfo: the login of ``client``."""
    name = string(client)
    login = name + string(password) + string(username)
    return structure(CONNECTION_ID, name) + login + NULL + FALSE * 2


@dataclass(frozen=True)
class BytesMessage:
    """A message as a frame, and where in it the fields begin that differ between messages."""

    frame: bytes
    transaction: int  # its number, in a local transaction
    sequence: int  # the producer's, in the message id
    timestamp: int
    content: int
    command: int = 5


def bytes_message(
    producer: bytes, destination: bytes, transaction: bytes, content: bytes, *, persistent: bool
) -> BytesMessage:
    """Return a message. All arguments but ``content`` are encoded already.

    The broker answers it, unless it is part of a transaction.
    """
    before_id = producer + destination + transaction + destination
    message_id = structure(MESSAGE_ID, producer + bytes(16))
    # No original transaction, no group; sequence, no correlation; expiration, priority, no
    # reply-to; timestamp, no type.
    middle = NULL * 2 + bytes(4) + NULL + boolean(persistent) + bytes(8) + b"\4" + NULL
    middle += bytes(8) + NULL
    after = NULL * 3 + FALSE + bytes(4) + NULL + bytes(8) + NULL + FALSE
    head = command(BYTES_MESSAGE, 0, b"", answer=transaction == NULL)
    until_id, until_content = before_id + message_id, before_id + message_id + middle
    start = 4 + len(head)
    return BytesMessage(
        frame(head + until_content + TRUE + struct.pack(">i", len(content)) + content + after),
        transaction=start + len(producer + destination) + 2,
        sequence=start + len(until_id) - 16,
        timestamp=start + len(until_content) - 9,
        content=start + len(until_content) + 5,
    )


def is_greeting(received: bytes) -> bool:
    """Say whether this command is a broker's WireFormatInfo."""
    return received.startswith(_GREETING)


def refusal(received: bytes) -> str:
    """Return the exception in a command: Java's class and message; empty where it carries none."""
    if received[0] not in (EXCEPTION_RESPONSE, CONNECTION_ERROR):
        return ""
    # After the header, and the correlation id of a response, comes a throwable that may be null.
    at = 11 if received[0] == EXCEPTION_RESPONSE else 7
    words: list[str] = []
    while received[at : at + 1] == TRUE and len(words) < 2:
        size = int.from_bytes(received[at + 1 : at + 3], "big")
        words.append(received[at + 3 : at + 3 + size].decode(errors="replace"))
        at += 3 + size
    return ": ".join(words) or "no reason given"


def answered_command(response: bytes | bytearray, at: int = 0) -> int:
    """Return the number of the command that a response is about."""
    return int.from_bytes(response[at + 6 : at + 10], "big")


def skip(data: bytes, at: int) -> int:
    """Return where the nested data structure at ``at`` ends."""
    if data[at] == 0:
        return at + 1
    kind, at = data[at + 1], at + 2
    if kind == MESSAGE_ID:
        return skip(data, at) + 16
    if kind == LOCAL_TRANSACTION:
        return skip(data, at + 8)
    at += 3 + int.from_bytes(data[at + 1 : at + 3], "big")
    return at + {SESSION_ID: 8, CONSUMER_ID: 16, PRODUCER_ID: 16}.get(kind, 0)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
