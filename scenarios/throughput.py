"""A first answer to what encryption costs: plaintext beside TLS, and a plain volume beside an encrypted one."""

import logging
from collections.abc import Iterator

from testbed.bench.quick import PROTOCOLS, Addresses, quick
from testbed.engines.base import UNENCRYPTED
from testbed.results import Finding
from testbed.scenario import main
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "Short throughput with and without each layer of encryption, in rounds that take turns"
CLAIMS = ()  # the page states no cost


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """The default brokers beside controls with a plaintext listener and a plain volume."""
    brokers = testbed.brokers
    measured = []
    for engine_type, protocol in PROTOCOLS.items():
        control = testbed.control(engine_type, UNENCRYPTED)
        measured.append(
            Addresses(
                engine_type,
                plaintext=brokers.address(control, protocol, tls=False),
                control=brokers.address(control, protocol),
                broker=brokers.address(testbed.default_broker(engine_type), protocol),
            )
        )
    try:
        yield from map(str, quick(measured, logger.info).costs)
    except ValueError as error:  # a busy machine cannot be measured in so short a time
        yield f"No result: {error}. Run it again when the machine is less busy."
    yield "A demonstration on a shared machine: `testbed bench` measures."


if __name__ == "__main__":
    main(__file__)
