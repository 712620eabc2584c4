"""The endpoint and the maintenance as a process: ``python -m testbed.aws.server FOLDER``, or ``testbed serve``.

It ends when told to, and by itself when its state folder is removed or made anew, or when all that it serves was taken
away from under it (``testbed down --all`` of another folder).
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from testbed.aws.endpoint import Endpoint, serve
from testbed.aws.maintenance import PERIOD, Maintenance
from testbed.aws.process import GO, Place
from testbed.errors import PortTaken, TestbedError
from testbed.runtime import ports
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

_TICK = 0.5  # seconds between two looks at the state folder
_LOOKS = 10  # ticks between two looks at KMS's container
_MISSING = 3  # looks in a row that it is not there: it is replaced in less


def run(
    folder: Path,
    ready: Callable[[Endpoint], None],
    over: threading.Event,
    *,
    port: int = 0,
    period: float = PERIOD,
) -> None:
    """Serve the testbed of ``folder`` until ``over`` is set or it is gone. ``ready`` is told where, once it answers.

    Raises ``TestbedError`` when it is served already, cannot be opened, or ``port`` is taken.
    """
    place = Place(folder)
    try:
        testbed = Testbed.open(folder)
        try:
            with serve(testbed, port=port or _port(place)) as endpoint:
                place.note(endpoint.port)
                ready(endpoint)
                _keep(testbed, place, period, over)
        finally:
            testbed.close()
    finally:
        place.leave()


def _port(place: Place) -> int:
    """That of the server before, if it is free."""
    try:
        ports.require_free(place.last_port)
        return place.last_port or ports.free(1)[0]
    except PortTaken:
        return ports.free(1)[0]


def _keep(testbed: Testbed, place: Place, period: float, over: threading.Event) -> None:
    maintenance = Maintenance(testbed.brokers, period)
    maintenance.start()
    looks = missing = 0
    while not over.wait(_TICK):
        if not place.ours:
            logger.info("the state folder is gone: ending")
            break
        looks += 1
        if looks % _LOOKS == 0:
            missing = missing + 1 if _is_taken_away(testbed) else 0
            if missing == _MISSING:
                logger.info("everything was removed: ending")
                break
    testbed.stop()
    maintenance.stop()


def _is_taken_away(testbed: Testbed) -> bool:
    try:
        return not testbed.containers.find("kms")
    except TestbedError:  # the engine does not answer: that is not the same
        return False


def main(folder: str) -> None:
    """What ``process.Launch`` starts: silent until told to go, one line with the port, and then on its own."""
    if sys.stdin.buffer.readline() != GO:
        return
    _log_to_standard_error()
    over = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: over.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run(Path(folder), _ready, over)
    except TestbedError as error:
        logger.error("%s", f"{error} {error.hint}".strip())  # noqa: TRY400 - for the user
        sys.exit(1)


def _ready(endpoint: Endpoint) -> None:
    print(endpoint.port, flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (
        0,
        1,
    ):  # whoever waits for the end of this process's output has waited long enough
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _log_to_standard_error() -> None:
    """Send the testbed's log to standard error, which is the endpoint's log file."""
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(logging.NullHandler())  # not other libraries' warnings
    testbed_logger = logging.getLogger("testbed")
    testbed_logger.setLevel(logging.INFO)
    testbed_logger.addHandler(handler)


if __name__ == "__main__":
    main(sys.argv[1])
