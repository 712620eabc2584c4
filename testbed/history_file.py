"""Histories on disk, as lines of JSON: a header, one event in each line, and the number of events.

Every event is in the file when ``Writer.write`` returns, so a killed process loses none. A file
that breaks off, within a line too, is read as far as it goes. docs/histories.md has the format.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from testbed.errors import TestbedError
from testbed.history import Event

KIND = "amazonmq-testbed history"
SCHEMA = 1  # goes up with every incompatible change of the format


class _Header(msgspec.Struct, frozen=True):
    kind: str = ""
    schema: int = 0
    ordered: bool = True
    started: str = ""


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: int


class Writer:
    """Writes a new file. It is complete when its ``with`` block ends without an exception.

    ``ordered`` is whether the destinations promise order, see ``checker.check``. Raises
    ``TestbedError`` if the file exists or cannot be written, also later on.
    """

    def __init__(self, path: Path, *, ordered: bool = True) -> None:
        self._path = path
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise TestbedError(f"{path} cannot be written: {error}.") from error
        self._encoder, self._events = msgspec.json.Encoder(), 0
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._line(_Header(KIND, SCHEMA, ordered, started))

    def write(self, event: Event) -> None:
        self._line(event)
        self._events += 1

    def _line(self, content: msgspec.Struct) -> None:
        line = self._encoder.encode(content) + b"\n"
        try:
            while line:  # the system may take a part of it, as when its disk gets full
                line = line[self._file.write(line) :]
        except OSError as error:
            raise TestbedError(f"{self._path} cannot be written: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._line(_End(self._events))
        self._file.close()


class HistoryFile:
    """A file of ``Writer``'s; iterate over its events, as often as you like, without keeping them.

    Raises ``TestbedError`` for anything else, at a damaged line while iterating. ``broken_off`` is
    whether the end was missing in the last iteration.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.broken_off = path, False
        if path.exists() and not path.is_file():
            raise TestbedError(
                f"{path} is no file: a history is read twice, so a pipe will not do."
            )
        try:
            with path.open("rb") as file:
                header = msgspec.json.decode(file.readline(), type=_Header)
        except (OSError, msgspec.MsgspecError) as error:
            raise TestbedError(f"{path} cannot be read as a history: {error}.") from error
        if header.kind != KIND:
            raise TestbedError(f"{path} is not a history.")
        if header.schema != SCHEMA:
            raise TestbedError(
                f"{path} has schema {header.schema}; this testbed reads schema {SCHEMA}."
            )
        self.ordered, self.started = header.ordered, header.started

    def __iter__(self) -> Iterator[Event]:
        decode, count = msgspec.json.Decoder(Event).decode, 0
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                try:
                    event = decode(line)
                except msgspec.MsgspecError as error:
                    rest = file.read(1)
                    self.broken_off = not self._is_end(line, count)
                    if rest or (self.broken_off and line.endswith(b"\n")):
                        raise TestbedError(
                            f"{self.path}, line {count + 2}, is damaged: {error}."
                        ) from error
                    return
                count += 1
                yield event
        self.broken_off = True

    def _is_end(self, line: bytes, count: int) -> bool:
        try:
            end = msgspec.json.decode(line, type=_End)
        except msgspec.MsgspecError:
            return False
        if end.events != count:
            raise TestbedError(
                f"{self.path} has {count} events of {end.events}: lines are missing."
            )
        return True
