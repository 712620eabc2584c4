"""The OpenWire login over real TLS, against the frames ActiveMQ 5.19.2 sends (recorded from one)."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.wire.openwire import login
from tests.support.tls_servers import NAME, Pki, make_pki, serving

# Its WireFormatInfo, shortened to one property: OpenWire version 12.
GREETING = (
    bytes.fromhex("014163746976654d510000000c010000002000000001000d")
    + b"\0\x11StackTraceEnabled\1\1"
)
BROKER_INFO = bytes.fromhex("020000000000017c0100") + b"\x04ID:x" + bytes(20)
ACCEPTED = bytes.fromhex("1e000000000000000001")
REFUSED = (
    bytes.fromhex("1f0000000000000000010101001b")
    + b"java.lang.SecurityException\1\0\x29User name [admin] or password is invalid."
)


@contextmanager
def broker(pki: Pki, password: bytes, *, greeting: bytes = GREETING) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.chain, pki.key)

    def frame(connection: ssl.SSLSocket) -> bytes:
        return connection.recv(int.from_bytes(connection.recv(4), "big"))

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            for answer in (greeting, BROKER_INFO):
                secured.sendall(len(answer).to_bytes(4, "big") + answer)
            assert frame(secured)[:9] == b"\1ActiveMQ"
            answer = ACCEPTED if password in frame(secured) else REFUSED
            secured.sendall(len(answer).to_bytes(4, "big") + answer)
            secured.recv(100)

    with serving(handle) as port:
        yield port


def test_a_login_tells_the_broker_s_version(pki: Pki) -> None:
    with broker(pki, b"right password") as port:
        assert (
            login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca, server_name=NAME)
            == 12
        )
        assert login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca) == 12


def test_a_refused_login_says_what_the_broker_said(pki: Pki) -> None:
    with broker(pki, b"right password") as port, pytest.raises(NotAuthorized) as raised:
        login("127.0.0.1", port, "admin", "wrong password", ca_file=pki.ca)
    assert (
        str(raised.value)
        == "java.lang.SecurityException: User name [admin] or password is invalid."
    )
    assert "wrong password" not in str(raised.value)


def test_another_host_name_and_another_authority_are_refused(pki: Pki, tmp_path: Path) -> None:
    with broker(pki, b"right password") as port:
        with pytest.raises(ConnectionRefused, match="ostname mismatch"):
            login(
                "127.0.0.1",
                port,
                "admin",
                "right password",
                ca_file=pki.ca,
                server_name="elsewhere.invalid",
            )
        with pytest.raises(ConnectionRefused, match="verify failed"):
            login("127.0.0.1", port, "admin", "right password", ca_file=make_pki(tmp_path).ca)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400", b"", GREETING[:4]])
def test_what_speaks_no_openwire(pki: Pki, greeting: bytes) -> None:
    with (
        broker(pki, b"", greeting=greeting) as port,
        pytest.raises(ConnectionRefused, match="no OpenWire"),
    ):
        login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca)


def test_what_speaks_no_tls(pki: Pki) -> None:
    with (
        serving(lambda connection: connection.sendall(GREETING)) as port,
        pytest.raises(ConnectionRefused),
    ):
        login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca)


def test_silence_ends_in_time_and_a_closed_port_at_once(pki: Pki) -> None:
    with serving(
        lambda connection: connection.recv(1) and connection.recv(10**6) and connection.recv(1)
    ) as port:  # type: ignore[arg-type, return-value, func-returns-value]
        with pytest.raises(ClientError, match="timed out"):
            login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca, timeout=0.3)
    with pytest.raises(ConnectionRefused):
        login("127.0.0.1", port, "admin", "right password", ca_file=pki.ca)
