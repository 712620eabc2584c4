"""AMQP 0-9-1 frames (specification, sections 2.3 and 4.2), and a connection that is logged in."""

import struct
from struct import Struct

from testbed.bench.load.base import Connection
from testbed.bench.target import Target
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized

METHOD, FRAME_END = 1, 0xCE
_CONTENT_HEADER, _CONTENT_BODY = 2, 3
FRAME = Struct(">BHI")  # type, channel, size
_START, _TUNE, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 10), (10, 30), (10, 41), (10, 50), (10, 51)
_CHANNEL_CLOSE = (20, 40)


def short(text: str | bytes) -> bytes:
    """Encode a short string."""
    raw = text.encode() if isinstance(text, str) else text
    return bytes([len(raw)]) + raw


def _long(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def table(**entries: str) -> bytes:
    """Encode a table of strings; underscores in names stand for hyphens."""
    return _long(
        b"".join(
            short(name.replace("_", "-")) + b"S" + _long(value.encode())
            for name, value in entries.items()
        )
    )


def _frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return FRAME.pack(kind, channel, len(payload)) + payload + bytes([FRAME_END])


def method(kind: tuple[int, int], arguments: bytes = b"", channel: int = 1) -> bytes:
    """Return a method's frame."""
    return _frame(METHOD, struct.pack(">HH", *kind) + arguments, channel)


def properties(*, persistent: bool) -> bytes:
    """Encode a message's properties: its delivery mode alone."""
    return struct.pack(">HB", 0x1000, 2 if persistent else 1)


def content(body: bytes, properties: bytes, frame_max: int) -> bytes:
    """Return the content header and as many body frames as it takes."""
    most = frame_max - FRAME.size - 1
    pieces = (body[at : at + most] for at in range(0, len(body), most))
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties
    return _frame(_CONTENT_HEADER, header) + b"".join(
        _frame(_CONTENT_BODY, piece) for piece in pieces
    )


def before_body(properties: bytes) -> int:
    """Return the bytes of a content before its body: the header's frame, and a frame's start."""
    return FRAME.size + 12 + len(properties) + 1 + FRAME.size


def refusal(kind: int, payload: bytes) -> ClientError:
    """Return the error for a frame that arrived in place of the expected one."""
    is_method = kind == METHOD and len(payload) >= 4
    name = struct.unpack_from(">HH", payload) if is_method else (0, 0)
    if name in (_CLOSE, _CHANNEL_CLOSE):
        reason = payload[7 : 7 + payload[6]].decode(errors="replace")
        what = "connection" if name == _CLOSE else "channel"
        return ClientError(f"the broker closed the {what}: {reason}")
    return ClientError(f"the broker sent an unexpected frame (type {kind}, method {name})")


class Session:
    """A connection that is logged in, with channel 1 open."""

    def __init__(self, target: Target) -> None:
        self.connection = Connection(target)
        try:
            self.connection.write(b"AMQP\0\0\x09\x01")
            self.expect(_START)
            user = target.address
            login = b"\0" + user.username.encode() + b"\0" + user.password.encode()
            start_ok = table() + short("PLAIN") + _long(login) + short("en_US")
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
            raise refusal(kind, payload)
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
