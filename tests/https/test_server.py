"""The HTTPS server by itself: what it refuses, and that nobody can keep it from serving others."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.documented.tls import API
from testbed.https import http_body
from testbed.https import server as https
from testbed.https.server import Request, Response
from testbed.kms.base import TlsDetails
from testbed.pki import Certificate
from testbed.runtime import ports
from testbed.wire.prober import probe
from testbed.wire.verdict import judge, judge_certificate
from tests.support.authority import shared

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
    return shared().issue(names=["localhost", "127.0.0.1"])


@pytest.fixture
def ca_file(certificate: Certificate, tmp_path: Path) -> Path:
    return certificate.write(tmp_path).ca


@contextmanager
def serving(certificate: Certificate, answer: https.Answer = echo) -> Iterator[https.HttpsServer]:
    server = https.HttpsServer(ports.free(1)[0], https.context(certificate), answer)
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


@contextmanager
def secured(server: https.HttpsServer, ca_file: Path) -> Iterator[ssl.SSLSocket]:
    trust = ssl.create_default_context(cafile=str(ca_file))
    with (
        socket.create_connection(("localhost", server.server_port), 30) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def response_on(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"\r\nx\r\n", 400),
        (CHUNKED + b"\r\n-1\r\n", 400),
        (CHUNKED + b"\r\n3\r\nabcdef\r\n0\r\n\r\n", 400),
        (CHUNKED + b"\r\nFFFFFFFF\r\n", 413),
        (CHUNKED + b"\r\n400000\r\n" + b"a" * 0x400000 + b"\r\n1\r\na\r\n", 413),
        (CHUNKED + b"\r\n1;" + b"a" * 5000, 431),
        (CHUNKED + b"\r\n0\r\n" + b"a: b\r\n" * 200, 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET /?" + b"a=1&" * 500 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / TLS/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_a_refusal_in_http_is_readable_and_ends_the_connection(
    server: https.HttpsServer, ca_file: Path, request_: bytes, status: int
) -> None:
    with secured(server, ca_file) as connection:
        connection.sendall(request_)
        refused, body = response_on(connection)
    assert refused == status
    assert not body or json.loads(body)["message"]
    assert get(server, ca_file) == b"GET / [] 0"


@pytest.mark.parametrize("size", [http_body.LIMIT + 1, 2**25])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_client_that_sends_too_much_can_read_so(
    server: https.HttpsServer, ca_file: Path, *, size: int, chunked: bool
) -> None:
    connection = connect(server, ca_file)
    pieces = (b"x" * min(2**16, size - sent) for sent in range(0, size, 2**16))
    connection.request(
        "POST",
        "/",
        pieces,
        {} if chunked else {"Content-Length": str(size)},
        encode_chunked=chunked,
    )
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())) == (
        413,
        {"message": "A request has at most 4 MiB."},
    )
    connection.close()


def test_after_a_refusal_no_more_than_a_bound_is_read(
    certificate: Certificate, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "DISCARDED", 2**16)
    with serving(certificate) as server, secured(server, ca_file) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        assert response_on(connection)[0] == 413
        with pytest.raises(OSError, match=r"(?i)pipe|reset|EOF"):
            connection.sendall(b"x" * 99_999_999)


def test_a_refused_client_that_stays_silent_is_left(
    certificate: Certificate, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "LINGER", 0.3)
    with serving(certificate) as server, secured(server, ca_file) as connection:
        connection.sendall(b"BREW / HTTP/1.1\r\n\r\n")
        assert response_on(connection)[0] == 501
        assert connection.recv(1) == b""


@pytest.mark.parametrize("chunks", [[b"abc", b"d" * 5000], [b"x" * http_body.LIMIT], []])
def test_a_body_may_come_in_chunks_of_any_size(
    server: https.HttpsServer, ca_file: Path, chunks: list[bytes]
) -> None:
    connection = connect(server, ca_file)
    for _ in range(2):
        connection.request("POST", "/", iter(chunks), encode_chunked=True)
        size = sum(map(len, chunks))
        assert connection.getresponse().read() == f"POST / [] {size}".encode()
    connection.close()


def test_chunks_may_have_extensions_and_trailers(server: https.HttpsServer, ca_file: Path) -> None:
    with secured(server, ca_file) as connection:
        connection.sendall(CHUNKED + b"\r\n3;a=b\r\nabc\r\n0\r\nDigest: x\r\n\r\n")
        assert response_on(connection) == (200, b"POST / [] 3")
        connection.sendall(b"GET /next HTTP/1.1\r\n\r\n")
        assert response_on(connection) == (200, b"GET /next [] 0")


def test_who_expects_a_word_before_sending_gets_it_at_once(
    server: https.HttpsServer, ca_file: Path
) -> None:
    with secured(server, ca_file) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert response_on(connection) == (200, b"POST / [] 3")


def test_a_body_that_comes_byte_by_byte_is_served(server: https.HttpsServer, ca_file: Path) -> None:
    with secured(server, ca_file) as connection:
        for byte in b"POST /slow HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789":
            connection.sendall(bytes([byte]))
        assert response_on(connection) == (200, b"POST /slow [] 10")


def test_requests_may_be_sent_ahead_of_their_answers(
    server: https.HttpsServer, ca_file: Path
) -> None:
    with secured(server, ca_file) as connection, connection.makefile("rb") as stream:
        connection.sendall(
            b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n1\r\n"  # some end a body with a line
            b"GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        answers = stream.read()
    assert [answer.partition(b"HTTP/1.1")[0] for answer in answers.split(b"\r\n\r\n")[1:]] == [
        b"POST /a [] 1",
        b"GET /b [] 0",
        b"GET /c [] 0",
    ]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"GET https://localhost/a?x=1 HTTP/1.1", b"GET /a [('x', ['1'])] 0"),
        (b"GET https://localhost HTTP/1.1", b"GET / [] 0"),
        (b"OPTIONS * HTTP/1.1", b"OPTIONS * [] 0"),
        (b"GET /old HTTP/1.0", b"GET /old [] 0"),
        (b"GET /older", b"GET /older [] 0"),
    ],
)
def test_other_forms_of_the_first_line(
    server: https.HttpsServer, ca_file: Path, line: bytes, answer: bytes
) -> None:
    with secured(server, ca_file) as connection:
        connection.sendall(line + b"\r\n\r\n")
        assert response_on(connection) == (200, answer)


def test_a_request_knows_its_connection(certificate: Certificate, ca_file: Path) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    with serving(certificate, answer) as server:
        for version, suite in (
            (ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
            (ssl.TLSVersion.TLSv1_3, "TLS_AES_256_GCM_SHA384"),
        ):
            trust = ssl.create_default_context(cafile=str(ca_file))
            trust.minimum_version = trust.maximum_version = version
            trust.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
            connection = http.client.HTTPSConnection(
                "localhost", server.server_port, context=trust, timeout=30
            )
            connection.request("GET", "/", headers={"Host": "kms.us-east-1.amazonaws.com"})
            connection.getresponse().read()
            connection.close()
            assert seen[-1].tls == TlsDetails(
                version.name.replace("_", "."), suite, "kms.us-east-1.amazonaws.com"
            )
    assert seen[0].request_id != seen[1].request_id


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
