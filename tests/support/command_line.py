"""The installed `testbed` command in a process of its own, and what is left of it afterwards."""

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
from pathlib import Path
from typing import Any

from testbed.runtime import engine
from testbed.runtime.containers import Containers
from testbed.state.store import instance_of

COMMAND = Path(sys.executable).parent / "testbed"
_MARK = "TESTBED_TEST_MARK"


@dataclass
class CommandLine:
    """Runs commands in ``folder``; what they start can be told from all else on the machine."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    first: str = ""  # the output of the first command, where a fixture keeps it

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
        """The document on standard output of a command that succeeds."""
        done = self.run(*arguments, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def error(self, *arguments: object, **environment: str) -> tuple[str, str]:
        """What a command that fails says: the error and the hint, a line each."""
        done = self.run(*arguments, environment=environment)
        assert done.returncode == 1, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        hint = "".join(
            line.removeprefix("  hint: ")
            for line in done.stderr.splitlines()
            if line.startswith("  hint: ")
        )
        assert done.stderr.rstrip().endswith(hint or error), "the last that is said"
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
        """What runs of all that the commands have started, and its children: command lines."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    self.mark.encode() in (each / "environ").read_bytes()
                    and " Z " not in (each / "stat").read_text()
                ):
                    found.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it has ended
                pass
        return found

    def left(self) -> dict[str, Any]:
        """Everything that is there of the commands' testbeds; all empty when nothing is."""
        client = engine.connect(start=False)
        temporary = list((self.folder / "tmp").iterdir())
        instances = [
            instance_of(self.state),
            *(each for path in self._folders() for each in [instance_of(path)]),
        ]
        chosen = [{"label": f"amazonmq-testbed={instance}"} for instance in instances]
        return {
            "containers": [
                row["Names"]
                for each in chosen
                for row in client.api.containers(all=True, filters=each)
            ],
            "volumes": [
                row["Name"]
                for each in chosen
                for row in client.api.volumes(filters=each)["Volumes"] or []
            ],
            "networks": [
                row["Name"] for each in chosen for row in client.api.networks(filters=each)
            ],
            "processes": self.processes(),
            "temporary": temporary,
        }

    def wait_until_nothing_is_left(self, timeout: float = 60.0) -> None:
        end = time.monotonic() + timeout
        while any((left := self.left()).values()):
            assert time.monotonic() < end, left
            time.sleep(0.3)

    def _folders(self) -> set[Path]:
        """Temporary testbeds, those that are gone included."""
        self._seen: set[Path]
        self._seen = getattr(self, "_seen", set()) | set((self.folder / "tmp").glob("testbed-*"))
        return self._seen

    def note(self) -> None:
        """Remember the temporary testbeds that are there now."""
        self._folders()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name == "TESTBED_PORTS" or not name.startswith(("TESTBED_", "COV_", "PYTEST_"))
        }
        return {
            **kept,
            _MARK: self.mark,
            "TMPDIR": str(self.folder / "tmp"),
            "TESTBED_STATE": str(self.state),
            "COLUMNS": "200",
            **more,
        }


class Running:
    """A command under way; its standard error is read all the while."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait_for(self, pattern: str, timeout: float = 240.0) -> None:
        """Until it has said something that matches."""
        end = time.monotonic() + timeout
        while not any(re.search(pattern, line) for line in list(self.said)):
            assert self.process.poll() is None, (pattern, self.said)
            assert time.monotonic() < end, (pattern, self.said)
            time.sleep(0.02)

    def end(self, how: signal.Signals, timeout: float = 120.0) -> tuple[int, float]:
        """Send the signal; exit status and seconds until it has ended."""
        began = time.monotonic()
        self.process.send_signal(how)
        status = self.process.wait(timeout)
        self._reading.join(10)
        return status, time.monotonic() - began

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())
