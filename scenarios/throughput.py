"""A first answer to what encryption costs: plaintext against TLS, and plain against encrypted.

Durable 1 KB messages, confirmed and consumed, in a few short rounds that alternate. It is a
demonstration with an interval, not a measurement to quote: see docs/measuring.md for that.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.bench.spec import Case, load_driver, load_workload
from testbed.bench.target import Encryption, Target, choose_route
from testbed.cli.scenario import run_file
from testbed.engines.base import UNENCRYPTED
from testbed.errors import MissingExtra
from testbed.extras import require
from testbed.results import Finding
from testbed.testbed import Testbed

if TYPE_CHECKING:
    from testbed.bench.results import Series, Side

TITLE = "Short throughput with and without each layer of encryption, in rounds that take turns"
CLAIMS = ()  # the page states no cost
ALONE = True  # it measures
_DRIVERS = ("rabbitmq", "activemq")
_LAYERS = ("plaintext+plain", "tls+plain", "tls")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Measure the default brokers, and controls with a plaintext listener and a plain volume."""
    try:
        require("bench")
    except MissingExtra as error:
        yield f"Not measured: {error} {error.hint}"
        return
    from testbed.bench.load.fleet import Fleet
    from testbed.bench.render.terminal import ProgressObserver
    from testbed.bench.run import alternate

    # A small window, so that little is in flight at the end of each round.
    workload = replace(load_workload("durable-1k").shortened(0.4, 0.6, 5), window=500)
    encryptions = tuple(map(Encryption.parse, _LAYERS))
    with Fleet() as fleet:
        for name in _DRIVERS:
            case = Case(workload, load_driver(name), encryptions)
            try:
                compared = alternate(case, _targets(testbed, case), fleet, ProgressObserver())
                yield from _costs(compared)
            except ValueError as error:  # the machine is too busy for such short rounds
                yield f"No result: {error}. Run it again when the machine is less busy."
    yield "A demonstration on a shared machine: `testbed bench` measures."


def _targets(testbed: Testbed, case: Case) -> dict[str, Target]:
    """Return a target for each of the encryptions, by its label."""
    engine, protocol = case.driver.engine, case.driver.protocol
    control = testbed.control(engine, UNENCRYPTED)
    addresses = (
        testbed.brokers.address(control, protocol, tls=False),
        testbed.brokers.address(control, protocol),
        testbed.brokers.address(testbed.default_broker(engine), protocol),
    )
    targets = (
        Target(engine, address, encryption, container=address.beside)
        for address, encryption in zip(addresses, case.encryptions, strict=True)
    )
    return {target.encryption.label: choose_route(case.driver.route, target) for target in targets}


def _costs(series: "Series") -> Iterator[str]:
    plaintext, tls, encrypted = series.sides
    yield _cost(series, "plaintext and TLS", plaintext, tls)
    yield _cost(series, "plain and encrypted volume", tls, encrypted)


def _cost(series: "Series", layer: str, without: "Side", with_it: "Side") -> str:
    ratio = series.ratio(with_it, without)
    rates = f"{series.median(without):,.0f} and {series.median(with_it):,.0f} msg/s"
    interval = f"{ratio.confidence:.0%} interval of {len(ratio.pairs)} rounds"
    engine = series.driver.engine
    return f"{engine} 1 KB durable, {layer}: {rates}, ratio {ratio} ({interval})"


if __name__ == "__main__":
    run_file(__file__)
