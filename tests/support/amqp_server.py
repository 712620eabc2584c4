"""A toy AMQP 0-9-1 server: enough for the benchmark's prepared frames, and fast to start."""

import socket
import struct
import threading
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field

from testbed.bench.target import Encryption, Target
from testbed.clients.base import Address
from testbed.protocols.amqp import FRAME, METHOD, method, short

PASSWORD = "the-password"
_TAG = b"bench"


@dataclass
class _Message:
    exchange: bytes
    key: bytes
    frames: list[bytes] = field(default_factory=list)
    missing: int = 1  # bytes of the body that have not arrived


class AmqpServer:
    """Confirms every message and delivers it. ``lose`` is the number of one that is not delivered.

    ``refuse`` is one that is neither delivered nor confirmed, and ``ignore`` one that is delivered
    and has no answer. Numbers count from 1, over all queues.
    """

    def __init__(self) -> None:
        self.lose = self.refuse = self.ignore = 0
        self.published = 0
        self._lock = threading.Lock()
        self._queues: dict[bytes, deque[_Message]] = defaultdict(deque)
        self._consumers: dict[bytes, tuple[socket.socket, list[int]]] = {}
        self._bindings: dict[bytes, set[bytes]] = defaultdict(set)
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def target(self, password: str = PASSWORD) -> Target:
        """Return the server as a remote plaintext target."""
        port = self._listener.getsockname()[1]
        address = Address("amqp", "127.0.0.1", port, "alice", password)
        return Target("RABBITMQ", address, Encryption("plaintext", "unknown"))

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, struct.error), connection, connection.makefile("rb") as reader:
            reader.read(8)
            connection.sendall(method((10, 10), b"", 0))
            message: _Message | None = None
            confirmed = 0
            while True:
                kind, _, size = FRAME.unpack(reader.read(FRAME.size))
                payload = reader.read(size + 1)[:-1]
                if kind == METHOD:
                    message = self._answer(connection, payload) or message
                    continue
                assert message is not None
                if self._complete(message, kind, payload):
                    number = self._route(message)
                    confirmed += 1
                    answer = (60, 120) if number == self.refuse else (60, 80)
                    if number != self.ignore:
                        connection.sendall(method(answer, struct.pack(">QB", confirmed, 0)))

    def _answer(self, connection: socket.socket, payload: bytes) -> _Message | None:
        """Answer a method. Returns the message that it announces."""
        kind, arguments = struct.unpack_from(">HH", payload), payload[4:]
        if kind == (60, 40):  # Basic.Publish
            exchange, rest = _short(arguments[2:])
            return _Message(exchange, _short(rest)[0])
        if kind == (10, 11) and PASSWORD.encode() not in arguments:
            raise OSError("wrong password")
        answers = {
            (10, 11): method((10, 30), struct.pack(">HIH", 2047, 131072, 60), 0),
            (10, 40): method((10, 41), b"\0", 0),
            (10, 50): method((10, 51), b"", 0),
            (20, 10): method((20, 11)),
            (85, 10): method((85, 11)),
            (60, 10): method((60, 11)),
            (60, 20): method((60, 21), short(_TAG)),
            (50, 20): method((50, 21)),
            (50, 40): method((50, 41), bytes(4)),
        }
        name = _short(arguments[2:])[0] if kind in ((50, 10), (50, 20), (60, 20)) else b""
        if kind == (50, 10):  # Queue.Declare
            declared = name or f"generated-{id(connection)}".encode()
            connection.sendall(method((50, 11), short(declared) + bytes(8)))
        elif kind == (50, 20):  # Queue.Bind
            _, rest = _short(_short(arguments[2:])[1])
            self._bindings[_short(rest)[0]].add(name)
        if kind in answers:
            connection.sendall(answers[kind])
        if kind == (60, 20):  # Basic.Consume
            with self._lock:
                self._consumers[name] = (connection, [0])
                self._deliver(name)
        return None

    @staticmethod
    def _complete(message: _Message, kind: int, payload: bytes) -> bool:
        message.frames.append(FRAME.pack(kind, 1, len(payload)) + payload + b"\xce")
        if kind == 2:  # the content's header
            (message.missing,) = struct.unpack_from(">Q", payload, 4)
        else:
            message.missing -= len(payload)
        return not message.missing

    def _route(self, message: _Message) -> int:
        """Deliver a message. Returns its number."""
        with self._lock:
            self.published += 1
            if self.published in (self.lose, self.refuse):
                return self.published
            for queue in self._bindings[message.key] if message.exchange else {message.key}:
                self._queues[queue].append(message)
                self._deliver(queue)
            return self.published

    def _deliver(self, queue: bytes) -> None:
        if queue not in self._consumers:
            return
        connection, tag = self._consumers[queue]
        while self._queues[queue]:
            message = self._queues[queue].popleft()
            tag[0] += 1
            routing = short(message.exchange) + short(message.key)
            deliver = short(_TAG) + struct.pack(">QB", tag[0], 0) + routing
            connection.sendall(method((60, 60), deliver) + b"".join(message.frames))


def _short(data: bytes) -> tuple[bytes, bytes]:
    """Read a short string. Returns it and the rest."""
    return data[1 : 1 + data[0]], data[1 + data[0] :]
