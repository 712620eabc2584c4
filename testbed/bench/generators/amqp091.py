"""AMQP 0-9-1 by frames that are prepared once: about a microsecond a message, so that RabbitMQ is the limit.

A library encodes every message anew and hands each confirmation to a callback; here a message is a copy of a template
with its number and time written into it, and deliveries, which all have the same length, are read by stride. The
frames are those of the AMQP 0-9-1 specification (sections 2.3 and 4.2) and of RabbitMQ's confirms.
"""

import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

from testbed.bench.accounting import SAMPLE
from testbed.bench.body import HEADER, filler
from testbed.bench.generators.base import Arrival, Shape
from testbed.bench.generators.wire import Wire
from testbed.bench.outstanding import Outstanding
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized

_METHOD, _HEADER, _BODY, _END = 1, 2, 3, 0xCE
_FRAME = Struct(">BHI")  # type, channel, size
_ACK = Struct(
    ">BHIHHQBB"
)  # Basic.Ack and Basic.Nack (its two flags are one byte too) as whole frames
_START, _TUNE, _OPEN_OK, _CLOSE = (10, 10), (10, 30), (10, 41), (10, 50)
_CHANNEL_CLOSE, _DELIVER, _IS_ACK, _IS_NACK, _CANCEL = (
    (20, 40),
    (60, 60),
    (60, 80),
    (60, 120),
    (60, 30),
)
_TAG = b"bench"  # the consumer tag: its length is part of every delivery's


def _short(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return bytes([len(raw)]) + raw


def _long(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def _table(**entries: str) -> bytes:
    return _long(
        b"".join(
            _short(name.replace("_", "-")) + b"S" + _long(value.encode())
            for name, value in entries.items()
        )
    )


def _frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + bytes([_END])


def _method(method: tuple[int, int], arguments: bytes = b"", channel: int = 1) -> bytes:
    return _frame(_METHOD, struct.pack(">HH", *method) + arguments, channel)


def _content(body: bytes, properties: bytes, frame_max: int) -> bytes:
    """The content header and as many body frames as it takes."""
    most = frame_max - _FRAME.size - 1
    pieces = (body[at : at + most] for at in range(0, len(body), most))
    return _frame(_HEADER, struct.pack(">HHQ", 60, 0, len(body)) + properties) + b"".join(
        _frame(_BODY, piece) for piece in pieces
    )


def _before_body(properties: bytes) -> int:
    """Bytes of a content before its body: the content header's frame and the beginning of the first body frame."""
    return _FRAME.size + 12 + len(properties) + 1 + _FRAME.size


class _Connection:
    """Logged in, with channel 1 open."""

    def __init__(self, target: Target) -> None:
        self.wire = Wire(target)
        try:
            self.wire.write(b"AMQP\0\0\x09\x01")
            self.expect(_START)
            login = (
                b"\0" + target.address.username.encode() + b"\0" + target.address.password.encode()
            )
            self.wire.write(
                _method((10, 11), _table() + _short("PLAIN") + _long(login) + _short("en_US"), 0)
            )
            try:
                tune = self.expect(_TUNE)
            except ConnectionRefused as error:  # RabbitMQ closes the connection on a wrong password
                raise NotAuthorized(f"the broker refused the login: {error.message}") from error
            channel_max, self.frame_max, _ = struct.unpack_from(">HIH", tune)
            # No heartbeats: they would break the stride, and a bounded run has its own time limits.
            self.wire.write(
                _method((10, 31), struct.pack(">HIH", channel_max, self.frame_max, 0), 0)
            )
            self.wire.write(_method((10, 40), _short("/") + _short("") + b"\0", 0))
            self.expect(_OPEN_OK)
            self.call((20, 10), _short(""), (20, 11))
        except BaseException:
            self.wire.close()
            raise

    def call(self, method: tuple[int, int], arguments: bytes, answer: tuple[int, int]) -> bytes:
        self.wire.write(_method(method, arguments))
        return self.expect(answer)

    def expect(self, wanted: tuple[int, int]) -> bytes:
        """The arguments of the next method, which has to be ``wanted``."""
        kind, _, size = _FRAME.unpack(self.wire.take(_FRAME.size))
        payload = self.wire.take(size + 1)[:-1]
        if kind != _METHOD or struct.unpack_from(">HH", payload) != wanted:
            raise self.refusal(kind, payload)
        return payload[4:]

    @staticmethod
    def refusal(kind: int, payload: bytes) -> ClientError:
        """What the broker says instead of what it was asked for."""
        method = (
            struct.unpack_from(">HH", payload) if kind == _METHOD and len(payload) >= 4 else (0, 0)
        )
        if method in (_CLOSE, _CHANNEL_CLOSE):
            reason = payload[7 : 7 + payload[6]].decode(errors="replace")
            return ClientError(
                f"the broker closed the {'connection' if method == _CLOSE else 'channel'}: {reason}"
            )
        return ClientError(
            f"the broker sent a frame that does not belong here (type {kind}, method {method})"
        )

    def leave(self) -> None:
        """Close in good order."""
        try:
            self.wire.write(_method(_CLOSE, struct.pack(">H", 200) + _short("") + bytes(4), 0))
            self.expect((10, 51))
        finally:
            self.wire.close()

    def declare(self, destination: Destination) -> None:
        """A durable queue of the wanted type."""
        arguments = (
            struct.pack(">H", 0)
            + _short(destination.name)
            + b"\x02"
            + _table(x_queue_type=destination.queue_type)
        )
        self.call((50, 10), arguments, (50, 11))

    def subscription(self, topic: str) -> str:
        """A queue of this connection's own that gets the topic's messages; its name."""
        answer = self.call(
            (50, 10),
            struct.pack(">H", 0) + _short("") + b"\x04" + _table(x_queue_type="classic"),
            (50, 11),
        )
        name = answer[1 : 1 + answer[0]].decode()
        binding = (
            struct.pack(">H", 0)
            + _short(name)
            + _short("amq.topic")
            + _short(topic)
            + b"\0"
            + _table()
        )
        self.call((50, 20), binding, (50, 21))
        return name


class Amqp091Sender:
    """See ``base.Sender``. Every message is confirmed; RabbitMQ's transactions are not used. Its queue has to exist."""

    kms_calls = 0

    def __init__(
        self,
        target: Target,
        destination: Destination,
        shape: Shape,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> None:
        self.outstanding = outstanding
        self._connection = _Connection(target)
        self._wire = self._connection.wire
        topic = destination.kind == "topic"
        self._connection.call((85, 10), b"\0", (85, 11))  # Confirm.Select
        publish = (
            struct.pack(">H", 0)
            + _short("amq.topic" if topic else "")
            + _short(destination.name)
            + b"\0"
        )
        properties = struct.pack(">HB", 0x1000, 2 if shape.persistent else 1)
        body = bytes(HEADER.size) + filler(run, producer, shape.size, shape.content)
        content = _content(body, properties, self._connection.frame_max)
        self._template = _method((60, 40), publish) + content
        self._offset = len(self._template) - len(content) + _before_body(properties)
        self._run, self._producer = run, producer

    def fileno(self) -> int:
        return self._wire.fileno()

    def send(self, intended: Sequence[int]) -> None:
        stride, offset, run, producer = len(self._template), self._offset, self._run, self._producer
        data = bytearray(_repeated(self._template, len(intended)))
        pack = HEADER.pack_into
        now = time.monotonic_ns()
        number = self.outstanding.add(len(intended), now)
        for time_meant in intended:
            pack(data, offset, run, producer, number, time_meant)
            offset += stride
            number += 1
        self._wire.write(data)

    def poll(self) -> None:
        while self._wire.read():
            self._settle()

    def _settle(self) -> None:
        buffer, at, now = self._wire.buffer, 0, time.monotonic_ns()
        while len(buffer) - at >= _ACK.size:
            kind, _, size, first, second, tag, multiple, _ = _ACK.unpack_from(buffer, at)
            if kind != _METHOD or (first, second) not in (_IS_ACK, _IS_NACK):
                if len(buffer) - at < _FRAME.size + size + 1:
                    break
                raise self._connection.refusal(
                    kind, bytes(buffer[at + _FRAME.size : at + _FRAME.size + size])
                )
            confirmed = (first, second) == _IS_ACK
            self.outstanding.settle(tag - 1, now, multiple=bool(multiple & 1), confirmed=confirmed)
            at += _ACK.size
        del buffer[:at]

    def flush(self) -> None:
        """Confirmations come by themselves."""

    def close(self) -> None:
        self._wire.close()


@lru_cache(maxsize=64)
def _repeated(template: bytes, count: int) -> bytes:
    return template * count


class Amqp091Receiver:
    """See ``base.Receiver``. Its queue has messages of one size only."""

    kms_calls = 0

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        self._connection = _Connection(target)
        self._wire = self._connection.wire
        self._acknowledge, self._unacknowledged, self._tag = shape.acknowledge, 0, 0
        topic = destination.kind == "topic"
        if topic:
            self._queue = self._connection.subscription(destination.name)
        else:
            self._queue = destination.name
            self._connection.declare(destination)
        self._connection.call(
            (60, 10), struct.pack(">IHB", 0, shape.prefetch, 0), (60, 11)
        )  # Basic.Qos
        self._deliveries = _Deliveries(
            "amq.topic" if topic else "", destination.name, shape, self._connection.frame_max
        )
        self._connection.call(
            (60, 20),
            struct.pack(">H", 0) + _short(self._queue) + _short(_TAG) + b"\0" + _table(),
            (60, 21),
        )

    def fileno(self) -> int:
        return self._wire.fileno()

    def poll(self) -> list[Arrival]:
        arrived = self._take()
        for _ in range(16):  # then it is time to count
            if not self._wire.read():
                break
            arrived += self._take()
        return arrived

    def _take(self) -> list[Arrival]:
        buffer = self._wire.buffer
        try:
            taken, self._tag, arrived = self._deliveries.read(buffer, self._tag)
        except ValueError:
            kind, _, size = _FRAME.unpack_from(buffer)
            raise self._connection.refusal(
                kind, bytes(buffer[_FRAME.size : _FRAME.size + size])
            ) from None
        for at, (run, producer, number, _) in enumerate(arrived):
            if not number % SAMPLE and not self._deliveries.whole(buffer, at, run, producer):
                raise ClientError("a message arrived damaged, or is not one of this run")
        del buffer[:taken]
        self._unacknowledged += len(arrived)
        if self._unacknowledged >= self._acknowledge:
            self.flush()
        return arrived

    def flush(self) -> None:
        if self._unacknowledged:
            self._unacknowledged = 0
            self._wire.write(_method(_IS_ACK, struct.pack(">QB", self._tag, 1)))

    def close(self, *, delete: bool = False) -> None:
        try:
            if delete:
                # The answer may come after deliveries; that it comes in the end is what the wait is for.
                self._wire.write(
                    _method(_CANCEL, _short(_TAG) + b"\0")
                    + _method((50, 40), struct.pack(">H", 0) + _short(self._queue) + b"\0")
                )
                deadline = time.monotonic() + 5
                gone = struct.pack(">HH", 50, 41)
                while gone not in self._wire.buffer[-64:] and time.monotonic() < deadline:
                    self._wire.read(0.2)
        except ConnectionRefused:
            pass
        finally:
            self._wire.close()


class _Deliveries:
    """Deliveries of equal length, side by side. A heartbeat, a cancellation or a close between them is a ``ValueError``."""

    def __init__(self, exchange: str, key: str, shape: Shape, frame_max: int) -> None:
        method = (
            struct.pack(">HH", *_DELIVER) + _short(_TAG) + bytes(9) + _short(exchange) + _short(key)
        )
        properties = struct.pack(">HB", 0x1000, 2 if shape.persistent else 1)
        content = _content(bytes(shape.size), properties, frame_max)
        self._shape, self._frame_max = shape, frame_max
        before = _FRAME.size + 4 + 1 + len(_TAG)  # of the delivery tag
        between = 1 + 1 + len(exchange) + 1 + len(key) + 1 + _before_body(properties)
        self._length = _FRAME.size + len(method) + 1 + len(content)
        head = Struct(f">BH{before - 3}xQ{between}xIIQQ")
        self._one = Struct(f"{head.format}{self._length - head.size - 1}xB")

    def read(self, buffer: bytearray, last: int) -> tuple[int, int, list[Arrival]]:
        """How many bytes were read, the last delivery tag, and the messages."""
        count = len(buffer) // self._length
        if not count:
            if len(buffer) >= _FRAME.size + 4 and (
                buffer[0] != _METHOD or struct.unpack_from(">HH", buffer, _FRAME.size) != _DELIVER
            ):
                raise ValueError("not a delivery")
            return 0, last, []
        end = count * self._length
        arrived = []
        with memoryview(buffer) as view:
            for kind, _, tag, run, producer, number, intended, mark in self._one.iter_unpack(
                view[:end]
            ):
                if tag != last + 1 or kind != _METHOD or mark != _END:
                    raise ValueError("not a delivery")
                last = tag
                arrived.append((run, producer, number, intended))
        return end, last, arrived

    def whole(self, buffer: bytearray, at: int, run: int, producer: int) -> bool:
        """Is the ``at``-th message in ``buffer`` byte by byte what that producer sends, but for its number and time?"""
        end = (at + 1) * self._length
        rest = self._rest(run, producer)
        return buffer[end - len(rest) : end] == rest

    @lru_cache(maxsize=64)  # noqa: B019 - lives as long as its receiver
    def _rest(self, run: int, producer: int) -> bytes:
        """All that follows the header of a body, frames included."""
        body = bytes(HEADER.size) + filler(run, producer, self._shape.size, self._shape.content)
        properties = struct.pack(">HB", 0x1000, 2 if self._shape.persistent else 1)
        return _content(body, properties, self._frame_max)[_before_body(properties) + HEADER.size :]


class Amqp091:
    """See ``base.Generator``."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def sender(
        self,
        destination: Destination,
        shape: Shape,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> Amqp091Sender:
        return Amqp091Sender(self._target, destination, shape, run, producer, outstanding)

    def receiver(self, destination: Destination, shape: Shape) -> Amqp091Receiver:
        return Amqp091Receiver(self._target, destination, shape)

    def visit(self) -> None:
        _Connection(self._target).leave()
