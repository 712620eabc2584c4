"""MQTT 3.1.1."""

import struct

CONNACK_BYTES = 4
_CLEAN_SESSION, _LOGIN = 0x02, 0xC0
_KEEP_ALIVE = 60  # seconds


def connect(client: str, username: str = "", password: str = "") -> bytes:
    """Return a CONNECT packet, with a login if there is a user (section 3.1)."""
    payload = _text(client)
    flags = _CLEAN_SESSION
    if username:
        flags |= _LOGIN
        payload += _text(username) + _text(password)
    rest = _text("MQTT") + struct.pack(">BBH", 4, flags, _KEEP_ALIVE) + payload
    return b"\x10" + _length(len(rest)) + rest


def is_connack(answer: bytes) -> bool:
    """Return whether a server's first bytes are a CONNACK of any result."""
    return answer[:2] == b"\x20\x02" and len(answer) >= CONNACK_BYTES


def is_accepted(answer: bytes) -> bool:
    """Say whether a CONNACK accepts the connection."""
    return answer[3:4] == b"\0"


def _length(count: int) -> bytes:
    """Encode a remaining length: seven bits a byte, the lowest first (section 2.2.3)."""
    encoded = b""
    while count > 0x7F:
        encoded += bytes([count & 0x7F | 0x80])
        count >>= 7
    return encoded + bytes([count])


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
