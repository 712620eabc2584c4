"""What measuring remembers of brokers and containers that are gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.broker import metrics as module
from testbed.broker.metrics import Metrics
from testbed.runtime.usage import Counters


def test_brokers_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = iter(range(0, 600, 60))
    monkeypatch.setattr(module, "_minute", lambda: next(minutes))
    monkeypatch.setattr(Metrics, "_values", lambda *_: ())
    backends = SimpleNamespace(change=lambda *_: None)
    services: Any = SimpleNamespace(backends=backends)
    measured = Metrics(services, lambda _: ())
    for number in range(10):
        broker: Any = SimpleNamespace(
            broker_id=f"b-{number}", broker_state="RUNNING", account="1", region="us-east-1"
        )
        measured.measure(broker)
    assert measured._minutes == {"b-9": 540}


def test_containers_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def usage(_: str) -> Iterator[Any]:
        counters = Counters(cpu=1.0, received=0, sent=0)
        yield SimpleNamespace(counters=lambda: counters, started=lambda: 0.0)

    monkeypatch.setattr(module, "ContainerUsage", usage)
    monkeypatch.setattr(module, "_CONTAINERS", 3)
    processors = module._Processors()
    for container in ("a", "b", "c", "a", "d"):
        node: Any = SimpleNamespace(container_id=container)
        processors.load(node)
    assert list(processors._before) == ["c", "a", "d"], "b was looked at longest ago"
