"""How long a scan of a whole broker takes, compared with sslscan and testssl.sh.

    pytest -s tests/benchmarks/bench_scan.py

The questions are the same, on the same listeners: which versions, which suites in which order,
which groups, compression. sslscan and testssl.sh run inside the broker's network, next to the
listeners; the prober comes from outside, over the published ports. sslscan is timed as it is, one
listener after the other, and with as many side by side as the prober has. Rounds alternate, and the
ratio is that of the medians. testssl.sh gets one round, of one listener, times their number.
"""

import shlex
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from testbed.wire.prober import accepted_all, probe_all
from tests.support.broker_node import HOSTNAME
from tests.support.scanners import SSLSCAN, TESTSSL, Scanners, beside

pytestmark = pytest.mark.containers
ROUNDS = 7


def seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


@pytest.mark.parametrize("engine", ["rabbitmq", "activemq"])
def test_a_whole_broker(request: pytest.FixtureRequest, engine: str) -> None:
    node: Any = request.getfixturevalue(f"{engine}_node")
    ports = [
        listener.container_port
        for listener in node.engine.listeners(node.spec.version)
        if listener.name in node.addresses
    ]
    targets = " ".join(f"127.0.0.1:{port}" for port in ports)

    def sslscan(theirs: Scanners, at_once: int) -> None:
        script = f'{shlex.join(SSLSCAN)} "$1" > /dev/null'
        theirs.run(
            "sh", "-c", f"printf '%s\\n' {targets} | xargs -P {at_once} -I @ sh -c '{script}' sh @"
        )

    with beside(node.containers, node.container) as theirs:
        tools: dict[str, Callable[[], object]] = {
            "the prober": lambda: accepted_all(node.addresses, server_name=HOSTNAME),
            "the prober, everything": lambda: probe_all(
                node.addresses, server_name=HOSTNAME, ca_file=node.ca_file
            ),
            "sslscan": lambda: sslscan(theirs, 1),
            "sslscan, side by side": lambda: sslscan(theirs, 4),
        }
        for tool in tools.values():  # once, so that the broker is warm
            tool()
        durations: dict[str, list[float]] = {name: [] for name in tools}
        for _ in range(ROUNDS):
            for name, tool in tools.items():
                durations[name].append(seconds(tool))
        testssl = seconds(lambda: theirs.run(*TESTSSL, f"localhost:{ports[0]}")) * len(ports)
    medians = {name: statistics.median(values) for name, values in durations.items()} | {
        "testssl.sh": testssl
    }
    ours = medians["the prober"]
    print(f"\n{engine}, {len(ports)} listeners")
    for name, median in medians.items():
        print(f"  {name:<24}{median:8.2f} s   {median / ours:7.2f} times the prober")
    assert ours < medians["sslscan"]
    assert ours < medians["sslscan, side by side"]
    assert ours < testssl
