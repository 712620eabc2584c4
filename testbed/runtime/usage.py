"""What a container uses, where it is reached, and which processes of the engine's machine it is."""

from dataclasses import dataclass

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
        with translated("A container could not be inspected"):
            return self._client.api.inspect_container(self._id)["State"]["Pid"]

    def addresses(self) -> list[str]:
        """Its own, in the engine's networks."""
        with translated("A container could not be inspected"):
            networks = self._client.api.inspect_container(self._id)["NetworkSettings"]["Networks"] or {}
        return [each["IPAddress"] for each in networks.values() if each["IPAddress"]]

    def port_behind(self, published: int) -> int | None:
        """The container's port that a port of this machine leads to."""
        with translated("A container could not be inspected"):
            ports = self._client.api.inspect_container(self._id)["NetworkSettings"]["Ports"] or {}
        for inside, outside in ports.items():
            if any(int(each["HostPort"]) == published for each in outside or []):
                return int(inside.partition("/")[0])
        return None
