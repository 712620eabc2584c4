"""Brokers that the tests of a session share: one for all that want the same."""

from contextlib import ExitStack
from typing import Any, Self

from testbed.documented.engines import engine_type_of
from testbed.library import ActiveMqBroker, MqBroker, RabbitMqBroker
from testbed.testbed import Testbed

_ENGINES = {"RABBITMQ": RabbitMqBroker, "ACTIVEMQ": ActiveMqBroker}


class BrokerPool:
    """Brokers of ``testbed``; one with a ``delay`` has a testbed of its own.

    As a context manager it deletes all at the end of the block.
    """

    def __init__(self, testbed: Testbed) -> None:
        self._testbed, self._stack = testbed, ExitStack()
        self._brokers: dict[str, MqBroker] = {}

    def get(self, engine: str, **options: Any) -> MqBroker:
        """Return the broker of ``engine`` with ``options``, and start it if there is none yet.

        Options are those of ``RabbitMqBroker``, except ``testbed``. Raises ``TestbedError`` for an
        unknown engine, and what ``MqBroker.start`` raises.
        """
        kind = _ENGINES[engine_type_of(engine)]
        wish = repr((kind.engine_type, sorted(options.items())))
        if wish not in self._brokers:
            testbed = self._testbed if options.get("delay") is None else None
            broker = kind(testbed=testbed, **options)
            self._brokers[wish] = self._stack.enter_context(broker)
        return self._brokers[wish]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
