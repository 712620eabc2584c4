"""What a container uses, where it is reached, and which processes of the engine's machine it is."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.docker_errors import translate


@dataclass(frozen=True)
class Counters:
    """Seconds of processor time, and bytes on the network, since the container's start."""

    cpu: float
    received: int
    sent: int


class ContainerUsage:
    """One container seen from outside; also a context manager.

    Methods raise ``ContainerFailed`` when it is gone.
    """

    def __init__(self, container_id: str) -> None:
        self._client, self._id = engine.connect(start=False), container_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def counters(self) -> Counters:
        """Return the counters: current if ``at_once``; otherwise up to a second old."""
        return (self._kernel and self._kernel.counters()) or self._engine_counters()

    def started(self) -> float:
        """Return when it was started, in seconds since 1970."""
        return datetime.fromisoformat(self._inspect()["State"]["StartedAt"]).timestamp()

    @property
    def at_once(self) -> bool:
        """Whether the kernel is asked, not the engine; the engine has to run on this machine."""
        return self._kernel is not None

    @cached_property
    def _kernel(self) -> "_Kernel | None":
        description = self._inspect()
        return _Kernel.of(description["Id"], description["State"]["Pid"])

    def _inspect(self) -> dict[str, Any]:
        with translate("A container could not be inspected"):
            return dict(self._client.api.inspect_container(self._id))

    def _engine_counters(self) -> Counters:
        with translate("What a container uses could not be read"):
            stats: Any = self._client.api.stats(self._id, stream=False, one_shot=True)
        interfaces = (stats.get("networks") or {}).values()
        return Counters(
            cpu=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            received=sum(interface["rx_bytes"] for interface in interfaces),
            sent=sum(interface["tx_bytes"] for interface in interfaces),
        )

    def processes(self) -> list[int]:
        """Return its processes' ids on the engine's machine; none if the engine hides them."""
        try:
            with translate("A container's processes could not be listed"):
                table: Any = self._client.api.top(self._id)
        except ContainerFailed:
            return []
        column = table["Titles"].index("PID")
        return [int(row[column]) for row in table["Processes"] or []]

    def main_process(self) -> int:
        """Return the id, on the engine's machine, of the ancestor of all its processes."""
        return int(self._inspect()["State"]["Pid"])

    def addresses(self) -> list[str]:
        """Return its addresses in the engine's networks."""
        networks = self._inspect()["NetworkSettings"]["Networks"] or {}
        return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]

    def port_behind(self, published: int) -> int | None:
        """Return the container's port behind a published port of this machine."""
        ports = self._inspect()["NetworkSettings"]["Ports"] or {}
        for inside, outside in ports.items():
            if any(int(binding["HostPort"]) == published for binding in outside or []):
                return int(inside.partition("/")[0])
        return None


@dataclass(frozen=True)
class _Kernel:
    """What the kernel knows of a container.

    ``process`` is one of its processes, ``cpu`` the file of its control group, version 1 or 2.
    """

    process: int
    cpu: Path

    @classmethod
    def of(
        cls, container_id: str, process: int, root: Path = Path("/sys/fs/cgroup")
    ) -> "_Kernel | None":
        """Return None where process or control group cannot be seen from here."""
        try:
            lines = Path(f"/proc/{process}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for _, controllers, path in (line.split(":", 2) for line in lines):
            if container_id not in path:
                continue
            if "cpuacct" in controllers.split(","):
                file = root / controllers / path.lstrip("/") / "cpuacct.usage"
            elif not controllers:
                file = root / path.lstrip("/") / "cpu.stat"
            else:
                continue
            if file.exists():
                return cls(process, file)
        return None

    def counters(self) -> Counters | None:
        """Return None when the container is gone."""
        try:
            used = self.cpu.read_text().split()
            interfaces = Path(f"/proc/{self.process}/net/dev").read_text().splitlines()[2:]
        except OSError:
            return None
        rows = [row for line in interfaces if (row := line.split())[0] != "lo:"]
        if self.cpu.name == "cpuacct.usage":
            cpu = int(used[0]) / 1e9
        else:
            cpu = int(used[used.index("usage_usec") + 1]) / 1e6
        return Counters(
            cpu, received=sum(int(row[1]) for row in rows), sent=sum(int(row[9]) for row in rows)
        )
