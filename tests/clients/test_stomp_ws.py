"""The socket under STOMP over WebSocket, which two threads use; no container."""

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import websocket

from testbed.clients import tls
from testbed.clients.base import Address
from testbed.clients.stomp_ws import SharedSocket
from tests.support.tls_servers import make_pki, serving


def test_what_is_sent_while_another_thread_closes_it_reaches_no_other_connection(
    tmp_path: Path,
) -> None:
    pki, closed = make_pki(tmp_path), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.chain, pki.key)

    def read_late(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as stream:
            stream.send(b"hello")
            closed.wait(10)
            while stream.recv(65536):
                pass

    with serving(read_late) as port:
        address = Address("stomp-ws", "127.0.0.1", port, "user", "secret", pki.ca)
        shared = SharedSocket(tls.open_socket(address, 10.0))
        assert shared.recv(5) == b"hello"
        shared.settimeout(0.05)
        with pytest.raises(TimeoutError):
            shared.recv(1)
        shared.settimeout(None)
        descriptor = shared.fileno()
        errors: list[OSError] = []

        def send() -> None:
            try:
                while True:
                    shared.send(b"x" * 1_000_000)
            except OSError as error:
                errors.append(error)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        sending.join(0.3)  # by now it waits for the server to read
        assert sending.is_alive()
        shared.close()
        others: list[socket.socket] = []
        while descriptor not in [other.fileno() for other in others]:  # lower ones are taken first
            assert len(others) < 512
            others += socket.socketpair()
        reused = [other.fileno() for other in others].index(descriptor)
        closed.set()
        sending.join(10)
        assert len(errors) == 1
        peer = others[reused ^ 1]
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):  # nothing has come
            peer.recv(1)
        for other in others:
            other.close()


def test_websocket_client_closes_it() -> None:
    ours, other = socket.socketpair()
    shared = SharedSocket(ours)
    connection: Any = websocket.WebSocket()
    connection.sock = shared
    connection.shutdown()
    assert shared.fileno() < 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        shared.recv(1)
    other.close()
