"""The client libraries that users have, behind the generators' interface.

A client waits for each confirmation before the next message, so ``send`` returns when the message
is answered, and a window gains nothing; more connections do. A receiver has a thread, because a
client cannot be polled without waiting.
"""

import base64
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from testbed import clients
from testbed.bench.load.accounting import HEADER, SAMPLE, Outstanding, filler
from testbed.bench.load.base import TIMEOUT, Arrival, Generator, Payload, Shape
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, NotConfirmed

_WAIT = 0.2  # seconds that a receiver listens before it checks whether to stop


class _ClearPayload:
    """See ``base.Payload``: bodies unchanged."""

    kms_calls = 0

    def seal(self, body: bytes) -> bytes:
        return body

    def open(self, body: bytes) -> bytes:
        return body


def _make_payload(target: Target) -> Payload:
    """Return the payload handling of one connection, which counts its own calls of KMS."""
    payload = _encrypting(target)
    return _TextPayload(payload) if target.address.protocol == "stomp-ws" else payload


def _encrypting(target: Target) -> Payload:
    kind, key = target.encryption.payload, target.envelope
    if kind == "clear":
        return _ClearPayload()
    assert key is not None, "generator() has looked"
    import boto3  # takes its time, and most workers do without

    from testbed.clients.envelope import Envelope

    _, _, _, region, account, _ = key.key_arn.split(":", 5)
    # LocalStack reads the account off the access key id; there is no secret.
    kms = boto3.client(
        "kms",
        region,
        endpoint_url=key.kms_url,
        aws_access_key_id=account,
        aws_secret_access_key="none",  # noqa: S106 - LocalStack does not look at it
    )
    return Envelope(kms, key.key_arn, cached=kind == "envelope-cached")


class _TextPayload:
    """See ``base.Payload``. STOMP over WebSocket to ActiveMQ is text only, so bodies are base64."""

    def __init__(self, inner: Payload) -> None:
        self._inner = inner

    @property
    def kms_calls(self) -> int:
        return self._inner.kms_calls

    def seal(self, body: bytes) -> bytes:
        return base64.b64encode(self._inner.seal(body))

    def open(self, body: bytes) -> bytes:
        return self._inner.open(base64.b64decode(body))


def _mapped(target: Target, destination: Destination) -> Destination:
    """Return a topic for MQTT, which has no queues: one subscriber stands for one consumer."""
    mqtt = target.address.protocol.startswith("mqtt")
    return Destination.topic(destination.name) if mqtt else destination


class ClientSender:
    """See ``base.Sender``."""

    def __init__(
        self,
        target: Target,
        destination: Destination,
        shape: Shape,
        *,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> None:
        self.outstanding, self._payload = outstanding, _make_payload(target)
        self._destination = _mapped(target, destination)
        self._run, self._producer = run, producer
        self._rest = filler(run, producer, shape.size, shape.content)
        self._client = clients.connect(target.address)
        # Never readable: ``send`` has waited for the confirmations.
        self._readable, self._unused = os.pipe()

    def fileno(self) -> int:
        return self._readable

    @property
    def kms_calls(self) -> int:
        return self._payload.kms_calls

    def send(self, intended: Sequence[int]) -> None:
        for due in intended:
            number = self.outstanding.add(1, time.monotonic_ns())
            header = HEADER.pack(self._run, self._producer, number, due)
            body = self._payload.seal(header + self._rest)
            try:
                self._client.publish(self._destination, body, timeout=TIMEOUT)
            except NotConfirmed:
                raise
            except ClientError:
                self.outstanding.answer(number, time.monotonic_ns(), confirmed=False)
                raise
            self.outstanding.answer(number, time.monotonic_ns())

    def poll(self) -> None:
        """Do nothing: everything has been answered."""

    def flush(self) -> None:
        """Do nothing: there are no transactions."""

    def close(self) -> None:
        self._client.close()
        for end in (self._readable, self._unused):
            os.close(end)


class ClientReceiver:
    """See ``base.Receiver``. Each message is acknowledged by itself."""

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        self._payload, self._shape = _make_payload(target), shape
        self._client = clients.connect(target.address)
        try:
            self._client.subscribe(_mapped(target, destination))
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
                arrival = self._checked(self._payload.open(message.body))
                message.acknowledge()
                self._arrived.append(arrival)
                os.write(self._signal, b".")
        except BaseException as error:  # noqa: BLE001 - for the thread that polls
            self._failure = error
            os.write(self._signal, b"!")

    def _checked(self, body: bytes) -> Arrival:
        run, producer, number, intended = HEADER.unpack_from(body)
        if not number % SAMPLE and body[HEADER.size :] != filler(
            run, producer, self._shape.size, self._shape.content
        ):
            raise ClientError("a message arrived damaged, or is not one of this run")
        return run, producer, number, intended

    def poll(self) -> list[Arrival]:
        with suppress(BlockingIOError):
            os.read(self._readable, 65536)
        arrived = []
        while self._arrived:
            arrived.append(self._arrived.popleft())
        if self._failure is not None and not arrived:
            raise self._failure
        return arrived

    def flush(self) -> None:
        """Do nothing: everything has been acknowledged."""

    def close(self, *, delete: bool = False) -> None:
        self._stop.set()
        self._thread.join(2 * _WAIT + TIMEOUT)
        self._client.close()
        for end in (self._readable, self._signal):
            os.close(end)


def generator(target: Target) -> Generator:
    """Return the generator for a target. Raises ``ClientError`` for a payload without a key."""
    if target.encryption.payload != "clear" and target.envelope is None:
        raise ClientError(
            "encrypted payloads need a KMS key, and this broker's KMS is not available"
        )
    return Generator(
        partial(ClientSender, target),
        partial(ClientReceiver, target),
        lambda: clients.connect(target.address).close(),
    )
