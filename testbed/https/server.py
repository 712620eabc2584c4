"""The HTTPS server: TLS 1.2 and 1.3 on 127.0.0.1, one thread per connection, with limits.

Idle connections, unfinished handshakes and unfinished requests end after some seconds, and the
number of connections is bounded. Handshakes run in the connections' threads, so that a slow one
delays no other. A refusal in HTTP's own terms is readable by a client that is still sending.
"""

import json
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

from testbed.documented.tls import API
from testbed.https import http_body
from testbed.kms.base import TlsDetails
from testbed.pki import Certificate
from testbed.runtime.ports import LOOPBACK

HANDSHAKE = 5.0  # seconds
IDLE = 60.0  # seconds between two requests, or two parts of one
CONNECTIONS = 200  # at a time; any further one is closed
LINGER, DISCARDED = 10.0, 2**26  # seconds and bytes that are read after a refusal
_QUERY_FIELDS = 200
_HOST = 256  # characters that a record keeps
_MINIMUM = {"TLSv1.2": ssl.TLSVersion.TLSv1_2}


@dataclass(frozen=True)
class Request:
    """A request: ``path`` is percent-encoded, without the query; header names are in lower case.

    ``request_id`` is in the answer and in the trail.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    source_ip: str = "127.0.0.1"
    tls: TlsDetails | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def header(self, name: str) -> str:
        """Return a header by its name in lower case, empty if it is absent."""
        return self.headers.get(name, "")


@dataclass(frozen=True)
class Response:
    """An answer: ``headers`` lack the length, the date and the request's id."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]


def context(certificate: Certificate, folder: Path | None = None) -> ssl.SSLContext:
    """Return a context with the documented versions, and suites with forward secrecy (API).

    The key is in a temporary folder for a moment, which is made in ``folder``: what a killed
    process leaves there goes with the rest.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = _MINIMUM[API.versions[0]]
    tls.set_ciphers(":".join(suite.openssl for suite in API.suites if "_WITH_" in suite.iana))
    tls.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    with tempfile.TemporaryDirectory(dir=folder) as private:  # OpenSSL reads from files only
        written = certificate.write(Path(private))
        tls.load_cert_chain(written.chain, written.key)
    return tls


class HttpsServer(ThreadingHTTPServer):
    """Serves ``answer`` at ``port`` of 127.0.0.1, a free one when 0.

    Raises ``OSError`` when the port is taken.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, tls: ssl.SSLContext, answer: Answer) -> None:
        self._tls, self.answer = tls, answer
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        self._open: set[socket] = set()
        self._guard = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            request.close()
            return
        self._add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread available
            self._end(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(HANDSHAKE)
            request.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            with self._tls.wrap_socket(request, server_side=True) as secured:
                self._add(secured)  # it has taken over the connection
                try:
                    secured.settimeout(IDLE)
                    self.finish_request(secured, client_address)
                finally:
                    self._discard(secured)
        except (OSError, ValueError):
            pass  # the client may leave, or speak another protocol, at any point
        finally:
            self._end(request)

    def server_close(self) -> None:
        """Close the server and its open connections."""
        super().server_close()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(SHUT_RDWR)

    def _add(self, connection: socket) -> None:
        with self._guard:
            self._open.add(connection)

    def _discard(self, connection: socket) -> None:
        with self._guard:
            self._open.discard(connection)

    def _end(self, connection: socket) -> None:
        self._discard(connection)
        connection.close()
        self._places.release()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    default_request_version = "HTTP/1.1"  # older ones would be refused without a status
    wbufsize = 2**16  # an answer in one piece: each write is a record of TLS
    server: HttpsServer
    connection: ssl.SSLSocket
    raw_requestline: bytes

    def _serve(self) -> None:
        request = self._request()
        if request is not None:
            self._send(self.server.answer(request))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names
    do_HEAD = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def _request(self) -> Request | None:
        """Read the request; None if it has been refused already."""
        try:
            body = http_body.read(self.headers, self.rfile)
        except http_body.Refused as refused:
            self.send_error(refused.status, explain=refused.message)
            return None
        try:
            url = urlsplit(self.path)
            query = parse_qs(url.query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
        except ValueError:
            self.send_error(400)
            return None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(
            self.command,
            url.path or "/",
            query,
            headers,
            body,
            self.client_address[0],
            self._tls(headers.get("host", "")),
        )

    def _tls(self, host: str) -> TlsDetails:
        suite = self.connection.cipher()
        return TlsDetails(self.connection.version() or "", suite[0] if suite else "", host[:_HOST])

    def parse_request(self) -> bool:
        """Skip an empty line, with which some clients end a body (RFC 9112, section 2.2)."""
        if self.raw_requestline in (b"\r\n", b"\n"):
            self.raw_requestline = self.rfile.readline(2**16)
        return super().parse_request()

    def handle_expect_100(self) -> bool:
        """Let the client send the body, or refuse it before it is sent."""
        try:
            http_body.length(self.headers)
        except http_body.Refused as refused:
            self.send_error(refused.status, explain=refused.message)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse in HTTP's terms, without a page, and close the connection."""
        self.close_connection = True
        body = json.dumps({"message": explain}).encode() if explain else b""
        with suppress(OSError):
            self.send_response(code, message)
            self.send_header("Connection", "close")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            self._discard()

    def _discard(self) -> None:
        """Read what the client still sends: closing at once would take the answer from it."""
        self.connection.settimeout(LINGER)
        left, end = DISCARDED, time.monotonic() + LINGER
        while left > 0 and time.monotonic() < end and (piece := self.rfile.read1(2**16)):
            left -= len(piece)

    def version_string(self) -> str:
        """Return the Server header."""
        return "amazonmq-testbed"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing: faults are logged where they occur, and a request line may hold a name."""
