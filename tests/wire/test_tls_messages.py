"""TLS messages as bytes: answers that no server here gives, whole, in pieces and broken."""

import contextlib
import socket
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.wire import tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import Agreed, ListenerAddress, handshake
from testbed.wire.protocol_greetings import plaintext
from testbed.wire.scan import Refusal
from testbed.wire.tls_messages import offered
from tests.support.tls_servers import NAME, serving


def server_hello(version: int, suite: int, extensions: bytes = b"") -> bytes:
    body = (
        struct.pack(">H", version) + bytes(32) + b"\0" + struct.pack(">HB", suite, 0) + extensions
    )
    message = b"\2" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x00" + struct.pack(">H", len(message)) + message


def answering(reply: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        for start in range(0, len(reply), 3):  # in pieces, as a network may deliver them
            connection.sendall(reply[start : start + 3])

    return handle


@pytest.mark.parametrize(
    ("version", "reply", "expected"),
    [
        ("SSLv3", server_hello(0x0300, 0x000A), "SSLv3"),
        ("TLSv1.1", server_hello(0x0301, 0x000A), Refusal("version", "TLSv1")),
        ("TLSv1.2", b"\x15\x03\x01\0\2\1\x70" + server_hello(0x0303, 0x000A), "TLSv1.2"),
        ("TLSv1.2", b"\x15\x03\x01\0\2\1\x70", Refusal("alert", "warning unrecognized_name")),
        ("TLSv1.2", b"\x15\x03\x01\0\2\2\x28", Refusal("alert", "fatal handshake_failure")),
        ("TLSv1.2", b"\x15\x03\x01\0\2\2\xfe", Refusal("alert", "fatal alert 254")),
        (
            "TLSv1.2",
            server_hello(0x0303, 0xC030),
            Refusal("bytes", ""),
        ),  # a suite that was not offered
        ("TLSv1.2", b"HTTP/1.1 400 Bad Request\r\n\r\n", Refusal("bytes", "48 54 54")),
        ("TLSv1.2", b"\x16\x03\x03\0\4\2\0\0\0", Refusal("bytes", "")),
        ("TLSv1.2", b"", Refusal("closed")),
    ],
)
def test_odd_answers(version: str, reply: bytes, expected: str | Refusal) -> None:
    with serving(answering(reply)) as port:
        answer = handshake(ListenerAddress("127.0.0.1", port, NAME, 2.0), version, [0x000A])
    if isinstance(expected, str):
        assert isinstance(answer, Agreed)
        assert answer.server_hello.version == expected
    else:
        assert isinstance(answer, Refusal)
        assert answer.kind == expected.kind
        assert answer.detail.startswith(expected.detail)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for read in (
        tls_messages.record,
        tls_messages.server_hello,
        tls_messages.certificates,
        tls_messages.alert,
        lambda content: list(tls_messages.messages(content)),
    ):
        with contextlib.suppress(NotTls):
            read(data)


def test_garbage_after_a_greeting_is_an_answer() -> None:
    with serving(answering(bytes(range(256)))) as port:
        assert plaintext(ListenerAddress("127.0.0.1", port, NAME, 2.0), b"x").kind == "bytes"


def test_the_whole_list_fits_one_record() -> None:
    assert len(tls_messages.client_hello("TLSv1.2", offered("TLSv1.2"), NAME)) < 2**14
