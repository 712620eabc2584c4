"""The body of an HTTP/1.1 request: of a given length, or in chunks (RFC 9112, section 6)."""

import re
from email.message import Message
from io import BufferedIOBase

LIMIT = 4 * 2**20  # bytes; a configuration, the largest that these services accept, is 1 MB
_CHUNKED = -1
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?\r?\n")
_LINE = 4096  # bytes of a chunk's first line, or of a trailer
_TRAILERS = 100


class Refused(Exception):
    """A body cannot be read; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def length(headers: Message) -> int:
    """Return the announced length, negative if it comes in chunks. Raises ``Refused``."""
    codings = headers.get_all("Transfer-Encoding", [])
    lengths = headers.get_all("Content-Length", [])
    if codings:
        if lengths:
            raise Refused(400, "A request has a length or comes in chunks, not both.")
        if [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise Refused(501, "The only transfer coding is chunked.")
        return _CHUNKED
    if not lengths:
        return 0
    if len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise Refused(400, "Content-Length is not a number.")
    if len(lengths[0]) > 12 or int(lengths[0]) > LIMIT:
        raise _too_large()
    return int(lengths[0])


def read(headers: Message, stream: BufferedIOBase) -> bytes:
    """Return the body. Raises ``Refused``, and ``ConnectionError`` if the client has left."""
    size = length(headers)
    return _chunks(stream) if size == _CHUNKED else _exactly(stream, size)


def _chunks(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream):
        if len(body) + size > LIMIT:
            raise _too_large()
        body += _exactly(stream, size)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise Refused(400, "A chunk is longer than it says.")
    for _ in range(_TRAILERS):
        if _line(stream) in (b"\r\n", b"\n"):
            return bytes(body)
    raise Refused(431, "The request has too many trailers.")


def _chunk_size(stream: BufferedIOBase) -> int:
    match = _CHUNK_SIZE.fullmatch(_line(stream))
    if match is None:
        raise Refused(400, "A chunk does not begin with its size.")
    return int(match[1], 16)


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(_LINE)
    if not line.endswith(b"\n"):
        if len(line) < _LINE:
            raise ConnectionError
        raise Refused(431, "A line of the body is too long.")
    return line


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    piece = stream.read(size)
    if len(piece) < size:
        raise ConnectionError
    return piece


def _too_large() -> Refused:
    return Refused(413, f"A request has at most {LIMIT >> 20} MiB.")
