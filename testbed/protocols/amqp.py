"""AMQP 0-9-1, and the SASL login of AMQP 1.0."""

import struct

HEADER_0_9_1 = b"AMQP\0\0\x09\x01"
HEADER_1_0 = b"AMQP\0\1\0\0"
HEADER_SASL = b"AMQP\3\1\0\0"  # AMQP 1.0, to be authenticated first


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
