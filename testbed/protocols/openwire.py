"""OpenWire version 1 in loose encoding, without caching (ActiveMQ's OpenWire specification)."""

import struct

WIRE_FORMAT_INFO, CONNECTION_INFO, CONNECTION_ERROR = 1, 3, 16
RESPONSE, EXCEPTION_RESPONSE = 30, 31
CONNECTION_ID = 120
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


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
