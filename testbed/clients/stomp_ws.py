"""STOMP 1.2 over WebSocket: stomp.py's WebSocket transport on websocket-client.

ActiveMQ speaks it in text frames only: bytes that are not UTF-8 cannot be sent, and arrive
replaced when another protocol sent them.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import websocket
from stomp.adapter.ws import WSTransport
from stomp.exception import ConnectionClosedException

from testbed.clients import tls
from testbed.clients.base import Address, Destination
from testbed.clients.stomp_client import StompClient
from testbed.errors import ClientError, ConnectionRefused

_SUBPROTOCOL = "v12.stomp"  # as STOMP's WebSocket clients register it
_LOOK_EVERY = 500  # milliseconds; a socket that is closed meanwhile wakes nobody
T = TypeVar("T")


class SharedSocket:
    """A connected socket on which one thread sends while another receives, and closes it.

    OpenSSL's objects are for one thread at a time. They know a descriptor by its number: what is
    still sent while another thread closes the socket goes to the connection that has got the number
    since, an engine's for example. So each step is taken under a lock, and none waits in it.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream, self._timeout = stream, stream.gettimeout()
        stream.settimeout(0)  # `_step` waits
        self._lock = threading.Lock()

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def _closed(self) -> bool:
        """Whether it is closed; websocket-client closes nothing that does not say so."""
        return self.fileno() < 0

    def recv(self, count: int) -> bytes:
        return self._step(lambda: self._stream.recv(count), select.POLLIN)

    def send(self, data: bytes) -> int:
        return self._step(lambda: self._stream.send(data), select.POLLOUT)

    def shutdown(self, how: int) -> None:
        with self._lock:
            socket.socket.shutdown(self._stream, how)  # an SSLSocket's own would end TLS, too

    def close(self) -> None:
        with self._lock:
            self._stream.close()

    def _step(self, step: Callable[[], T], event: int) -> T:
        timeout, start = self._timeout, time.monotonic()
        while True:
            with self._lock:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    awaited = select.POLLIN
                except ssl.SSLWantWriteError:
                    awaited = select.POLLOUT
                except BlockingIOError:
                    awaited = event
                poll = select.poll()
                poll.register(self._stream, awaited)
            poll.poll(_LOOK_EVERY)
            if timeout is not None and time.monotonic() - start > timeout:
                raise TimeoutError("timed out")


class _WsTransport(WSTransport):  # type: ignore[misc] # stomp.py has no type hints
    def __init__(self, address: Address, timeout: float) -> None:
        super().__init__([(address.host, address.port)], auto_decode=False)
        self._address, self._timeout = address, timeout

    def attempt_connection(self) -> None:
        address = self._address
        stream = SharedSocket(tls.open_socket(address, self._timeout))
        scheme = "ws" if address.ca_file is None else "wss"
        try:
            self.socket = websocket.create_connection(
                f"{scheme}://{_in_url(address.host)}:{address.port}/",
                socket=stream,
                timeout=self._timeout,
                subprotocols=[_SUBPROTOCOL],
            )
        except (websocket.WebSocketException, OSError) as error:
            stream.close()
            raise ConnectionRefused(f"{tls.where(address)}: no WebSocket: {error}") from error
        stream.settimeout(None)  # silence is no failure once connected
        self.current_host_and_port = (address.host, address.port)

    def send(self, encoded_frame: bytes) -> None:
        """Send a frame. Raises ``ConnectionClosedException``, as stomp.py's own does."""
        try:
            super().send(encoded_frame)
        except websocket.WebSocketException as error:
            raise ConnectionClosedException(str(error)) from error

    def receive(self) -> bytes:
        """Return one message's bytes; none when the broker has closed, as the base expects."""
        try:
            kind, data = self.socket.recv_data()
        except (websocket.WebSocketException, OSError, AttributeError):
            return b""
        return b"" if kind == websocket.ABNF.OPCODE_CLOSE else data

    def hang_up(self) -> None:
        """End the thread without asking the broker."""
        self.running = False
        stream = getattr(self.socket, "sock", None)
        if stream is not None:
            with suppress(OSError):  # it may be gone already
                stream.shutdown(socket.SHUT_RDWR)


class StompWsClient(StompClient):
    """See ``Client``; carries UTF-8 only."""

    def _new_transport(self, address: Address, timeout: float) -> _WsTransport:
        return _WsTransport(address, timeout)

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        """See ``Client``; raises ``ClientError`` for a body that is not UTF-8."""
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise ClientError(
                f"ActiveMQ takes only text over WebSocket, and this body is not UTF-8: {error}"
            ) from error
        super().publish(destination, body, timeout=timeout)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
