"""What a container uses, where it is reached, and which processes of the engine's machine it is."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.translated import translated


@dataclass(frozen=True)
class Counters:
    """``cpu`` in seconds of processor time, bytes of its network interfaces; both since it was started."""

    cpu: float
    received: int
    sent: int


class Container:
    """One container, looked at from outside; also a context manager. Raises ``ContainerFailed`` when it is gone."""

    def __init__(self, container_id: str) -> None:
        self._client, self._id = engine.connect(start=False), container_id

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def counters(self) -> Counters:
        """Of this moment where ``at_once``; elsewhere as of the engine's last look, up to a second ago."""
        return (self._here and self._here.counters()) or self._told()

    @property
    def at_once(self) -> bool:
        """Whether the kernel is asked instead of the engine, which has to run on this machine."""
        return self._here is not None

    @cached_property
    def _here(self) -> "_Kernel | None":
        return _Kernel.of(*self._identity())

    def _identity(self) -> tuple[str, int]:
        with translated("A container could not be inspected"):
            about = self._client.api.inspect_container(self._id)
        return about["Id"], about["State"]["Pid"]

    def _told(self) -> Counters:
        with translated("What a container uses could not be read"):
            stats = self._client.api.stats(self._id, stream=False, one_shot=True)
        networks = (stats.get("networks") or {}).values()
        return Counters(
            cpu=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            received=sum(each["rx_bytes"] for each in networks),
            sent=sum(each["tx_bytes"] for each in networks),
        )

    def processes(self) -> list[int]:
        """Their ids on the engine's machine; none when the engine does not tell."""
        try:
            with translated("A container's processes could not be listed"):
                table = self._client.api.top(self._id)
        except ContainerFailed:
            return []
        column = table["Titles"].index("PID")
        return [int(row[column]) for row in table["Processes"] or []]

    def main_process(self) -> int:
        """The id, on the engine's machine, of the one that everything in the container descends from."""
        return self._identity()[1]

    def addresses(self) -> list[str]:
        """Its own, in the engine's networks."""
        with translated("A container could not be inspected"):
            networks = (
                self._client.api.inspect_container(self._id)["NetworkSettings"]["Networks"] or {}
            )
        return [each["IPAddress"] for each in networks.values() if each["IPAddress"]]

    def port_behind(self, published: int) -> int | None:
        """The container's port that a port of this machine leads to."""
        with translated("A container could not be inspected"):
            ports = self._client.api.inspect_container(self._id)["NetworkSettings"]["Ports"] or {}
        for inside, outside in ports.items():
            if any(int(each["HostPort"]) == published for each in outside or []):
                return int(inside.partition("/")[0])
        return None


@dataclass(frozen=True)
class _Kernel:
    """What the kernel knows of a process's container: ``cpu`` is its control group's file, of version 1 or 2."""

    process: int
    cpu: Path

    @classmethod
    def of(
        cls, container_id: str, process: int, root: Path = Path("/sys/fs/cgroup")
    ) -> "_Kernel | None":
        """None where the process is not this machine's, or its control group can't be seen from here."""
        try:
            groups = [
                line.split(":", 2)
                for line in Path(f"/proc/{process}/cgroup").read_text().splitlines()
            ]
        except OSError:
            return None
        for _, controllers, path in groups:
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
        """None when the container is gone."""
        try:
            used = self.cpu.read_text().split()
            lines = [
                line.split()
                for line in Path(f"/proc/{self.process}/net/dev").read_text().splitlines()[2:]
            ]
        except OSError:
            return None
        networks = [line for line in lines if line[0] != "lo:"]
        cpu = (
            int(used[0]) / 1e9
            if self.cpu.name == "cpuacct.usage"
            else int(used[used.index("usage_usec") + 1]) / 1e6
        )
        return Counters(
            cpu,
            received=sum(int(line[1]) for line in networks),
            sent=sum(int(line[9]) for line in networks),
        )
