"""AMQP 0-9-1 by prepared frames: about a microsecond a message, so that RabbitMQ is the limit.

A library encodes every message anew and passes each confirmation to a callback. Here a message is a
copy of a template with its number and time written into it, and deliveries, which all have the same
length, are read by stride.
"""

import struct
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from struct import Struct

from testbed.bench.load.accounting import HEADER, SAMPLE, Outstanding, filler
from testbed.bench.load.base import Arrival, Connection, Generator, Shape, repeated
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.protocols.amqp import (
    FRAME,
    FRAME_END,
    HEADER_0_9_1,
    METHOD,
    before_body,
    content,
    long,
    method,
    properties,
    short,
    table,
)

# Basic.Ack and Basic.Nack as whole frames; Nack's two flags are one byte too.
_ANSWER = Struct(">BHIHHQBB")
_START, _TUNE, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 10), (10, 30), (10, 41), (10, 50), (10, 51)
_CHANNEL_CLOSE = (20, 40)
_DELIVER, _ACK, _NACK, _CANCEL = (60, 60), (60, 80), (60, 120), (60, 30)
_TAG = b"bench"  # the consumer tag: its length is part of every delivery's
_READS = 16  # before the messages are counted


class _Session:
    """A connection that is logged in, with channel 1 open."""

    def __init__(self, target: Target) -> None:
        self.connection = Connection(target)
        try:
            self.connection.write(HEADER_0_9_1)
            self.expect(_START)
            user = target.address
            login = b"\0" + user.username.encode() + b"\0" + user.password.encode()
            start_ok = table() + short("PLAIN") + long(login) + short("en_US")
            self.connection.write(method((10, 11), start_ok, 0))
            try:
                tune = self.expect(_TUNE)
            except ConnectionRefused as error:  # RabbitMQ closes the connection on a wrong password
                raise NotAuthorized(f"the broker refused the login: {error.message}") from error
            channel_max, self.frame_max, _ = struct.unpack_from(">HIH", tune)
            # No heartbeats: they would break the stride, and a bounded run has its own time limits.
            tune_ok = struct.pack(">HIH", channel_max, self.frame_max, 0)
            self.connection.write(method((10, 31), tune_ok, 0))
            self.connection.write(method((10, 40), short("/") + short("") + b"\0", 0))
            self.expect(_OPEN_OK)
            self.call((20, 10), short(""), (20, 11))
        except BaseException:
            self.connection.close()
            raise

    def call(self, kind: tuple[int, int], arguments: bytes, answer: tuple[int, int]) -> bytes:
        """Call a method. Returns the arguments of its answer."""
        self.connection.write(method(kind, arguments))
        return self.expect(answer)

    def expect(self, wanted: tuple[int, int]) -> bytes:
        """Return the arguments of the next method. Raises ``ClientError`` if it is another one."""
        kind, _, size = FRAME.unpack(self.connection.take(FRAME.size))
        payload = self.connection.take(size + 1)[:-1]
        if kind != METHOD or struct.unpack_from(">HH", payload) != wanted:
            raise _refusal(kind, payload)
        return payload[4:]

    def leave(self) -> None:
        """Close the connection properly."""
        try:
            close = struct.pack(">H", 200) + short("") + bytes(4)
            self.connection.write(method(_CLOSE, close, 0))
            self.expect(_CLOSE_OK)
        finally:
            self.connection.close()

    def declare(self, destination: Destination) -> None:
        """Declare a durable queue."""
        queue = struct.pack(">H", 0) + short(destination.name) + b"\x02"
        self.call((50, 10), queue + table(x_queue_type=destination.queue_type), (50, 11))

    def subscribe(self, topic: str) -> str:
        """Declare an exclusive queue that gets a topic's messages. Returns its name."""
        queue = struct.pack(">H", 0) + short("") + b"\x04" + table(x_queue_type="classic")
        answer = self.call((50, 10), queue, (50, 11))
        name = answer[1 : 1 + answer[0]].decode()
        binding = struct.pack(">H", 0) + short(name) + short("amq.topic") + short(topic)
        self.call((50, 20), binding + b"\0" + table(), (50, 21))
        return name


def _refusal(kind: int, payload: bytes) -> ClientError:
    """Return the error for a frame that arrived in place of the expected one."""
    is_method = kind == METHOD and len(payload) >= 4
    name = struct.unpack_from(">HH", payload) if is_method else (0, 0)
    if name in (_CLOSE, _CHANNEL_CLOSE):
        reason = payload[7 : 7 + payload[6]].decode(errors="replace")
        what = "connection" if name == _CLOSE else "channel"
        return ClientError(f"the broker closed the {what}: {reason}")
    return ClientError(f"the broker sent an unexpected frame (type {kind}, method {name})")


class Amqp091Sender:
    """See ``base.Sender``. Every message is confirmed, without transactions; its queue exists."""

    kms_calls = 0

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
        self.outstanding = outstanding
        session = _Session(target)
        self._connection = session.connection
        session.call((85, 10), b"\0", (85, 11))  # Confirm.Select
        exchange = "amq.topic" if destination.kind == "topic" else ""
        publish = struct.pack(">H", 0) + short(exchange) + short(destination.name) + b"\0"
        delivery_mode = properties(persistent=shape.persistent)
        body = bytes(HEADER.size) + filler(run, producer, shape.size, shape.content)
        message = content(body, delivery_mode, session.frame_max)
        self._template = method((60, 40), publish) + message
        self._offset = len(self._template) - len(message) + before_body(delivery_mode)
        self._run, self._producer = run, producer

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, intended: Sequence[int]) -> None:
        stride, offset, run, producer = len(self._template), self._offset, self._run, self._producer
        data = bytearray(repeated(self._template, len(intended)))
        pack = HEADER.pack_into
        number = self.outstanding.add(len(intended), time.monotonic_ns())
        for due in intended:
            pack(data, offset, run, producer, number, due)
            offset += stride
            number += 1
        self._connection.write(data)

    def poll(self) -> None:
        while self._connection.read():
            self._read_answers()

    def _read_answers(self) -> None:
        buffer, at, now = self._connection.buffer, 0, time.monotonic_ns()
        while len(buffer) - at >= _ANSWER.size:
            kind, _, size, first, second, tag, multiple, _ = _ANSWER.unpack_from(buffer, at)
            if kind != METHOD or (first, second) not in (_ACK, _NACK):
                if len(buffer) - at < FRAME.size + size + 1:
                    break
                payload = bytes(buffer[at + FRAME.size : at + FRAME.size + size])
                raise _refusal(kind, payload)
            confirmed = (first, second) == _ACK
            self.outstanding.answer(tag - 1, now, multiple=bool(multiple & 1), confirmed=confirmed)
            at += _ANSWER.size
        del buffer[:at]

    def flush(self) -> None:
        """Do nothing: there are no transactions."""

    def close(self) -> None:
        self._connection.close()


class Amqp091Receiver:
    """See ``base.Receiver``. All messages of its queue have the same size."""

    kms_calls = 0

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        session = _Session(target)
        self._connection = session.connection
        self._acknowledge, self._unacknowledged, self._tag = shape.acknowledge, 0, 0
        if destination.kind == "topic":
            exchange, self._queue = "amq.topic", session.subscribe(destination.name)
        else:
            exchange, self._queue = "", destination.name
            session.declare(destination)
        prefetch = struct.pack(">IHB", 0, shape.prefetch, 0)
        session.call((60, 10), prefetch, (60, 11))  # Basic.Qos
        self._deliveries = _Deliveries(exchange, destination.name, shape, session.frame_max)
        consume = struct.pack(">H", 0) + short(self._queue) + short(_TAG) + b"\0" + table()
        session.call((60, 20), consume, (60, 21))

    def fileno(self) -> int:
        return self._connection.fileno()

    def poll(self) -> list[Arrival]:
        arrived = self._take()
        for _ in range(_READS):
            if not self._connection.read():
                break
            arrived += self._take()
        return arrived

    def _take(self) -> list[Arrival]:
        buffer = self._connection.buffer
        try:
            taken, self._tag, arrived = self._deliveries.read(buffer, self._tag)
        except ValueError:
            kind, _, size = FRAME.unpack_from(buffer)
            raise _refusal(kind, bytes(buffer[FRAME.size : FRAME.size + size])) from None
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
            self._connection.write(method(_ACK, struct.pack(">QB", self._tag, 1)))

    def close(self, *, delete: bool = False) -> None:
        try:
            if delete:
                self._delete_queue()
        except ConnectionRefused:
            pass
        finally:
            self._connection.close()

    def _delete_queue(self) -> None:
        cancel = method(_CANCEL, short(_TAG) + b"\0")
        delete = method((50, 40), struct.pack(">H", 0) + short(self._queue) + b"\0")
        self._connection.write(cancel + delete)
        # The answer may come after deliveries, which are not parsed any more.
        deadline, deleted = time.monotonic() + 5, struct.pack(">HH", 50, 41)
        while deleted not in self._connection.buffer[-64:] and time.monotonic() < deadline:
            self._connection.read(0.2)


class _Deliveries:
    """Reads deliveries of equal length, side by side.

    Anything else between them (a heartbeat, a cancellation, a close) is a ``ValueError``.
    """

    def __init__(self, exchange: str, key: str, shape: Shape, frame_max: int) -> None:
        routing = short(exchange) + short(key)
        deliver = struct.pack(">HH", *_DELIVER) + short(_TAG) + bytes(9) + routing
        self._properties = properties(persistent=shape.persistent)
        body = content(bytes(shape.size), self._properties, frame_max)
        self._shape, self._frame_max = shape, frame_max
        before_tag = FRAME.size + 4 + 1 + len(_TAG)
        between = 1 + len(routing) + 1 + before_body(self._properties)
        self._length = FRAME.size + len(deliver) + 1 + len(body)
        head = Struct(f">BH{before_tag - 3}xQ{between}xIIQQ")
        self._delivery = Struct(f"{head.format}{self._length - head.size - 1}xB")

    def read(self, buffer: bytearray, last: int) -> tuple[int, int, list[Arrival]]:
        """Return how many bytes were read, the last delivery tag, and the messages."""
        count = len(buffer) // self._length
        if not count:
            if len(buffer) >= FRAME.size + 4 and (
                buffer[0] != METHOD or struct.unpack_from(">HH", buffer, FRAME.size) != _DELIVER
            ):
                raise ValueError("not a delivery")
            return 0, last, []
        end = count * self._length
        arrived = []
        with memoryview(buffer) as view:
            deliveries = self._delivery.iter_unpack(view[:end])
            for kind, _, tag, run, producer, number, intended, mark in deliveries:
                if tag != last + 1 or kind != METHOD or mark != FRAME_END:
                    raise ValueError("not a delivery")
                last = tag
                arrived.append((run, producer, number, intended))
        return end, last, arrived

    def whole(self, buffer: bytearray, at: int, run: int, producer: int) -> bool:
        """Return whether the ``at``-th message in ``buffer`` is what that producer sends.

        Every byte is compared but those of its number and time.
        """
        end = (at + 1) * self._length
        rest = self._rest(run, producer)
        return buffer[end - len(rest) : end] == rest

    @lru_cache(maxsize=64)  # noqa: B019 - lives as long as its receiver
    def _rest(self, run: int, producer: int) -> bytes:
        """Return everything after the header of a body, frames included."""
        body = bytes(HEADER.size) + filler(run, producer, self._shape.size, self._shape.content)
        whole = content(body, self._properties, self._frame_max)
        return whole[before_body(self._properties) + HEADER.size :]


def generator(target: Target) -> Generator:
    """Return the generator for a target."""
    return Generator(
        partial(Amqp091Sender, target),
        partial(Amqp091Receiver, target),
        lambda: _Session(target).leave(),
    )
