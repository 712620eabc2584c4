"""Bytes to and from a broker, as fast as Python has them: large writes, and reads that take what is there."""

import select
import ssl
import time

from testbed.bench.target import Target
from testbed.clients import tls
from testbed.errors import ConnectionRefused

TIMEOUT = 15.0  # seconds, for what a broker answers or takes at once
_READ = 65536


class Wire:
    """A connection that is established, over TLS with everything checked unless the target is plaintext.

    Every method raises ``ConnectionRefused`` when the broker has hung up.
    """

    def __init__(self, target: Target) -> None:
        chosen = target.encryption
        self._socket = tls.open_socket(
            target.address,
            TIMEOUT,
            server_name=target.server_name,
            suite=chosen.suite,
            version=chosen.version,
        )
        self._secured = self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        self._chunk = memoryview(bytearray(_READ))
        self.buffer = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def cipher(self) -> str:
        """Version and suite, or ``plaintext``."""
        agreed = self._secured and self._secured.cipher()
        return f"{agreed[1]} {agreed[0]}" if agreed else "plaintext"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """All of it; waits while the broker does not read."""
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionRefused(f"the broker took no more: {error}") from error

    def read(self, wait: float = 0.0) -> int:
        """Add to ``buffer`` what has arrived, after waiting for something for ``wait`` seconds; how many bytes that was."""
        try:
            # A single TLS record may hold more than one read: select knows nothing of it.
            if (
                wait
                and not (self._secured and self._secured.pending())
                and not select.select([self._socket], [], [], wait)[0]
            ):
                return 0
            self._socket.settimeout(0)
            count = self._socket.recv_into(self._chunk)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise ConnectionRefused(f"the broker broke the connection: {error}") from error
        if not count:
            raise ConnectionRefused("the broker hung up")
        self.buffer += self._chunk[:count]
        return count

    def need(self, count: int, timeout: float = TIMEOUT) -> None:
        """Return when ``buffer`` has ``count`` bytes. Raises ``ConnectionRefused`` after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ConnectionRefused(f"the broker did not answer within {timeout:g} s")
            self.read(left)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, waited for."""
        self.need(count)
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def close(self) -> None:
        self._socket.close()
