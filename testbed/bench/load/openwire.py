"""OpenWire by prepared commands, so that ActiveMQ is the limit and not the client.

OpenWire version 1 in loose encoding without caching. ActiveMQ answers the commands of one
connection one after the other, each when its message is on disk, so its full throughput takes
several connections, or transactions.
"""

import struct
import time
import uuid
from collections.abc import Sequence
from functools import partial

from testbed.bench.load.accounting import HEADER, SAMPLE, Outstanding, filler
from testbed.bench.load.base import Arrival, Connection, Generator, Shape, repeated
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.protocols import openwire
from testbed.protocols.openwire import (
    FALSE,
    NULL,
    TRUE,
    answered_command,
    frame,
    skip,
    string,
    structure,
)

_SESSION, _CONSUMER, _PRODUCER, _TRANSACTION, _DESTINATION = 4, 5, 6, 7, 8
_SHUTDOWN, _REMOVE, _DISPATCH, _ACK = 11, 12, 21, 22
_QUEUE_ID, _TOPIC_ID = 100, 101
_BEGIN, _COMMIT = 0, 2
# What follows a message's content: no properties, data structure or target, not compressed, a
# redelivery counter, no broker path, arrival, no user, no bridge; then the dispatch's own counter.
_AFTER_CONTENT = 1 + 1 + 1 + 1 + 4 + 1 + 8 + 1 + 1
# The Java client's default for topics. The service's default configuration keeps 1,000 messages
# beyond it for a slow subscriber and drops the oldest (constantPendingMessageLimitStrategy).
_TOPIC_PREFETCH = 32766
_READS = 16  # before the messages are counted


class _Session:
    """A connection that is logged in, with one session."""

    def __init__(self, target: Target) -> None:
        self.connection = Connection(target)
        client, user = f"bench-{uuid.uuid4()}", target.address
        self.name = string(client)
        self.identity = structure(openwire.CONNECTION_ID, self.name)
        self.session = self.name + struct.pack(">q", 1)
        self._commands = 0
        try:
            self._greet()
            login = openwire.connection_info(client, user.username, user.password)
            self.ask(openwire.CONNECTION_INFO, login)
            self.ask(_SESSION, structure(openwire.SESSION_ID, self.session))
        except BaseException:
            self.connection.close()
            raise

    def _greet(self) -> None:
        self.connection.write(frame(openwire.wire_format()))
        if not openwire.is_greeting(self._read()):
            raise ConnectionRefused("not an OpenWire listener")

    def member(self, kind: int) -> bytes:
        """Return the id of the session's one producer or consumer."""
        return structure(kind, self.name + struct.pack(">qq", 1, 1))

    def command(self, kind: int, body: bytes, *, answer: bool) -> int:
        """Write a command. Returns its number."""
        self._commands += 1
        self.connection.write(frame(openwire.command(kind, self._commands, body, answer=answer)))
        return self._commands

    def ask(self, kind: int, body: bytes) -> None:
        """Write a command and wait for its answer; messages before it stay in the buffer.

        Raises ``ClientError`` with the broker's reason.
        """
        number = self.command(kind, body, answer=True)
        messages = b""
        while True:
            command = self._read()
            if refused := _refusal(command):
                raise refused
            if command[0] == _DISPATCH:
                messages += frame(command)
            elif command[0] == openwire.RESPONSE and answered_command(command) == number:
                self.connection.buffer[:0] = messages
                return

    def reserve(self, count: int) -> int:
        """Reserve ``count`` command numbers. Returns the first."""
        first = self._commands + 1
        self._commands += count
        return first

    def _read(self) -> bytes:
        return self.connection.take(int.from_bytes(self.connection.take(4), "big"))


def _refusal(command: bytes) -> ClientError | None:
    """Return the error in a command, None if it carries none."""
    reason = openwire.refusal(command)
    if not reason:
        return None
    if "SecurityException" in reason:
        return NotAuthorized(reason)
    return ClientError(f"the broker refused: {reason}")


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
        self._session = _Session(target)
        self._connection, self._run, self._producer = self._session.connection, run, producer
        self._transaction, self._in_transaction, self._begun = shape.transaction, 0, 0
        # Command -> message, and whether the answer is about all messages up to it.
        self._numbers: dict[int, tuple[int, bool]] = {}
        producer_id = self._session.member(openwire.PRODUCER_ID)
        self._session.ask(_PRODUCER, producer_id + NULL * 2)
        transaction = structure(openwire.LOCAL_TRANSACTION, bytes(8) + self._session.identity)
        self._message = openwire.bytes_message(
            producer_id,
            _destination(destination),
            transaction if self._transaction else NULL,
            bytes(HEADER.size) + filler(run, producer, shape.size, shape.content),
            persistent=shape.persistent,
        )

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
        message, stride = self._message, len(self._message.frame)
        data = bytearray(repeated(message.frame, len(intended)))
        first = self._session.reserve(len(intended))
        now, wall = time.monotonic_ns(), int(time.time() * 1000)
        number = self.outstanding.add(len(intended), now)
        at = 0
        for command, due in enumerate(intended, first):
            struct.pack_into(">i", data, at + message.command, command)
            if self._transaction:
                struct.pack_into(">q", data, at + message.transaction, self._begun)
            else:
                self._numbers[command] = number, False
            struct.pack_into(">q", data, at + message.sequence, number + 1)
            struct.pack_into(">q", data, at + message.timestamp, wall)
            HEADER.pack_into(data, at + message.content, self._run, self._producer, number, due)
            at += stride
            number += 1
        self._in_transaction += len(intended)
        self._connection.write(data)

    def flush(self) -> None:
        if self._transaction and self._in_transaction:
            self._in_transaction = 0
            self._numbers[self._transact(_COMMIT)] = self.outstanding.attempted - 1, True

    def _transact(self, kind: int) -> int:
        identity, number = self._session.identity, struct.pack(">q", self._begun)
        transaction = structure(openwire.LOCAL_TRANSACTION, number + identity)
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
            elif refused := _refusal(bytes(buffer[at + 4 : at + 4 + size])):
                raise refused
            at += 4 + size
        del buffer[:at]

    def close(self) -> None:
        self._connection.close()


class OpenWireReceiver:
    """See ``base.Receiver``. All messages of its destination have the same size."""

    kms_calls = 0

    def __init__(self, target: Target, destination: Destination, shape: Shape) -> None:
        self._session = _Session(target)
        self._connection = self._session.connection
        self._size, self._content = max(shape.size, HEADER.size), shape.content
        self._acknowledge, self._unacknowledged, self._last = shape.acknowledge, 0, b""
        self._destination = _destination(destination)
        self._consumer = self._session.member(openwire.CONSUMER_ID)
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
            if buffer[at + 4] == _DISPATCH:
                arrived.append(self._arrival(buffer, end - from_end))
                last = at
            elif refused := _refusal(bytes(buffer[at + 4 : end])):
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
            at = skip(dispatch, at)
        return dispatch[at : skip(dispatch, at)]

    def flush(self) -> None:
        if self._unacknowledged:
            count, self._unacknowledged = self._unacknowledged, 0
            # From the first unacknowledged message up to the last one.
            body = self._destination + NULL + self._consumer + b"\2" + NULL + self._last
            self._session.command(_ACK, body + struct.pack(">i", count), answer=False)

    def close(self, *, delete: bool = False) -> None:
        try:
            if delete:
                self._session.command(_REMOVE, self._consumer, answer=True)
                remove = self._session.identity + self._destination + b"\1" + bytes(8) + NULL
                self._session.ask(_DESTINATION, remove)
        except ClientError:
            pass  # the destination may still be in use, and goes with the broker then
        finally:
            self._connection.close()


def generator(target: Target) -> Generator:
    """Return the generator for a target."""
    return Generator(
        partial(OpenWireSender, target), partial(OpenWireReceiver, target), partial(_visit, target)
    )


def _visit(target: Target) -> None:
    session = _Session(target)
    session.command(_SHUTDOWN, b"", answer=False)
    session.connection.close()
