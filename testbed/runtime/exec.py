"""A command in a running container, used over its standard input and output."""

import socket
import struct
import time
from contextlib import suppress
from typing import Any

import docker

from testbed.errors import ContainerFailed, EngineUnavailable
from testbed.runtime import engine
from testbed.runtime.docker_errors import translate

_ENDED = "The command in the container has ended."
# Stream, and length of what follows (Docker Engine API, "attach to a container").
_HEADER = struct.Struct(">BxxxL")


class Exec:
    """A running command. Its standard error is dropped."""

    def __init__(self, client: docker.DockerClient, container_id: str, argv: list[str]) -> None:
        self._client = client
        try:
            with translate(f"`{argv[0]}` could not be run in a container"):
                identity = client.api.exec_create(container_id, argv, stdin=True, stderr=False)
                self._stream: Any = client.api.exec_start(identity["Id"], socket=True)
        except BaseException:
            client.close()
            raise
        stream: Any = self._stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._framed, self._output = b"", b""

    def write(self, data: bytes) -> None:
        """Write to its standard input. Raises ``ContainerFailed`` when the command has ended."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ContainerFailed(_ENDED) from error

    def read(self, count: int, timeout: float) -> bytes:
        """Return exactly ``count`` bytes of its output.

        Raises ``TimeoutError`` after ``timeout`` seconds, and keeps what has arrived for the next
        call; ``ContainerFailed`` when the command ends first.
        """
        deadline = time.monotonic() + timeout
        while len(self._output) < count:
            self._receive(deadline - time.monotonic())
        data, self._output = self._output[:count], self._output[count:]
        return data

    def _receive(self, timeout: float) -> None:
        if timeout <= 0:
            raise TimeoutError
        self._socket.settimeout(timeout)
        try:
            piece = self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise ContainerFailed(_ENDED) from error
        finally:
            self._socket.settimeout(None)
        if not piece:
            raise ContainerFailed(_ENDED)
        self._framed += piece
        while len(self._framed) >= _HEADER.size:
            _, size = _HEADER.unpack_from(self._framed)
            end = _HEADER.size + size
            if len(self._framed) < end:
                break
            self._output += self._framed[_HEADER.size : end]
            self._framed = self._framed[end:]

    def close(self) -> None:
        """End its standard input, and let go of it."""
        close_stream(self._stream)
        self._client.close()


def open_exec(container_id: str, argv: list[str]) -> Exec:
    """Run ``argv`` in the container. Raises ``ContainerFailed``."""
    try:
        client = engine.connect(start=False)
    except EngineUnavailable as error:  # a busy one may be late
        raise ContainerFailed(f"`{argv[0]}` could not be run in a container: {error}") from error
    return Exec(client, container_id, argv)


def close_stream(stream: Any) -> None:
    """Close an attached stream, and its connection, which the SDK's object would leave open."""
    raw = getattr(stream, "_sock", stream)
    with suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
    raw.close()
    stream.close()
