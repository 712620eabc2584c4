"""The HTTPS server by itself: what it refuses, and that nobody can keep it from serving others."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.aws import https
from testbed.aws.https import Request, Response
from testbed.documented.tls import API
from testbed.pki import Authority, Certificate
from testbed.runtime import ports
from testbed.wire.prober import probe
from testbed.wire.verdict import judge, judge_certificate

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def echo(request: Request) -> Response:
    return Response(
        200,
        (
            f"{request.method} {request.path} {sorted(request.query.items())} {len(request.body)}"
        ).encode(),
    )


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Authority.create().issue(names=["localhost", "127.0.0.1"])


@pytest.fixture
def ca_file(certificate: Certificate, tmp_path: Path) -> Path:
    return certificate.write(tmp_path).ca


@contextmanager
def serving(certificate: Certificate) -> Iterator[https.HttpsServer]:
    server = https.HttpsServer(ports.free(1)[0], https.context(certificate), echo)
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    ).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(certificate: Certificate) -> Iterator[https.HttpsServer]:
    with serving(certificate) as running:
        yield running


def connect(server: https.HttpsServer, ca_file: Path) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        "localhost",
        server.server_port,
        context=ssl.create_default_context(cafile=str(ca_file)),
        timeout=30,
    )


def get(server: https.HttpsServer, ca_file: Path) -> bytes:
    connection = connect(server, ca_file)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return body


def test_exactly_the_documented_versions_and_no_plaintext(
    server: https.HttpsServer, ca_file: Path
) -> None:
    scan = probe("localhost", server.server_port, server_name="localhost", ca_file=ca_file)
    assert judge(scan, API) == () == judge_certificate(scan, ("localhost",))
    assert all(suite.forward_secret or "_WITH_" not in suite.iana for suite in API.suites)


def test_requests_follow_each_other_on_one_connection(
    server: https.HttpsServer, ca_file: Path
) -> None:
    connection = connect(server, ca_file)
    for body in (b"", b"x" * 100_000):
        connection.request("POST", "/a%2Fb?x=1&x=2&y=", body)
        assert (
            connection.getresponse().read()
            == f"POST /a%2Fb [('x', ['1', '2']), ('y', [''])] {len(body)}".encode()
        )
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert (response.read(), int(response.headers["Content-Length"])) == (b"", len(b"HEAD / [] 0"))
    connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET /?" + b"a=1&" * 500 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
    ],
)
def test_what_http_refuses_is_refused_at_once_and_without_a_page(
    server: https.HttpsServer, ca_file: Path, head: bytes, status: int
) -> None:
    trust = ssl.create_default_context(cafile=str(ca_file))
    with (
        socket.create_connection(("localhost", server.server_port), 30) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(head)
        response = http.client.HTTPResponse(secured)
        response.begin()
        assert (response.status, response.read()) == (status, b"")
    assert get(server, ca_file) == b"GET / [] 0"


def test_handshakes_that_are_not_finished_keep_nobody_waiting(
    server: https.HttpsServer, ca_file: Path
) -> None:
    hanging = [socket.create_connection(("localhost", server.server_port), 10) for _ in range(50)]
    try:
        for connection in hanging[::2]:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        assert get(server, ca_file) == b"GET / [] 0"
    finally:
        for connection in hanging:
            connection.close()


def test_what_hangs_is_ended(
    certificate: Certificate, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "HANDSHAKE", 0.3)
    monkeypatch.setattr(https, "IDLE", 0.3)
    with (
        serving(certificate) as server,
        socket.create_connection(("localhost", server.server_port), 30) as silent,
    ):
        assert silent.recv(1) == b"", "the handshake has timed out"
        connection = connect(server, ca_file)
        connection.connect()
        connection.sock.sendall(b"GET / HTTP/1.1\r\nContent-Le")
        assert connection.sock.recv(1) == b"", "the request has timed out"
        connection.close()


def test_there_is_a_last_place_and_it_is_given_again(
    certificate: Certificate, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "CONNECTIONS", 3)
    with serving(certificate) as server:
        connections = [
            socket.create_connection(("localhost", server.server_port), 30) for _ in range(3)
        ]
        with socket.create_connection(("localhost", server.server_port), 30) as refused:
            assert refused.recv(1) == b""
        for connection in connections:
            connection.close()
        end = time.monotonic() + 30
        while True:
            try:
                assert get(server, ca_file) == b"GET / [] 0"
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)


def test_a_server_that_ends_ends_its_connections(certificate: Certificate, ca_file: Path) -> None:
    with serving(certificate) as server:
        connection = connect(server, ca_file)
        connection.request("GET", "/")
        connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", server.server_port), 5)
