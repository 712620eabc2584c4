"""OpenWire, by ActiveMQ's own Java client.

Java and the client are in the broker's image, not on the user's machine: the client runs in the
broker's container, driven over standard input and output
(``containers/activemq/java/OpenWireBridge.java``). It connects to ``Address.host`` at the port
inside the container, over TLS, and verifies chain and host name as every client does.
"""

import struct
import threading
from typing import Self

from testbed.clients import tls
from testbed.clients.base import Address, Destination, Message
from testbed.documented.listeners import ACTIVEMQ, ACTIVEMQ_CLOSED
from testbed.errors import (
    ClientError,
    ConnectionRefused,
    ContainerFailed,
    NotAuthorized,
    NotConfirmed,
)
from testbed.runtime.exec import Exec, open_exec

_BRIDGE = ["/opt/activemq/bin/bridge"]
_PORT = next(listener.container_port for listener in ACTIVEMQ if "openwire" in listener.protocols)
CONNECT_TIMEOUT = 20.0  # seconds, for Java to start and to connect
_MARGIN = 5.0  # seconds beyond its own time limit that the bridge has to report it
_REFUSALS = {b"A": NotAuthorized, b"T": NotConfirmed, b"E": ClientError}


class OpenWireClient:
    """A ``Client``. Raises ``ConnectionRefused`` and ``NotAuthorized`` when it cannot connect."""

    def __init__(self, address: Address) -> None:
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._exec: Exec = open_exec(address.beside, _BRIDGE)
        except ContainerFailed as error:
            raise ConnectionRefused(
                f"The OpenWire client could not be started beside the broker: {error.message}"
            ) from error
        try:
            authorities = address.ca_file.read_bytes() if address.ca_file else b""
            login = _request(_url(address), address.username, address.password, authorities)
            self._ask(b"C" + login, CONNECT_TIMEOUT, last=True)
        except NotAuthorized:
            self.close()
            raise
        except ClientError as error:
            self.close()
            raise _refusal(address, error.message) from error

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        """See ``Client.publish``."""
        try:
            self._ask(b"P" + _request(destination.kind, destination.name, body), timeout, last=True)
        except NotAuthorized:
            raise
        except ClientError as error:
            raise NotConfirmed(
                f"The broker did not confirm over OpenWire: {error.message}"
            ) from error

    def subscribe(self, destination: Destination) -> None:
        """See ``Client.subscribe``."""
        self._ask(b"S" + _request(destination.kind, destination.name), 10.0)

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        """See ``Client.receive``."""
        kind, payload = self._ask(b"R", timeout, last=True)
        if kind == b"-":
            return None
        (number,) = struct.unpack_from(">i", payload)
        return Message(payload[4:], lambda: self._acknowledge(number))

    def _acknowledge(self, number: int) -> None:
        self._ask(b"A" + struct.pack(">i", number), 10.0)

    def close(self) -> None:
        """See ``Client.close``."""
        if not self._closed:
            self._closed = True
            self._exec.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, request: bytes, timeout: float, *, last: bool = False) -> tuple[bytes, bytes]:
        """Return the kind and the payload of the bridge's answer.

        With ``last`` the request ends with the timeout. Raises ``ClientError`` for a refusal.
        Closes when the bridge is silent: a late answer would be taken for the next one.
        """
        if last:
            request += struct.pack(">i", max(0, int(timeout * 1000)))
        try:
            with self._lock:
                if self._closed:
                    raise ClientError("the client is closed")
                self._exec.write(request)
                kind, size = struct.unpack(">ci", self._exec.read(5, timeout + _MARGIN))
                payload = self._exec.read(size, _MARGIN)
        except (ContainerFailed, TimeoutError) as error:
            self.close()
            outcome = "is gone" if isinstance(error, ContainerFailed) else "is silent"
            raise NotConfirmed(f"the client beside the broker {outcome}") from error
        if kind in _REFUSALS:
            raise _REFUSALS[kind](payload.decode(errors="replace"))
        return kind, payload


def _refusal(address: Address, message: str) -> ConnectionRefused:
    """Find the reason by a handshake from here.

    Java has one message for several defects of a certificate, and sometimes only notices that the
    connection is gone.
    """
    if address.ca_file:
        try:
            tls.open_socket(address, _MARGIN).close()
        except ConnectionRefused as refusal:
            if "the certificate is refused" in refusal.message:
                return ConnectionRefused(f"{refusal.message}. Its own client: {message}")
    return ConnectionRefused(f"No OpenWire connection to {address.host}: {message}")


def _url(address: Address) -> str:
    scheme, port = ("ssl", _PORT) if address.ca_file else ("tcp", ACTIVEMQ_CLOSED["openwire"])
    urls = [f"{scheme}://{host}:{port}" for host in (address.host, *address.others)]
    if len(urls) == 1:
        return urls[0]
    # A lost host does not even refuse: the client would wait 30 s for it before it tries the next.
    options = (
        "startupMaxReconnectAttempts=20&initialReconnectDelay=100&maxReconnectDelay=1000"
        "&nested.connectionTimeout=2000"
    )
    return f"failover:({','.join(urls)})?{options}"


def _request(*fields: str | bytes) -> bytes:
    """Encode the fields, each after its length."""
    encoded = [field.encode() if isinstance(field, str) else field for field in fields]
    return b"".join(struct.pack(">i", len(field)) + field for field in encoded)
