"""The endpoint and maintenance as a process: ``python -m testbed.daemon.server FOLDER``.

It ends on a signal, when its state folder is removed or made anew, and when everything that it
serves was removed (``testbed down --all`` of another folder). ``testbed serve`` runs the same in
the foreground.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from testbed.aws.endpoint import Endpoint, serve
from testbed.daemon.maintenance import PERIOD, Maintenance
from testbed.daemon.process import GO, ServerLock
from testbed.errors import PortTaken, TestbedError, VolumeRefused
from testbed.faults.running import Faults
from testbed.runtime import ports
from testbed.runtime.tasks import Task
from testbed.testbed import Testbed

logger = logging.getLogger("testbed.daemon.server")  # as __main__, too

_TICK = 0.5  # seconds between two looks at the state folder
_CONTAINER_TICKS = 10  # ticks between two looks at KMS's container
_MISSING = 3  # looks in a row that find no container; replacing it takes less


def run(
    folder: Path,
    ready: Callable[[Endpoint], None],
    stopping: threading.Event,
    *,
    port: int = 0,
    period: float = PERIOD,
) -> None:
    """Serve the testbed of ``folder`` until ``stopping`` is set or the testbed is gone.

    ``ready`` is called when the endpoint answers. ``period`` is the number of seconds between two
    rounds of maintenance. Raises ``TestbedError`` when the testbed is served already or cannot be
    opened, or ``port`` is taken.
    """
    lock = ServerLock(folder)
    try:
        testbed = Testbed(folder)
        try:
            with serve(testbed, port=port or _choose_port(lock.last_port)) as endpoint:
                lock.publish(endpoint.port)
                ready(endpoint)
                _maintain(testbed, lock, period, stopping)
        finally:
            testbed.close()
    finally:
        lock.release()


def _choose_port(last: int) -> int:
    try:
        ports.require_free(last)
    except PortTaken:
        return ports.free(1)[0]
    return last or ports.free(1)[0]


def _maintain(testbed: Testbed, lock: ServerLock, period: float, stopping: threading.Event) -> None:
    maintenance = Maintenance(testbed.brokers, period)
    maintenance.start()
    ticks = missing = 0
    undoing = _Undoing(testbed)
    while not stopping.wait(_TICK):
        if not lock.is_current:
            logger.info("the state folder is gone: ending")
            break
        ticks += 1
        if ticks % _CONTAINER_TICKS == 0:
            missing = missing + 1 if _is_removed(testbed) else 0
            if missing == _MISSING:
                logger.info("everything was removed: ending")
                break
            with suppress(TestbedError):  # an engine that does not answer is asked again
                testbed.kms_container.recover()
            undoing.begin()
    testbed.stop()
    maintenance.stop()


class _Undoing:
    """Undoes the faults whose process has ended. It may take as long as a broker's start.

    An error is logged when it is new.
    """

    def __init__(self, testbed: Testbed) -> None:
        self._testbed, self._last_error = testbed, ""
        self._task: Task[None] | None = None

    def begin(self) -> None:
        """Begin in a thread, unless it is under way."""
        if self._task is None or self._task.wait(0):
            self._task = Task(self._undo)

    def _undo(self) -> None:
        line = ""
        try:
            Faults(self._testbed).undo_all(abandoned=True)
        except VolumeRefused:
            pass  # all are undone; maintenance says what keeps a node down
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            line = f"a fault could not be undone: {type(error).__name__}: {error}"
            if line != self._last_error:
                logger.error(line)  # noqa: TRY400 - a trace may hold secrets
        self._last_error = line


def _is_removed(testbed: Testbed) -> bool:
    try:
        return not testbed.containers.find("kms")
    except TestbedError:  # an engine that does not answer is something else
        return False


def main(folder: str) -> None:
    """Wait until ``process.Launch`` says so, serve, and print one line with the port."""
    if sys.stdin.buffer.readline() != GO:
        return
    _log_to_standard_error()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run(Path(folder), _ready, stopping)
    except TestbedError as error:
        logger.error("%s %s", error, error.hint)  # noqa: TRY400 - the launcher shows it to the user
        sys.exit(1)


def _ready(endpoint: Endpoint) -> None:
    print(endpoint.port, flush=True)  # noqa: T201 - the launcher reads it
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # so that nothing waits for the end of this process's output
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _log_to_standard_error() -> None:
    """Write the testbed's log to standard error, which is the endpoint's log file."""
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root, own = logging.getLogger(), logging.getLogger("testbed")
    root.addHandler(logging.NullHandler())  # not other libraries' warnings
    own.setLevel(logging.INFO)
    own.addHandler(handler)


if __name__ == "__main__":
    main(sys.argv[1])
