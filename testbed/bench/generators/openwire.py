"""OpenWire by commands that are prepared once, so that ActiveMQ is the limit and not the client.

OpenWire version 1 in loose encoding without caching (ActiveMQ's OpenWire specification): the broker speaks it beside the
tight one. ActiveMQ answers the commands of one connection one after the other, each when its message is on disk, so what
it can do in a second takes several connections, or transactions.
"""

import struct
import time
import uuid
from collections.abc import Sequence
from functools import lru_cache

from testbed.bench.accounting import SAMPLE
from testbed.bench.body import HEADER, filler
from testbed.bench.generators.base import Arrival, Shape
from testbed.bench.generators.wire import Wire
from testbed.bench.outstanding import Outstanding
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.protocols import openwire
from testbed.protocols.openwire import (
    CONNECTION_ID,
    FALSE,
    NULL,
    RESPONSE,
    TRUE,
    boolean,
    frame,
    string,
    structure,
)

_SESSION, _CONSUMER, _PRODUCER, _TRANSACTION, _DESTINATION = 4, 5, 6, 7, 8
_SHUTDOWN, _REMOVE = 11, 12
_DISPATCH, _ACK, _BYTES_MESSAGE = 21, 22, 24
_QUEUE_ID, _TOPIC_ID, _MESSAGE_ID, _LOCAL_TRANSACTION = 100, 101, 110, 111
_SESSION_ID, _CONSUMER_ID, _PRODUCER_ID = 121, 122, 123
_BEGIN, _COMMIT = 0, 2
# What follows a message's content: no properties, data structure or target, not compressed, redelivery counter, no
# broker path, arrival, no user, no bridge; and the dispatch's own redelivery counter.
_AFTER_CONTENT = 1 + 1 + 1 + 1 + 4 + 1 + 8 + 1 + 1
# The Java client's own for topics. The service's default configuration keeps 1,000 messages beyond it for a slow subscriber
# and drops the oldest of more (constantPendingMessageLimitStrategy).
_TOPIC_PREFETCH = 32766


def _destination(destination: Destination) -> bytes:
    return structure(
        _QUEUE_ID if destination.kind == "queue" else _TOPIC_ID, string(destination.name)
    )


class _Connection:
    """Logged in, with one session."""

    def __init__(self, target: Target) -> None:
        self.wire = Wire(target)
        client = f"bench-{uuid.uuid4()}"
        self.name = string(client)
        self.session = self.name + struct.pack(">q", 1)
        self._commands = 0
        try:
            self.wire.write(frame(openwire.wire_format()))
            if not openwire.is_greeting(self._frame()):
                raise ConnectionRefused("not an OpenWire listener")
            user = target.address
            login = openwire.connection_info(client, user.username, user.password)
            self.ask(openwire.CONNECTION_INFO, login)
            self.ask(_SESSION, structure(_SESSION_ID, self.session))
        except BaseException:
            self.wire.close()
            raise

    def command(self, kind: int, body: bytes, *, answer: bool) -> int:
        """Write a command; its number."""
        self._commands += 1
        self.wire.write(frame(openwire.command(kind, self._commands, body, answer=answer)))
        return self._commands

    def ask(self, kind: int, body: bytes) -> None:
        """Write a command and wait for its answer; messages that come before it stay in the buffer.

        Raises ``ClientError`` with the broker's reason.
        """
        number = self.command(kind, body, answer=True)
        messages = b""
        while True:
            received = self._frame()
            if refused := refusal(received):
                raise refused
            if received[0] == _DISPATCH:
                messages += frame(received)
            elif received[0] == RESPONSE and struct.unpack_from(">i", received, 6)[0] == number:
                self.wire.buffer[:0] = messages
                return

    def numbers(self, count: int) -> int:
        """Reserve ``count`` command numbers; the first."""
        first = self._commands + 1
        self._commands += count
        return first

    def _frame(self) -> bytes:
        (size,) = struct.unpack(">i", self.wire.take(4))
        return self.wire.take(size)


def refusal(received: bytes) -> ClientError | None:
    """Return the broker's objection, if ``received`` is an exception."""
    reason = openwire.refusal(received)
    if not reason:
        return None
    if "SecurityException" in reason:
        return NotAuthorized(reason)
    return ClientError(f"the broker refused: {reason}")


class OpenWireSender:
    """See ``base.Sender``. With a transaction, its messages are settled by its commit."""

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
        self._wire, self._run, self._producer = self._connection.wire, run, producer
        self._transaction, self._in_transaction, self._begun = shape.transaction, 0, 0
        self._numbers: dict[
            int, tuple[int, bool]
        ] = {}  # command -> message, and whether all before it are meant
        producer_id = structure(
            _PRODUCER_ID, self._connection.session[:-8] + struct.pack(">qq", 1, 1)
        )
        self._connection.ask(_PRODUCER, producer_id + NULL * 2)
        where = _destination(destination)
        content = bytes(HEADER.size) + filler(run, producer, shape.size, shape.content)
        transaction = (
            structure(
                _LOCAL_TRANSACTION, bytes(8) + structure(CONNECTION_ID, self._connection.name)
            )
            if self._transaction
            else NULL
        )
        before_id = producer_id + where + transaction + where
        identity = structure(_MESSAGE_ID, producer_id + bytes(16))
        middle = (
            NULL * 2
            + struct.pack(">i", 0)
            + NULL
            + boolean(shape.persistent)
            + bytes(8)
            + b"\4"
            + NULL
            + bytes(8)
            + NULL
        )
        after = NULL * 3 + FALSE + bytes(4) + NULL + bytes(8) + NULL + FALSE
        head = struct.pack(">Bi", _BYTES_MESSAGE, 0) + boolean(not self._transaction)
        self._template = frame(
            head
            + before_id
            + identity
            + middle
            + TRUE
            + struct.pack(">i", len(content))
            + content
            + after
        )
        start = 4 + len(head)
        self._transaction_at = start + len(producer_id + where) + 2
        self._number_at = start + len(before_id + identity) - 16
        self._time_at = start + len(before_id + identity + middle) - 9
        self._content_at = start + len(before_id + identity + middle) + 5

    def fileno(self) -> int:
        return self._wire.fileno()

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
        first = self._connection.numbers(len(intended))
        now, wall = time.monotonic_ns(), int(time.time() * 1000)
        number = self.outstanding.add(len(intended), now)
        at = 0
        for command, meant in enumerate(intended, first):
            struct.pack_into(">i", data, at + 5, command)
            if self._transaction:
                struct.pack_into(">q", data, at + self._transaction_at, self._begun)
            else:
                self._numbers[command] = number, False
            struct.pack_into(">q", data, at + self._number_at, number + 1)
            struct.pack_into(">q", data, at + self._time_at, wall)
            HEADER.pack_into(data, at + self._content_at, self._run, self._producer, number, meant)
            at += stride
            number += 1
        self._in_transaction += len(intended)
        self._wire.write(data)

    def flush(self) -> None:
        if self._transaction and self._in_transaction:
            self._in_transaction = 0
            self._numbers[self._transact(_COMMIT)] = self.outstanding.attempted - 1, True

    def _transact(self, kind: int) -> int:
        connection = structure(CONNECTION_ID, self._connection.name)
        transaction = structure(_LOCAL_TRANSACTION, struct.pack(">q", self._begun) + connection)
        return self._connection.command(
            _TRANSACTION, connection + transaction + bytes([kind]), answer=kind == _COMMIT
        )

    def poll(self) -> None:
        while self._wire.read():
            self._settle()

    def _settle(self) -> None:
        buffer, at, now = self._wire.buffer, 0, time.monotonic_ns()
        while len(buffer) - at >= 4:
            size, kind = (
                int.from_bytes(buffer[at : at + 4], "big"),
                buffer[at + 4] if len(buffer) - at > 4 else 0,
            )
            if len(buffer) - at < 4 + size:
                break
            if kind == RESPONSE:
                number, multiple = self._numbers.pop(
                    struct.unpack_from(">i", buffer, at + 10)[0], (-1, False)
                )
                if number >= 0:
                    self.outstanding.settle(number, now, multiple=multiple)
            elif refused := refusal(bytes(buffer[at + 4 : at + 4 + size])):
                raise refused
            at += 4 + size
        del buffer[:at]

    def close(self) -> None:
        self._wire.close()


@lru_cache(maxsize=64)
def _repeated(template: bytes, count: int) -> bytes:
    return template * count


class OpenWireReceiver:
    """See ``base.Receiver``. Its destination has messages of one size only."""

    kms_calls = 0

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        self._connection = _Connection(target)
        self._wire = self._connection.wire
        self._size, self._content, self._acknowledge = (
            max(shape.size, HEADER.size),
            shape.content,
            shape.acknowledge,
        )
        self._unacknowledged, self._last = 0, b""
        self._where = _destination(destination)
        self._consumer = structure(
            _CONSUMER_ID, self._connection.session[:-8] + struct.pack(">qq", 1, 1)
        )
        limits = struct.pack(
            ">ii", shape.prefetch if destination.kind == "queue" else _TOPIC_PREFETCH, 0
        )
        self._connection.ask(
            _CONSUMER,
            self._consumer
            + FALSE
            + self._where
            + limits
            + TRUE
            + NULL * 2
            + FALSE * 3
            + b"\0"
            + NULL * 2
            + FALSE * 3,
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
        buffer, at, last = self._wire.buffer, 0, -1
        arrived: list[Arrival] = []
        from_end = 4 + _AFTER_CONTENT + self._size
        while len(buffer) - at > 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            end = at + 4 + size
            if len(buffer) < end:
                break
            if buffer[at + 4] == _DISPATCH:
                content = end - from_end
                if int.from_bytes(buffer[content - 4 : content], "big") != self._size:
                    raise ClientError("a message arrived that is not one of this run")
                run, producer, number, intended = HEADER.unpack_from(buffer, content)
                if not number % SAMPLE and buffer[
                    content + HEADER.size : content + self._size
                ] != filler(run, producer, self._size, self._content):
                    raise ClientError("a message arrived damaged, or is not one of this run")
                arrived.append((run, producer, number, intended))
                last = at
            elif refused := refusal(bytes(buffer[at + 4 : end])):
                raise refused
            at = end
        if last >= 0:
            self._last = self._identity(bytes(buffer[last + 4 : last + 4 + 1024]))
            self._unacknowledged += len(arrived)
        del buffer[:at]
        if self._unacknowledged >= self._acknowledge:
            self.flush()
        return arrived

    def _identity(self, dispatch: bytes) -> bytes:
        """The message id in a dispatch, as it stands there."""
        at = (
            6 + len(self._consumer) + len(self._where) + 2 + 5
        )  # to the message, and over its own beginning
        at = _skip(dispatch, at)  # producer
        at = _skip(dispatch, at)  # destination
        at = _skip(dispatch, at)  # transaction
        at = _skip(dispatch, at)  # original destination
        return dispatch[at : _skip(dispatch, at)]

    def flush(self) -> None:
        if self._unacknowledged:
            count, self._unacknowledged = self._unacknowledged, 0
            # From the first that is unacknowledged up to this one.
            body = (
                self._where
                + NULL
                + self._consumer
                + b"\2"
                + NULL
                + self._last
                + struct.pack(">i", count)
            )
            self._connection.command(_ACK, body, answer=False)

    def close(self, *, delete: bool = False) -> None:
        try:
            if delete:
                remove = (
                    struct.pack(">Bi", _REMOVE, self._connection.numbers(1)) + TRUE + self._consumer
                )
                self._wire.write(frame(remove))
                connection = structure(CONNECTION_ID, self._connection.name)
                self._connection.ask(
                    _DESTINATION, connection + self._where + b"\1" + struct.pack(">q", 0) + NULL
                )
        except ClientError:  # it may still be in use, and goes with the broker then
            pass
        finally:
            self._wire.close()


def _skip(data: bytes, at: int) -> int:
    """Where what follows the object at ``at`` begins."""
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
        run: int,
        producer: int,
        outstanding: Outstanding,
    ) -> OpenWireSender:
        return OpenWireSender(self._target, destination, shape, run, producer, outstanding)

    def receiver(self, destination: Destination, shape: Shape) -> OpenWireReceiver:
        return OpenWireReceiver(self._target, destination, shape)

    def visit(self) -> None:
        connection = _Connection(self._target)
        connection.command(_SHUTDOWN, b"", answer=False)
        connection.wire.close()
