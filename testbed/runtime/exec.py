"""A command in a running container, spoken to over its standard input and output."""

import struct
import time

import docker
from docker.errors import DockerException

from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.containers import close_stream

_ENDED = "The command in the container has ended."
_HEADER = struct.Struct(
    ">BxxxL"
)  # stream and length of what follows (Docker Engine API, "attach to a container")


class Exec:
    """An open command. Its standard error is dropped."""

    def __init__(self, client: docker.DockerClient, container_id: str, argv: list[str]) -> None:
        self._client = client
        try:
            identity = client.api.exec_create(container_id, argv, stdin=True, stderr=False)["Id"]
            self._stream = client.api.exec_start(identity, socket=True)
        except DockerException as error:
            client.close()
            raise ContainerFailed(
                f"`{argv[0]}` could not be run in a container: {error}"
            ) from error
        self._socket = getattr(self._stream, "_sock", self._stream)
        self._framed, self._output = b"", b""

    def write(self, data: bytes) -> None:
        """Raises ``ContainerFailed`` when the command has ended."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ContainerFailed(_ENDED) from error

    def read(self, count: int, timeout: float) -> bytes:
        """Exactly ``count`` bytes of its output.

        Raises ``TimeoutError`` after ``timeout`` seconds, and keeps what came for the next call; ``ContainerFailed``
        when the command ends before.
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
        close_stream(self._stream)
        self._client.close()


def open_exec(container_id: str, argv: list[str]) -> Exec:
    """Run ``argv`` in the container; closing it ends its standard input. Raises ``ContainerFailed``."""
    return Exec(engine.connect(start=False), container_id, argv)
