"""Where brokers are kept: documents in the state folder, changed in one step, and one worker at a time for each."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

from testbed.broker.model import Broker
from testbed.errors import NotFoundException
from testbed.state.locks import hold_lock
from testbed.state.store import State

_KIND = "broker"


class BrokerStore:
    """The brokers of one state folder as they are stored. ``cancelled`` ends the wait for a turn."""

    def __init__(self, state: State, cancelled: Event) -> None:
        self._state, self._cancelled = state, cancelled

    def all(self) -> tuple[Broker, ...]:
        """In the order of their creation."""
        return tuple(map(Broker.from_document, self._state.all(_KIND)))

    def find(self, broker_id: str) -> Broker | None:
        """By id alone."""
        document = self._state.get(_KIND, broker_id)
        return Broker.from_document(document) if document else None

    def get(self, broker_id: str) -> Broker:
        """By id or by name. Raises ``NotFoundException``."""
        broker = self.find(broker_id) or next(
            (each for each in self.all() if each.broker_name == broker_id), None
        )
        if broker is None:
            raise NotFoundException(
                f"Can't find requested broker [{broker_id}]. Make sure your broker exists.",
                error_attribute="broker-id",
                hint="`testbed status` lists them.",
            )
        return broker

    def put(self, broker: Broker) -> Broker:
        self._state.put(_KIND, broker.broker_id, broker.to_document())
        return broker

    def change(self, broker: Broker, change: Callable[[Broker], Broker]) -> Broker:
        """Change what is stored of ``broker`` in one step, so that what others change meanwhile is not lost. Raises as ``get`` does."""
        document = self._state.update(
            _KIND,
            broker.broker_id,
            lambda stored: change(Broker.from_document(stored)).to_document(),
        )
        return (
            Broker.from_document(document) if document else self.get(broker.broker_id)
        )  # which raises

    def remove(self, broker: Broker) -> None:
        self._state.delete(_KIND, broker.broker_id)

    def alone(self, broker: Broker, *, wait: bool = True) -> AbstractContextManager[None]:
        """For the length of a ``with`` block, the only one to start or stop it. Raises ``Busy`` when not waiting and another does."""
        return hold_lock(self._state.folder, broker.broker_id, self._cancelled, wait=wait)
