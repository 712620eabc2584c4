"""Where brokers are stored: documents in the state folder, each changed in one step."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Event
from typing import Any

import msgspec

from testbed.broker import refusals
from testbed.broker.model import Broker
from testbed.errors import StateBroken
from testbed.kms.base import Caller
from testbed.state.locks import hold_lock, remove_lock
from testbed.state.store import State

_KIND = "broker"


class BrokerStore:
    """The brokers of one state folder as they are stored. ``cancelled`` ends waiting for a lock."""

    def __init__(self, state: State, cancelled: Event) -> None:
        self._state, self._cancelled = state, cancelled

    def all(self) -> tuple[Broker, ...]:
        """Return the brokers in the order of their creation."""
        return tuple(map(from_document, self._state.all(_KIND)))

    def of(self, caller: Caller) -> tuple[Broker, ...]:
        """Return the brokers that the caller sees, in the order of their creation."""
        return tuple(broker for broker in self.all() if caller.owns(broker.account, broker.region))

    def find(self, broker_id: str) -> Broker | None:
        """Return the broker with this id, or None."""
        document = self._state.get(_KIND, broker_id)
        return from_document(document) if document else None

    def get(self, broker_id: str, caller: Caller | None = None) -> Broker:
        """Return a broker by id or by name, of those that ``caller`` sees if there is one.

        Raises ``NotFoundException``.
        """
        broker = self.find(broker_id)
        if broker is None:
            brokers = self.of(caller) if caller else self.all()
            broker = next((other for other in brokers if other.broker_name == broker_id), None)
        if broker is None or (caller and not caller.owns(broker.account, broker.region)):
            raise refusals.no_such_broker(broker_id)
        return broker

    def add(self, broker: Broker) -> Broker:
        """Store a new broker, and return it.

        Raises ``ConflictException`` for a name that another has got since the request was checked.
        """
        with hold_lock(self._state.folder, "names", self._cancelled):
            if broker.broker_name in {other.broker_name for other in self.of(broker.owner)}:
                raise refusals.name_taken(broker.broker_name)
            return self.put(broker)

    def put(self, broker: Broker) -> Broker:
        """Store the broker, and return it."""
        self._state.put(_KIND, broker.broker_id, to_document(broker))
        return broker

    def change(self, broker: Broker, change: Callable[[Broker], Broker]) -> Broker:
        """Change the stored broker in one step, so that no other change is lost.

        Raises ``NotFoundException``, and what ``change`` raises.
        """
        document = self._state.update(
            _KIND, broker.broker_id, lambda stored: to_document(change(from_document(stored)))
        )
        if document is None:
            raise refusals.no_such_broker(broker.broker_id)
        return from_document(document)

    def remove(self, broker: Broker) -> None:
        """Forget the broker."""
        self._state.delete(_KIND, broker.broker_id)

    @contextmanager
    def locked(self, broker: Broker, *, wait: bool = True) -> Iterator[None]:
        """Hold the broker's lock, which starting and stopping it takes, and which goes with it.

        Raises ``Busy`` when ``wait`` is false and another holds it.
        """
        folder, name = self._state.folder, broker.broker_id
        with hold_lock(folder, name, self._cancelled, wait=wait):
            try:
                yield
            finally:
                with suppress(StateBroken):  # then the folder goes, and the lock with it
                    if self.find(name) is None:
                        remove_lock(folder, name)

    @contextmanager
    def holding(self, broker_id: str) -> Iterator[Broker]:
        """Hold a broker's lock, and yield it as it then is. Raises ``NotFoundException``."""
        broker = self.get(broker_id)
        with self.locked(broker):
            yield self.get(broker.broker_id)  # by name it may be another one by now

    def granting(self) -> AbstractContextManager[None]:
        """Hold the lock under which grants are created and noted."""
        return hold_lock(self._state.folder, "grants", self._cancelled)


def to_document(broker: Broker) -> dict[str, Any]:
    """Return everything about the broker as JSON values, passwords included."""
    document: dict[str, Any] = msgspec.to_builtins(broker)
    return document


def from_document(document: Mapping[str, Any]) -> Broker:
    """Return the broker of a stored document. Raises ``StateBroken``."""
    try:
        return msgspec.convert(document, Broker)
    except msgspec.ValidationError as error:
        raise StateBroken(
            f"A stored broker cannot be read: {error}.",
            hint="`testbed down` and then `testbed up` start anew.",
        ) from error
