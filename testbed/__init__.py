"""A local testbed for Amazon MQ's data protection.

What is exported here is for users and documented in ``docs/api.md``; everything else is internal
and may change. Names are imported when they are first used, so that ``import testbed`` costs
nothing and the pytest plugin does not slow other projects down.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbed.aws.endpoint import Endpoint, serve
    from testbed.clients import connect
    from testbed.clients.base import Destination
    from testbed.errors import TestbedError
    from testbed.faults.running import Faults
    from testbed.key import Key
    from testbed.library import ActiveMqBroker, RabbitMqBroker
    from testbed.testbed import Testbed
    from testbed.testing.events import Events

# A library logs, and its user decides whether to see it.
logging.getLogger("testbed").addHandler(logging.NullHandler())

__all__ = [
    "ActiveMqBroker",
    "Destination",
    "Endpoint",
    "Events",
    "Faults",
    "Key",
    "RabbitMqBroker",
    "Testbed",
    "TestbedError",
    "connect",
    "serve",
]

_MODULES = {
    "ActiveMqBroker": "testbed.library",
    "Destination": "testbed.clients.base",
    "Endpoint": "testbed.aws.endpoint",
    "Events": "testbed.testing.events",
    "Faults": "testbed.faults.running",
    "Key": "testbed.key",
    "RabbitMqBroker": "testbed.library",
    "Testbed": "testbed.testbed",
    "TestbedError": "testbed.errors",
    "connect": "testbed.clients",
    "serve": "testbed.aws.endpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'testbed' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
