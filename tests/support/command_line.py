"""The installed `testbed` command in a separate process, and what is left of it afterwards."""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from testbed.clients.base import Address
from testbed.runtime import engine
from testbed.runtime.containers import Containers
from testbed.state.store import MARK, instance_of

COMMAND = Path(sys.executable).parent / "testbed"
_MARK = "TESTBED_TEST_MARK"
# Reads state folders, one a line, until this process ends; takes down what is still there then.
_CLEANER = f"""
import subprocess, sys
from pathlib import Path
for state in sys.stdin.read().splitlines():
    if (Path(state) / "{MARK}").exists():
        subprocess.run(["{COMMAND}", "down", "--state", state])
"""


@cache
def _cleaner() -> "subprocess.Popen[str]":
    """Start what cleans up after this process: a run of tests may be killed, `testbed up` stays."""
    cleaner = subprocess.Popen(
        [sys.executable, "-c", _CLEANER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        cwd="/",
    )
    atexit.register(cleaner.communicate)  # a run that ends waits for it
    return cleaner


@dataclass
class CommandLine:
    """Runs commands in ``folder``; what they start carries a mark."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    first: str = ""  # the output of the first command, where a fixture keeps it

    def __post_init__(self) -> None:
        cleaner = _cleaner()
        assert cleaner.stdin
        cleaner.stdin.write(f"{self.state}\n")
        cleaner.stdin.flush()

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def containers(self) -> Containers:
        return Containers(engine.connect(start=False), instance_of(self.state))

    def run(
        self,
        *arguments: object,
        timeout: float = 300,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=self._environment(environment or {}),
        )

    def json(self, *arguments: object, **environment: str) -> Any:
        """Run a command that succeeds; return the document on its standard output."""
        done = self.run(*arguments, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rabbitmq(self) -> Address:
        """Return where and as whom a client connects to the default RabbitMQ broker."""
        variables = self.json("env")
        return Address(
            "amqp",
            "localhost",
            int(variables["TESTBED_RABBITMQ_AMQPS"].rpartition(":")[2]),
            variables["TESTBED_RABBITMQ_USERNAME"],
            variables["TESTBED_RABBITMQ_PASSWORD"],
            Path(variables["TESTBED_CA_FILE"]),
        )

    def client(self, service: str) -> Any:
        """Return a client of the endpoint, as `testbed env` describes it."""
        variables = self.json("env")
        return boto3.client(
            service,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            verify=variables["AWS_CA_BUNDLE"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def error(self, *arguments: object, **environment: str) -> tuple[str, str]:
        """Run a command that fails; return its error and its hint, which are one line each."""
        done = self.run(*arguments, environment=environment)
        assert done.returncode == 1, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        hint = "".join(
            line.removeprefix("  hint: ")
            for line in done.stderr.splitlines()
            if line.startswith("  hint: ")
        )
        assert done.stderr.rstrip().endswith(hint or error), "it comes last"
        return error.removeprefix("error: "), hint

    def start(self, *arguments: object) -> "Running":
        process = subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._environment({}),
        )
        return Running(process)

    def processes(self) -> list[str]:
        """Return the command lines of what the commands have started and still runs."""
        lines = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    self.mark.encode() in (process / "environ").read_bytes()
                    and " Z " not in (process / "stat").read_text()
                ):
                    lines.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it has ended
                pass
        return lines

    def left(self) -> dict[str, Any]:
        """Return everything that exists of the commands' testbeds; all empty when nothing does."""
        client = engine.connect(start=False)
        temporary = list((self.folder / "tmp").iterdir())
        instances = [
            instance_of(self.state),
            *map(instance_of, self._folders()),
        ]
        filters = [{"label": f"amazonmq-testbed={instance}"} for instance in instances]
        return {
            "containers": [
                row["Names"]
                for labels in filters
                for row in client.api.containers(all=True, filters=labels)
            ],
            "volumes": [
                row["Name"]
                for labels in filters
                for row in client.api.volumes(filters=labels)["Volumes"] or []
            ],
            "networks": [
                row["Name"] for labels in filters for row in client.api.networks(filters=labels)
            ],
            "processes": self.processes(),
            "mounts": [
                line
                for line in Path("/proc/self/mounts").read_text().splitlines()
                if any(instance in line for instance in instances)
            ],
            "temporary": temporary,
        }

    def wait_until_nothing_is_left(self, timeout: float = 60.0) -> None:
        end = time.monotonic() + timeout
        while any((left := self.left()).values()):
            assert time.monotonic() < end, left
            time.sleep(0.3)

    def _folders(self) -> set[Path]:
        """Return the temporary testbeds, those that are gone included."""
        self._seen: set[Path]
        self._seen = getattr(self, "_seen", set()) | set((self.folder / "tmp").glob("testbed-*"))
        return self._seen

    def note(self) -> None:
        """Remember the temporary testbeds that are there now."""
        self._folders()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name == "TESTBED_PORTS" or not name.startswith(("TESTBED_", "COV_", "PYTEST_"))
        }
        return {
            **inherited,
            _MARK: self.mark,
            "TMPDIR": str(self.folder / "tmp"),
            "TESTBED_STATE": str(self.state),
            "COLUMNS": "200",
            **variables,
        }


class Running:
    """A running command; its standard error is read continuously."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait_for(self, pattern: str, timeout: float = 240.0) -> None:
        """Wait for a line of its standard error that matches."""
        end = time.monotonic() + timeout
        while not any(re.search(pattern, line) for line in list(self.lines)):
            assert self.process.poll() is None, (pattern, self.lines)
            assert time.monotonic() < end, (pattern, self.lines)
            time.sleep(0.02)

    def end(self, how: signal.Signals, timeout: float = 120.0) -> tuple[int, float]:
        """Send the signal; return the exit status, and the seconds until the end."""
        started = time.monotonic()
        self.process.send_signal(how)
        status = self.process.wait(timeout)
        self._reading.join(10)
        return status, time.monotonic() - started

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            for line in stderr:
                self.lines.append(line.rstrip())
