"""The services beside a broker in templates, kept by moto: networks, logs, secrets, parameters.

Loading a service takes up to a second: import this module at the first use.
"""

import importlib
from collections import defaultdict
from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any, cast

from moto.backends import get_backend
from moto.core.utils import camelcase_to_underscores

from testbed.account import moto_service
from testbed.account.moto_backends import Message
from testbed.account.store import Place

# EC2's images and their snapshots come with moto, and take nine tenths of what would be pickled.
_LOADED = frozenset(["amis", "snapshots"])


class Neighbor:
    """A service as ``MotoBackends`` calls it, by botocore's name."""

    keeps_new = True  # a new account has a default network, whose ids have to stay

    def __init__(self, name: str) -> None:
        [dispatch] = {*importlib.import_module(f"moto.{name}.urls").url_paths.values()}
        self._responses: Any = dispatch.__self__
        self._backends: Any = cast("Any", get_backend)(name)  # typed for literal names alone

    def has(self, operation: str) -> bool:
        """Return whether moto has an operation."""
        return callable(getattr(self._responses, camelcase_to_underscores(operation), None))

    def install(self, place: Place, backend: Any) -> None:
        """See ``MotoService``."""
        self._backends[place.account][place.region] = backend

    def new_backend(self, place: Place) -> Any:
        """See ``MotoService``."""
        return self._backends.backend(place.region, place.account)

    def respond(self, message: Message, account: str) -> tuple[int, Mapping[str, str], str]:
        """See ``MotoService``."""
        return moto_service.respond(self._responses, message, account)

    def stored(self, backend: Any) -> dict[str, Any]:
        """See ``MotoService``. What makes defaults is not pickled: a new backend has its own."""
        return {
            name: dict(value) if isinstance(value, defaultdict) else value
            for name, value in vars(backend).items()
            if name not in _LOADED
        }

    def restore(self, backend: Any, content: dict[str, Any]) -> None:
        """See ``MotoService``."""
        for name, value in content.items():
            if isinstance(getattr(backend, name, None), defaultdict):
                getattr(backend, name).clear()
                getattr(backend, name).update(value)
            else:
                setattr(backend, name, value)

    def reference(self, item: Any) -> None:
        """See ``MotoService``."""

    def resolve(self, backend: Any, reference: Any) -> Any:
        """See ``MotoService``."""
        raise AssertionError("nothing is kept elsewhere")

    def written(self, connection: Connection, place: Place, backend: Any) -> None:
        """See ``MotoService``."""
