"""A distributed load from the broker it needs to its result, which is one as any other: shown, compared, written in the same way."""

import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

from testbed.bench.aim import Aim
from testbed.bench.compare import Series, Side
from testbed.bench.reach import route
from testbed.bench.result import Result, environment
from testbed.bench.session import Case
from testbed.bench.stage import Stage
from testbed.bench.swarm import swarm
from testbed.bench.target import Target
from testbed.testbed import Testbed


def spread(
    testbed: Testbed | None,
    case: Case,
    command: str,
    say: Callable[[str], None],
    *,
    workers: int = 2,
    others: int = 0,
    bind: str = "127.0.0.1",
    remote: Target | None = None,
) -> Result:
    """One round of ``case``'s first encryption, on a broker of its own or on ``remote``. Raises as ``swarm`` and ``Brokers.create`` do."""
    [encryption] = case.encryptions
    # A worker elsewhere is in no network of this machine's containers.
    driver = replace(
        case.driver,
        route="published" if others or case.driver.route == "inside" else case.driver.route,
    )
    started, begun = datetime.now(UTC), time.monotonic()
    found = environment()
    with Stage(testbed, [encryption]) if testbed else nullcontext() as stage:
        [target] = stage.targets(driver).values() if stage else [remote]  # type: ignore[list-item]
        made = swarm(
            Aim(case.workload, driver, target, random.getrandbits(32)),
            workers=workers,
            others=others,
            bind=bind,
            say=say,
        )
    side = Side(target.encryption.label, target.encryption, target.running, route(target), (made,))
    software = {**found, "locust": version("locust"), "workers": str(workers + others)}
    return Result(
        started,
        time.monotonic() - begun,
        command,
        software,
        (Series(case.workload, driver, (side,)),),
    )
