"""What a container uses, by the kernel and by the engine."""

import os
import time

import pytest

from testbed.errors import (
    ContainerFailed,
)
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.usage import ContainerUsage, _Kernel

pytestmark = pytest.mark.containers


def test_what_a_container_uses_is_read_from_the_kernel_at_once_and_is_what_the_engine_says(
    containers: Containers, idle: str
) -> None:
    """The engine answers once a second at most, too seldom for a turn of a benchmark."""
    identity = containers.run(ContainerSpec(f"testbed-{containers.instance}-u", idle, "test"))
    with ContainerUsage(identity) as container:
        started = time.monotonic()
        counted = [container.counters() for _ in range(10)]
        assert time.monotonic() - started < 0.5
        assert counted[0].cpu > 0
        engine = container._engine_counters()
        assert engine.cpu == pytest.approx(container.counters().cpu, abs=0.1)
        assert counted[0].received <= engine.received <= container.counters().received
        containers.remove(identity)
        with pytest.raises(ContainerFailed, match="it is gone"):
            container.counters()


def test_where_the_kernel_does_not_tell_the_engine_does(containers: Containers, idle: str) -> None:
    """As with an engine elsewhere, whose processes have the numbers of others here."""
    identity = containers.run(ContainerSpec(f"testbed-{containers.instance}-k", idle, "test"))
    with ContainerUsage(identity) as container:
        assert _Kernel.of("0" * 64, container.main_process()) is None
        assert _Kernel.of(identity, os.getpid()) is None
        container.__dict__["_kernel"] = None
        assert container.counters().cpu > 0
