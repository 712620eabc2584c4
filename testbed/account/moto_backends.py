"""Operations of the services that moto keeps, and how what it keeps outlives the process.

moto's backends are globals of the process. So one call runs at a time, with the testbed's own
backend in place, and a process may serve several testbeds. A call that changes something ends
with the pickled backend in the store; one that is refused ends with what was there before.
"""

import io
import pickle
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Protocol, TypeVar

from testbed.account.store import AccountStore, Place

_MOTO = threading.RLock()
_REQUEST_ID = re.compile(r"(?<=<RequestId>)[^<]*(?=</RequestId>)", re.IGNORECASE)


Found = TypeVar("Found")


@dataclass(frozen=True)
class Message:
    """A request as moto reads it: ``url`` names service and Region by AWS's host name."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What moto answers; ``body`` has the request's own id."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MotoService(Protocol):
    """One of moto's services: how it is called, and what of a backend is kept elsewhere."""

    def install(self, place: Place, backend: Any) -> None:
        """Put the backend where moto looks for it."""

    def new_backend(self, place: Place) -> Any:
        """Return a backend of an account in which there is nothing yet."""

    def respond(self, message: Message, account: str) -> tuple[int, Mapping[str, str], str]:
        """Let moto answer."""

    def stored(self, backend: Any) -> dict[str, Any]:
        """Return what has to be kept of the backend."""

    def restore(self, backend: Any, content: dict[str, Any]) -> None:
        """Put what was kept into a new backend."""

    def reference(self, item: Any) -> Any:
        """Return what to keep in place of an item that every new backend has; None to keep it."""

    def resolve(self, backend: Any, reference: Any) -> Any:
        """Return the item of a new backend for a ``reference``."""

    def written(self, connection: Connection, place: Place, backend: Any) -> None:
        """Keep, in the same transaction, what others read of the backend."""


class MotoBackends:
    """The backends of one testbed."""

    def __init__(self, store: AccountStore) -> None:
        self.store = store
        self._current: dict[Place, tuple[int, Any]] = {}

    def call(
        self,
        service: MotoService,
        place: Place,
        message: Message,
        *,
        changes: bool,
        request_id: str,
        along: Sequence[tuple[MotoService, Place]] = (),
    ) -> Answer:
        """Let moto answer; what it changes is kept when this returns.

        ``along`` are services that this one reads from or writes to.
        """
        parts = ((service, place), *along)
        with _MOTO:
            if not changes:
                self._install(parts)
                return _answer(service, place, message, request_id)
            with self.store.changing() as connection:
                backends = self._install(parts, connection)
                serials = [self._current.pop(where)[0] for _, where in parts]  # until it is kept
                answer = _answer(service, place, message, request_id)
                if answer.status < 400:
                    for (part, where), backend in zip(parts, backends, strict=True):
                        self.store.put_backend(connection, where, _dump(part, backend))
                        part.written(connection, where, backend)
            if answer.status < 400:
                for (_, where), serial, backend in zip(parts, serials, backends, strict=True):
                    self._current[where] = (serial + 1, backend)
            return answer

    def change(self, service: MotoService, place: Place, act: Callable[[Any], Found]) -> Found:
        """Let ``act`` change the backend, and keep it."""
        with _MOTO, self.store.changing() as connection:
            [backend] = self._install([(service, place)], connection)
            self._current.pop(place)
            found = act(backend)
            self.store.put_backend(connection, place, _dump(service, backend))
            service.written(connection, place, backend)
            return found

    def _install(
        self,
        parts: Sequence[tuple[MotoService, Place]],
        connection: Connection | None = None,
    ) -> list[Any]:
        backends = [self._backend(service, place, connection) for service, place in parts]
        for (service, place), backend in zip(parts, backends, strict=True):
            service.install(place, backend)
        return backends

    def read(self, service: MotoService, place: Place, look: Callable[[Any], Found]) -> Found:
        """Return what ``look`` finds in the backend."""
        with _MOTO:
            backend = self._backend(service, place)
            service.install(place, backend)
            return look(backend)

    def _backend(
        self, service: MotoService, place: Place, connection: Connection | None = None
    ) -> Any:
        serial = self.store.serial(place, connection)
        known = self._current.get(place)
        if known and known[0] == serial:
            return known[1]
        backend = service.new_backend(place)
        if serial:
            service.install(place, backend)
            _load(service, backend, self.store.backend(place))
        self._current[place] = (serial, backend)
        return backend


def _answer(service: MotoService, place: Place, message: Message, request_id: str) -> Answer:
    status, headers, body = service.respond(message, place.account)
    return Answer(status, headers, _REQUEST_ID.sub(request_id, body).encode())


def _dump(service: MotoService, backend: Any) -> bytes:
    content = io.BytesIO()
    pickler = pickle.Pickler(content, protocol=5)
    pickler.persistent_id = (  # type: ignore[method-assign]
        lambda item: "backend" if item is backend else service.reference(item)
    )
    pickler.dump(service.stored(backend))
    return content.getvalue()


def _load(service: MotoService, backend: Any, content: bytes) -> None:
    unpickler = pickle.Unpickler(io.BytesIO(content))  # noqa: S301 - it is what this testbed wrote into its private folder
    unpickler.persistent_load = (  # type: ignore[method-assign]
        lambda reference: backend if reference == "backend" else service.resolve(backend, reference)
    )
    service.restore(backend, unpickler.load())
