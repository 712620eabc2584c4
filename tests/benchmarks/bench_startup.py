"""From images to all endpoints ready, compared with the slowest component alone.

    pytest -s tests/benchmarks/bench_startup.py

A broker cannot start without KMS, so the components are KMS, KMS with RabbitMQ, and KMS with
ActiveMQ; the whole is KMS with both brokers. Rounds alternate; the ratio is that of the medians.
"""

import time
from collections.abc import Sequence
from functools import partial
from statistics import median

import pytest

from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed

ROUNDS = 5
COMPONENTS: dict[str, tuple[str, ...]] = {
    "KMS": (),
    "KMS and RabbitMQ": ("RABBITMQ",),
    "KMS and ActiveMQ": ("ACTIVEMQ",),
    "all": ("RABBITMQ", "ACTIVEMQ"),
}


def seconds(engine_types: Sequence[str]) -> float:
    started = time.monotonic()
    with Testbed() as testbed:
        if engine_types:
            run_concurrently(
                [partial(testbed.default_broker, engine) for engine in engine_types], testbed.stop
            )
        else:
            testbed.new_key("so that KMS has answered")
        return time.monotonic() - started


@pytest.mark.containers
def test_everything_is_ready_soon_after_the_slowest_component_would_be() -> None:
    seconds(COMPONENTS["all"])  # the images are there
    durations: dict[str, list[float]] = {name: [] for name in COMPONENTS}
    for _ in range(ROUNDS):
        for name, engine_types in COMPONENTS.items():
            durations[name].append(seconds(engine_types))
    medians = {name: median(times) for name, times in durations.items()}
    slowest = max((name for name in COMPONENTS if name != "all"), key=lambda name: medians[name])
    print(
        "\n"
        + "\n".join(
            f"{name}: {medians[name]:.1f} s ({min(times):.1f} to {max(times):.1f})"
            for name, times in durations.items()
        )
    )
    print(
        f"all / {slowest}: {medians['all'] / medians[slowest]:.2f}"
    )  # more than 1.3 would be worth a look
