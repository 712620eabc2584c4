"""An OpenWire connection that is logged in, with one session."""

import struct
import uuid

from testbed.bench.load.base import Connection
from testbed.bench.target import Target
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.protocols import openwire
from testbed.protocols.openwire import frame, string, structure

DISPATCH = 21
_SESSION, _SESSION_ID = 4, 121


def refusal(command: bytes) -> ClientError | None:
    """Return the error in a command, None if it carries none."""
    reason = openwire.refusal(command)
    if not reason:
        return None
    if "SecurityException" in reason:
        return NotAuthorized(reason)
    return ClientError(f"the broker refused: {reason}")


class Session:
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
            self.ask(_SESSION, structure(_SESSION_ID, self.session))
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
            if refused := refusal(command):
                raise refused
            if command[0] == DISPATCH:
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


def answered_command(response: bytes | bytearray, at: int = 0) -> int:
    """Return the number of the command that a response is about."""
    return int.from_bytes(response[at + 6 : at + 10], "big")
