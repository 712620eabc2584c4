"""Locust's master and workers on this machine, for a load that workers on other machines may join."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from testbed.bench.aim import Aim
from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.generators import make
from testbed.bench.parts import unpacked
from testbed.bench.rounds import Plan, Round, plan, round_of
from testbed.bench.workload import Workload
from testbed.errors import ClientError, TestbedError
from testbed.runtime.ports import free

LOCUSTFILE = Path(__file__).with_name("scale.py")
_JOIN = """TESTBED_AIM=aim.json locust -f "$(python -c 'import testbed.bench as b; print(*b.__path__)')/scale.py" --worker --master-host THIS_MACHINE"""
_JOIN_WITHIN, _PATIENCE = 120, 60  # seconds: for workers to join, and for their users to stop


def swarm(
    aim: Aim,
    *,
    workers: int = 2,
    others: int = 0,
    bind: str = "127.0.0.1",
    say: Callable[[str], None] = print,
) -> Round:
    """The load of one round, by ``workers`` on this machine and ``others`` that join at ``bind``.

    Raises ``ClientError`` when a worker failed or a message was lost, ``TestbedError`` when Locust is not installed or
    the load is not one that can be spread.
    """
    check(aim.workload, aim.driver, aim.target.encryption)
    planned = plan(aim.workload, aim.driver, aim.target, run=aim.run)
    with tempfile.TemporaryDirectory(prefix="testbed-swarm-") as folder, ExitStack() as stack:
        path = Path(folder) / "aim.json"
        aim.write(path)
        stack.enter_context(_Queue(planned))
        said = _run(
            planned, path, workers, others, bind, say, aim.workload.warm_up + aim.workload.duration
        )
        try:
            document = json.loads(path.with_suffix(".parts").read_text())
        except OSError as error:
            raise ClientError(f"Locust came to no end: {said}") from error
    if document["errors"]:
        raise ClientError(document["errors"][0])
    made = round_of(planned, [unpacked(each) for each in document["parts"]], aim.workload.duration)
    if not made.ok:
        raise ClientError(f"not all messages came out, which is no result: {made.account}")
    return made


def check(workload: Workload, driver: Driver, encryption: Encryption) -> None:
    """Raises ``TestbedError`` for what can't be spread over machines."""
    if importlib.util.find_spec("locust") is None:
        raise TestbedError(
            "Load from several machines needs Locust.", hint="pip install 'amazonmq-testbed[scale]'"
        )
    if workload.pattern == "request-reply" or workload.queues > 1:
        raise TestbedError(
            f"{workload.name} can't be spread over machines.",
            hint="One queue, a fan-out, or connections can.",
        )
    if driver.generator != "fast":
        raise TestbedError(
            f"{driver.name} can't be spread over machines.",
            hint="Drivers of prepared frames can: rabbitmq, activemq.",
        )
    if encryption.payload != "clear":
        raise TestbedError(
            "Encrypted payloads need a KMS key, which is within reach of this machine only."
        )


class _Queue:
    """The queue that all share: there before they are, gone when they have gone."""

    def __init__(self, planned: Plan) -> None:
        self._job = next(
            (
                job
                for job in planned.jobs
                if job.role == "consume" and job.lanes[0].destination.kind == "queue"
            ),
            None,
        )

    def __enter__(self) -> None:
        self._open(delete=False)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:  # to take it from the others would only bury what went wrong
            self._open(delete=True)

    def _open(self, *, delete: bool) -> None:
        if self._job:
            make(self._job.generator, self._job.target).receiver(
                self._job.lanes[0].destination, self._job.shape
            ).close(delete=delete)


def _run(
    planned: Plan,
    path: Path,
    workers: int,
    others: int,
    bind: str,
    say: Callable[[str], None],
    seconds: float,
) -> str:
    """Locust's master, until it ends, and the workers of this machine; the last that the master said."""
    users = sum(len(job.lanes) for job in planned.jobs)
    port = free(1)[0]
    base = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    master = {
        "-u": users,
        "-r": min(users, 100),
        "--expect-workers": workers + others,
        "--expect-workers-max-wait": _JOIN_WITHIN,
        "--master-bind-host": bind,
        "--master-bind-port": port,
        "--stop-timeout": _PATIENCE,
    }
    directing = [
        *base,
        "--master",
        "--headless",
        "--only-summary",
        *(str(word) for pair in master.items() for word in pair),
    ]
    here = [
        *base,
        "--worker",
        "--master-host",
        "127.0.0.1" if bind == "*" else bind,
        "--master-port",
        str(port),
    ]
    if others:
        say(
            f"waiting for {others} more: copy {path} to where they are, then {_JOIN} --master-port {port}"
        )
    environment = {**os.environ, "TESTBED_AIM": str(path)}
    started: list[subprocess.Popen[bytes]] = []
    try:
        none = subprocess.DEVNULL
        for _ in range(workers):
            started.append(
                subprocess.Popen(here, stdin=none, stdout=none, stderr=none, env=environment)
            )
        limit = seconds + _JOIN_WITHIN + 3 * _PATIENCE
        done = subprocess.run(
            directing,
            stdin=none,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientError("the distributed load did not end in time") from error
    finally:
        for worker in started:
            worker.kill()  # its account is given
            worker.wait()
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
