"""The clients that users have, behind the generators' face: one message at a time, each confirmed before the next.

A client waits for its confirmation, so ``send`` returns when the message is settled and a window brings nothing; what
brings more is more connections. A receiver has a thread of its own, because a client cannot be asked without waiting.
"""

import base64
import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from testbed import clients
from testbed.bench.accounting import SAMPLE
from testbed.bench.body import HEADER, filler
from testbed.bench.generators.base import Arrival, Payload, Shape
from testbed.bench.outstanding import Outstanding
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, NotConfirmed

_WAIT = 0.2  # seconds that a receiver listens before it looks whether it should stop
_TIMEOUT = 15.0


class _AsText:
    """See ``Payload``. ActiveMQ takes STOMP over WebSocket as text only, so that bodies of bytes have to be base64 there."""

    def __init__(self, inner: Payload) -> None:
        self._inner = inner

    @property
    def kms_calls(self) -> int:
        return self._inner.kms_calls

    def seal(self, body: bytes) -> bytes:
        return base64.b64encode(self._inner.seal(body))

    def open(self, body: bytes) -> bytes:
        return self._inner.open(base64.b64decode(body))


def _destination(target: Target, destination: Destination) -> Destination:
    """MQTT has topics only: there, a queue with one consumer is a topic with one subscriber."""
    return (
        Destination.topic(destination.name)
        if target.address.protocol.startswith("mqtt")
        else destination
    )


class ClientSender:
    """See ``base.Sender``."""

    def __init__(
        self,
        target: Target,
        destination: Destination,
        shape: Shape,
        run: int,
        producer: int,
        outstanding: Outstanding,
        payload: Payload,
    ) -> None:
        self.outstanding, self._payload = outstanding, payload
        self._to, self._run, self._producer = _destination(target, destination), run, producer
        self._rest = filler(run, producer, shape.size, shape.content)
        self._client = clients.connect(target.address)
        self._readable, self._unused = (
            os.pipe()
        )  # never readable: confirmations are waited for in ``send``

    def fileno(self) -> int:
        return self._readable

    @property
    def kms_calls(self) -> int:
        return self._payload.kms_calls

    def send(self, intended: Sequence[int]) -> None:
        for meant in intended:
            now = time.monotonic_ns()
            number = self.outstanding.add(1, now)
            body = self._payload.seal(
                HEADER.pack(self._run, self._producer, number, meant) + self._rest
            )
            try:
                self._client.publish(self._to, body, timeout=_TIMEOUT)
            except NotConfirmed:
                raise
            except ClientError:
                self.outstanding.settle(number, time.monotonic_ns(), confirmed=False)
                raise
            self.outstanding.settle(number, time.monotonic_ns())

    def poll(self) -> None:
        """All is settled."""

    def flush(self) -> None:
        """There are no transactions."""

    def close(self) -> None:
        self._client.close()
        for end in (self._readable, self._unused):
            os.close(end)


class ClientReceiver:
    """See ``base.Receiver``. Each message is acknowledged by itself."""

    def __init__(
        self, target: Target, destination: Destination, shape: Shape, payload: Payload
    ) -> None:
        self._payload, self._shape = payload, shape
        self._client = clients.connect(target.address)
        try:
            self._client.subscribe(_destination(target, destination))
        except BaseException:
            self._client.close()
            raise
        self._arrived: deque[Arrival] = deque()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._readable, self._signal = os.pipe()
        os.set_blocking(self._readable, False)
        self._thread = threading.Thread(target=self._listen, name="receiver", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._readable

    @property
    def kms_calls(self) -> int:
        return self._payload.kms_calls

    def _listen(self) -> None:
        try:
            while not self._stop.is_set():
                message = self._client.receive(timeout=_WAIT)
                if message is None:
                    continue
                body = self._payload.open(message.body)
                arrival = HEADER.unpack_from(body)
                run, producer, number, _ = arrival
                if not number % SAMPLE and body[HEADER.size :] != filler(
                    run, producer, self._shape.size, self._shape.content
                ):
                    raise ClientError("a message arrived damaged, or is not one of this run")
                message.acknowledge()
                self._arrived.append(arrival)
                os.write(self._signal, b".")
        except BaseException as error:  # noqa: BLE001 - for the thread that polls
            self._failure = error
            os.write(self._signal, b"!")

    def poll(self) -> list[Arrival]:
        try:
            os.read(self._readable, 65536)
        except BlockingIOError:
            pass
        arrived = []
        while self._arrived:
            arrived.append(self._arrived.popleft())
        if self._failure is not None and not arrived:
            raise self._failure
        return arrived

    def flush(self) -> None:
        """Everything is acknowledged."""

    def close(self, *, delete: bool = False) -> None:
        self._stop.set()
        self._thread.join(2 * _WAIT + _TIMEOUT)
        self._client.close()
        for end in (self._readable, self._signal):
            os.close(end)


class ByClient:
    """See ``base.Generator``."""

    def __init__(self, target: Target, payload: Payload) -> None:
        self._target = target
        self._payload = _AsText(payload) if target.address.protocol == "stomp-ws" else payload

    def sender(
        self,
        destination: Destination,
        shape: Shape,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> ClientSender:
        return ClientSender(
            self._target, destination, shape, run, producer, outstanding, self._payload
        )

    def receiver(self, destination: Destination, shape: Shape) -> ClientReceiver:
        return ClientReceiver(self._target, destination, shape, self._payload)

    def visit(self) -> None:
        clients.connect(self._target.address).close()
