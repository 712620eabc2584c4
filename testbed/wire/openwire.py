"""As much OpenWire as it takes to log in: whether an ActiveMQ listener is ready, in milliseconds.

OpenWire has no Python library, and starting Java for the same question takes seconds. The bytes are
OpenWire version 1 without tight encoding or caching (ActiveMQ's OpenWire specification, version 2).
"""

import socket
import ssl
import struct
import time
import uuid
from pathlib import Path

from testbed.errors import ConnectionRefused, NotAuthorized

_WIRE_FORMAT_INFO, _CONNECTION_INFO, _SHUTDOWN_INFO, _RESPONSE, _EXCEPTION_RESPONSE = (
    1,
    3,
    11,
    30,
    31,
)
_CONNECTION_ID = 120
_TRUE, _NULL = b"\1", b"\0"
_MOST = 1024 * 1024  # bytes; a broker's frames before and at login are far smaller


def _string(text: str) -> bytes:
    raw = text.encode()
    return _TRUE + struct.pack(">H", len(raw)) + raw


def _frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def _wire_format() -> bytes:
    flags = ("TightEncodingEnabled", "CacheEnabled", "SizePrefixDisabled", "StackTraceEnabled")
    properties = struct.pack(">i", len(flags) + 1)
    for flag in flags:
        properties += struct.pack(">H", len(flag)) + flag.encode() + b"\1\0"  # a boolean, false
    name = b"MaxInactivityDuration"
    properties += (
        struct.pack(">H", len(name)) + name + b"\6" + struct.pack(">q", 0)
    )  # a long: no monitor
    return (
        bytes([_WIRE_FORMAT_INFO])
        + b"ActiveMQ"
        + struct.pack(">i", 1)
        + _TRUE
        + struct.pack(">i", len(properties))
        + properties
    )


def _connection_info(username: str, password: str) -> bytes:
    client = f"probe-{uuid.uuid4()}"
    header = (
        bytes([_CONNECTION_INFO]) + struct.pack(">i", 1) + _TRUE
    )  # command id 1, wants a response
    identity = _TRUE + bytes([_CONNECTION_ID]) + _string(client)
    return (
        header
        + identity
        + _string(client)
        + _string(password)
        + _string(username)
        + _NULL
        + b"\0\0"
    )


class _Frames:
    """The frames a broker sends, until a deadline."""

    def __init__(self, secured: ssl.SSLSocket, timeout: float) -> None:
        self._socket, self._deadline = secured, time.monotonic() + timeout

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
            chunk = self._socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("the broker hung up")
            data += chunk
        return data

    def next(self) -> bytes:
        (length,) = struct.unpack(">i", self._exactly(4))
        if not 0 < length < _MOST:
            raise ValueError("no OpenWire frame")
        return self._exactly(length)


def _reason(response: bytes) -> str:
    """Java's class and message out of an ExceptionResponse: header, correlation id, then the throwable."""
    rest, words = response[10:], []
    if rest[:1] == _TRUE:
        rest = rest[1:]
        while rest[:1] == _TRUE and len(words) < 2:
            length = int.from_bytes(rest[1:3], "big")
            words.append(rest[3 : 3 + length].decode("utf-8", "replace"))
            rest = rest[3 + length :]
    return ": ".join(words) or "no reason given"


def login(
    host: str,
    port: int,
    username: str,
    password: str,
    *,
    ca_file: Path,
    server_name: str = "",
    timeout: float = 5.0,
) -> int:
    """Log in over TLS with chain and host name checked, and out again; the broker's OpenWire version.

    ``server_name`` is the name the certificate has to carry, ``host`` if empty; ``timeout`` is in
    seconds and for everything. Raises ``ConnectionRefused`` when there is no TLS or no OpenWire, and
    ``NotAuthorized`` when the broker refuses the login.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=server_name or host) as secured,
        ):
            frames = _Frames(secured, timeout)
            secured.sendall(_frame(_wire_format()))
            greeting = frames.next()
            if greeting[:9] != bytes([_WIRE_FORMAT_INFO]) + b"ActiveMQ":
                raise ValueError("no OpenWire")
            secured.sendall(_frame(_connection_info(username, password)))
            while (answer := frames.next())[0] not in (_RESPONSE, _EXCEPTION_RESPONSE):
                pass  # the broker introduces itself
            if answer[0] == _EXCEPTION_RESPONSE:
                raise NotAuthorized(_reason(answer))
            secured.sendall(_frame(bytes([_SHUTDOWN_INFO]) + struct.pack(">i", 2) + b"\0"))
            return int.from_bytes(greeting[9:13], "big")
    except (OSError, ValueError, struct.error) as error:  # ssl.SSLError is an OSError
        raise ConnectionRefused(f"no OpenWire login at {host}:{port}: {error}") from error
