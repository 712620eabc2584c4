"""OpenWire by prepared commands, so that ActiveMQ is the limit and not the client.

OpenWire version 1 in loose encoding without caching. ActiveMQ answers the commands of one
connection one after the other, each when its message is on disk, so its full throughput takes
several connections, or transactions.
"""

import struct
import time
from collections.abc import Sequence
from functools import lru_cache

from testbed.bench.load.accounting import HEADER, SAMPLE, Outstanding, filler
from testbed.bench.load.base import Arrival, Shape
from testbed.bench.load.openwire_session import DISPATCH, Session, answered_command, refusal
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError
from testbed.protocols import openwire
from testbed.protocols.openwire import FALSE, NULL, TRUE, boolean, frame, string, structure

_CONSUMER, _PRODUCER, _TRANSACTION, _DESTINATION = 5, 6, 7, 8
_SHUTDOWN, _REMOVE, _ACK, _BYTES_MESSAGE = 11, 12, 22, 24
_QUEUE_ID, _TOPIC_ID, _MESSAGE_ID, _LOCAL_TRANSACTION = 100, 101, 110, 111
_SESSION_ID, _CONSUMER_ID, _PRODUCER_ID = 121, 122, 123
_BEGIN, _COMMIT = 0, 2
# What follows a message's content: no properties, data structure or target, not compressed, a
# redelivery counter, no broker path, arrival, no user, no bridge; then the dispatch's own counter.
_AFTER_CONTENT = 1 + 1 + 1 + 1 + 4 + 1 + 8 + 1 + 1
# The Java client's default for topics. The service's default configuration keeps 1,000 messages
# beyond it for a slow subscriber and drops the oldest (constantPendingMessageLimitStrategy).
_TOPIC_PREFETCH = 32766
_READS = 16  # before the messages are counted


def _destination(destination: Destination) -> bytes:
    kind = _QUEUE_ID if destination.kind == "queue" else _TOPIC_ID
    return structure(kind, string(destination.name))


class OpenWireSender:
    """See ``base.Sender``. With transactions, a commit confirms its messages."""

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
        self._session = Session(target)
        self._connection, self._run, self._producer = self._session.connection, run, producer
        self._transaction, self._in_transaction, self._begun = shape.transaction, 0, 0
        # Command -> message, and whether the answer is about all messages up to it.
        self._numbers: dict[int, tuple[int, bool]] = {}
        producer_id = self._session.member(_PRODUCER_ID)
        self._session.ask(_PRODUCER, producer_id + NULL * 2)
        self._prepare(producer_id, _destination(destination), shape)

    def _prepare(self, producer_id: bytes, destination: bytes, shape: Shape) -> None:
        """Encode a message, and note where what differs from message to message is in it."""
        content = bytes(HEADER.size)
        content += filler(self._run, self._producer, shape.size, shape.content)
        transaction = (
            structure(_LOCAL_TRANSACTION, bytes(8) + self._session.identity)
            if self._transaction
            else NULL
        )
        before_id = producer_id + destination + transaction + destination
        message_id = structure(_MESSAGE_ID, producer_id + bytes(16))
        # No original transaction, no group; sequence, no correlation; expiration, priority, no
        # reply-to; timestamp, no type.
        middle = NULL * 2 + bytes(4) + NULL + boolean(shape.persistent) + bytes(8) + b"\4" + NULL
        middle += bytes(8) + NULL
        after = NULL * 3 + FALSE + bytes(4) + NULL + bytes(8) + NULL + FALSE
        head = openwire.command(_BYTES_MESSAGE, 0, b"", answer=not self._transaction)
        body = before_id + message_id + middle + TRUE + struct.pack(">i", len(content)) + content
        self._template = frame(head + body + after)
        start = 4 + len(head)
        self._transaction_at = start + len(producer_id + destination) + 2
        self._number_at = start + len(before_id + message_id) - 16
        self._time_at = start + len(before_id + message_id + middle) - 9
        self._content_at = start + len(before_id + message_id + middle) + 5

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, intended: Sequence[int]) -> None:
        while intended:
            room = self._transaction - self._in_transaction if self._transaction else len(intended)
            self._write(intended[:room])
            intended = intended[room:]
            if self._transaction and self._in_transaction >= self._transaction:
                self.flush()

    def _write(self, intended: Sequence[int]) -> None:
        if self._transaction and not self._in_transaction:
            self._begun += 1
            self._transact(_BEGIN)
        data, stride = bytearray(_repeated(self._template, len(intended))), len(self._template)
        first = self._session.reserve(len(intended))
        now, wall = time.monotonic_ns(), int(time.time() * 1000)
        number = self.outstanding.add(len(intended), now)
        at = 0
        for command, due in enumerate(intended, first):
            struct.pack_into(">i", data, at + 5, command)
            if self._transaction:
                struct.pack_into(">q", data, at + self._transaction_at, self._begun)
            else:
                self._numbers[command] = number, False
            struct.pack_into(">q", data, at + self._number_at, number + 1)
            struct.pack_into(">q", data, at + self._time_at, wall)
            HEADER.pack_into(data, at + self._content_at, self._run, self._producer, number, due)
            at += stride
            number += 1
        self._in_transaction += len(intended)
        self._connection.write(data)

    def flush(self) -> None:
        if self._transaction and self._in_transaction:
            self._in_transaction = 0
            self._numbers[self._transact(_COMMIT)] = self.outstanding.attempted - 1, True

    def _transact(self, kind: int) -> int:
        identity = self._session.identity
        transaction = structure(_LOCAL_TRANSACTION, struct.pack(">q", self._begun) + identity)
        body = identity + transaction + bytes([kind])
        return self._session.command(_TRANSACTION, body, answer=kind == _COMMIT)

    def poll(self) -> None:
        while self._connection.read():
            self._read_answers()

    def _read_answers(self) -> None:
        buffer, at, now = self._connection.buffer, 0, time.monotonic_ns()
        while len(buffer) - at > 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) - at < 4 + size:
                break
            if buffer[at + 4] == openwire.RESPONSE:
                number, multiple = self._numbers.pop(answered_command(buffer, at + 4), (-1, False))
                if number >= 0:
                    self.outstanding.answer(number, now, multiple=multiple)
            elif refused := refusal(bytes(buffer[at + 4 : at + 4 + size])):
                raise refused
            at += 4 + size
        del buffer[:at]

    def close(self) -> None:
        self._connection.close()


@lru_cache(maxsize=64)
def _repeated(template: bytes, count: int) -> bytes:
    return template * count


class OpenWireReceiver:
    """See ``base.Receiver``. All messages of its destination have the same size."""

    kms_calls = 0

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        self._session = Session(target)
        self._connection = self._session.connection
        self._size, self._content = max(shape.size, HEADER.size), shape.content
        self._acknowledge, self._unacknowledged, self._last = shape.acknowledge, 0, b""
        self._destination = _destination(destination)
        self._consumer = self._session.member(_CONSUMER_ID)
        prefetch = shape.prefetch if destination.kind == "queue" else _TOPIC_PREFETCH
        limits = struct.pack(">ii", prefetch, 0)
        flags = TRUE + NULL * 2 + FALSE * 3 + b"\0" + NULL * 2 + FALSE * 3
        self._session.ask(_CONSUMER, self._consumer + FALSE + self._destination + limits + flags)

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
        buffer, at, last = self._connection.buffer, 0, -1
        arrived: list[Arrival] = []
        from_end = 4 + _AFTER_CONTENT + self._size
        while len(buffer) - at > 4:
            end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) < end:
                break
            if buffer[at + 4] == DISPATCH:
                arrived.append(self._arrival(buffer, end - from_end))
                last = at
            elif refused := refusal(bytes(buffer[at + 4 : end])):
                raise refused
            at = end
        if last >= 0:
            self._last = self._message_id(bytes(buffer[last + 4 : last + 4 + 1024]))
            self._unacknowledged += len(arrived)
        del buffer[:at]
        if self._unacknowledged >= self._acknowledge:
            self.flush()
        return arrived

    def _arrival(self, buffer: bytearray, content: int) -> Arrival:
        """Read the message whose content begins at ``content``."""
        if int.from_bytes(buffer[content - 4 : content], "big") != self._size:
            raise ClientError("a message arrived that is not one of this run")
        run, producer, number, intended = HEADER.unpack_from(buffer, content)
        if not number % SAMPLE and buffer[content + HEADER.size : content + self._size] != filler(
            run, producer, self._size, self._content
        ):
            raise ClientError("a message arrived damaged, or is not one of this run")
        return run, producer, number, intended

    def _message_id(self, dispatch: bytes) -> bytes:
        """Return the encoded message id in a dispatch."""
        # To the message, and over its own beginning.
        at = 6 + len(self._consumer) + len(self._destination) + 2 + 5
        for _ in ("producer", "destination", "transaction", "original destination"):
            at = _skip(dispatch, at)
        return dispatch[at : _skip(dispatch, at)]

    def flush(self) -> None:
        if self._unacknowledged:
            count, self._unacknowledged = self._unacknowledged, 0
            # From the first unacknowledged message up to the last one.
            body = self._destination + NULL + self._consumer + b"\2" + NULL + self._last
            self._session.command(_ACK, body + struct.pack(">i", count), answer=False)

    def close(self, *, delete: bool = False) -> None:
        try:
            if delete:
                remove = openwire.command(
                    _REMOVE, self._session.reserve(1), self._consumer, answer=True
                )
                self._connection.write(frame(remove))
                self._session.ask(
                    _DESTINATION,
                    self._session.identity + self._destination + b"\1" + bytes(8) + NULL,
                )
        except ClientError:
            pass  # the destination may still be in use, and goes with the broker then
        finally:
            self._connection.close()


def _skip(data: bytes, at: int) -> int:
    """Return where the object at ``at`` ends."""
    if data[at] == 0:
        return at + 1
    kind, at = data[at + 1], at + 2
    if kind == _MESSAGE_ID:
        return _skip(data, at) + 16
    if kind == _LOCAL_TRANSACTION:
        return _skip(data, at + 8)
    at += 3 + int.from_bytes(data[at + 1 : at + 3], "big")
    return at + {_SESSION_ID: 8, _CONSUMER_ID: 16, _PRODUCER_ID: 16}.get(kind, 0)


class OpenWire:
    """See ``base.Generator``."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def sender(
        self,
        destination: Destination,
        shape: Shape,
        *,
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> OpenWireSender:
        return OpenWireSender(
            self._target, destination, shape, run=run, producer=producer, outstanding=outstanding
        )

    def receiver(self, destination: Destination, shape: Shape) -> OpenWireReceiver:
        return OpenWireReceiver(self._target, destination, shape)

    def visit(self) -> None:
        session = Session(self._target)
        session.command(_SHUTDOWN, b"", answer=False)
        session.connection.close()
