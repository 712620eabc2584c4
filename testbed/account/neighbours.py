"""Services that moto answers for as they are: one ``MotoService`` with additions for four.

Loading this module loads nothing of moto; the first call of a service loads what it needs, which
takes seconds for EC2.
"""

from collections import defaultdict
from collections.abc import Mapping
from importlib import import_module
from sqlite3 import Connection
from typing import Any

from testbed.account.moto_backends import Message
from testbed.account.store import Place

_CLASSES = {
    "ec2": ("EC2Backend", "EC2Response"),
    "logs": ("LogsBackend", "LogsResponse"),
    "cloudwatch": ("CloudWatchBackend", "CloudWatchResponse"),
    "secretsmanager": ("SecretsManagerBackend", "SecretsManagerResponse"),
    "ssm": ("SimpleSystemManagerBackend", "SimpleSystemManagerResponse"),
    "events": ("EventsBackend", "EventsHandler"),
}


class MotoNeighbour:
    """One of moto's services, by botocore's name, as ``MotoBackends`` calls it."""

    def __init__(self, name: str) -> None:
        self.name = name
        backend, operations = _CLASSES[name]
        self._models = import_module(f"moto.{name}.models")
        self._backend: Any = getattr(self._models, backend)
        self._operations: Any = getattr(import_module(f"moto.{name}.responses"), operations)

    def install(self, place: Place, backend: Any) -> None:
        """See ``MotoService``."""
        backends = getattr(self._models, f"{self.name}_backends")
        backends[place.account][place.region] = backend

    def new_backend(self, place: Place) -> Any:
        """See ``MotoService``."""
        return self._backend(place.region, place.account)

    def respond(self, message: Message, account: str) -> tuple[int, Mapping[str, str], str]:
        """See ``MotoService``."""
        from testbed.account.moto_service import respond  # it loads moto

        return respond(self._operations, message, account)

    def stored(self, backend: Any) -> dict[str, Any]:
        """See ``MotoService``. What makes defaults is not pickled: a new backend has its own."""
        return {
            name: dict(value) if isinstance(value, defaultdict) else value
            for name, value in vars(backend).items()
        }

    def restore(self, backend: Any, content: dict[str, Any]) -> None:
        """See ``MotoService``."""
        for name, value in content.items():
            own = getattr(backend, name, None)
            if isinstance(own, defaultdict):
                own.clear()
                own.update(value)
            else:
                setattr(backend, name, value)

    def reference(self, item: Any) -> Any:
        """See ``MotoService``."""
        return None

    def resolve(self, backend: Any, reference: Any) -> Any:
        """See ``MotoService``."""
        raise KeyError(reference)

    def written(self, connection: Connection, place: Place, backend: Any) -> None:
        """See ``MotoService``."""


class _Ec2(MotoNeighbour):
    """EC2, whose backend is the testbed's own."""

    def new_backend(self, place: Place) -> Any:
        """See ``MotoService``."""
        from testbed.account.ec2 import Ec2Backend  # it loads moto

        return Ec2Backend(place.region, place.account)


class _CloudWatch(MotoNeighbour):
    """CloudWatch, whose backend is the testbed's own."""

    def new_backend(self, place: Place) -> Any:
        """See ``MotoService``."""
        from testbed.account.metrics import MetricsBackend  # it loads moto

        return MetricsBackend(place.region, place.account)


class _Logs(MotoNeighbour):
    """CloudWatch Logs, whose backend is the testbed's own; ids stay apart over restarts, too."""

    def new_backend(self, place: Place) -> Any:
        """See ``MotoService``."""
        from testbed.account.logs import LogsBackend  # it loads moto

        return LogsBackend(place.region, place.account)

    def restore(self, backend: Any, content: dict[str, Any]) -> None:
        """See ``MotoService``."""
        super().restore(backend, content)
        events = self._models.LogEvent
        ids = (
            event.event_id
            for group in backend.groups.values()
            for stream in group.streams.values()
            for event in stream.events
        )
        events._event_id = max(events._event_id, *ids, -1) + 1  # noqa: SLF001 - moto has no other name for it


class _Events(MotoNeighbour):
    """EventBridge, whose backend and operations are the testbed's own."""

    def __init__(self, name: str) -> None:
        from testbed.account.events import EventsBackend, EventsOperations  # it loads moto

        super().__init__(name)
        self._backend, self._operations = EventsBackend, EventsOperations


def neighbour(name: str) -> MotoNeighbour:
    """Return a service by botocore's name. The first call of each loads it."""
    own = {"ec2": _Ec2, "logs": _Logs, "cloudwatch": _CloudWatch, "events": _Events}
    return own.get(name, MotoNeighbour)(name)
