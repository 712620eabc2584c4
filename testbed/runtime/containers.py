"""Containers, volumes and one network of one testbed instance, all under its label.

The labels are the whole truth: what carries an instance's label is found, and removed, by whoever comes next, whatever
happened to the process that made it.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import docker
from docker.errors import APIError, NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from testbed.errors import ContainerFailed, NotEnoughDisk
from testbed.runtime import parallel
from testbed.runtime.ports import LOOPBACK
from testbed.runtime.translated import gone_is_fine, translated

LABEL = "amazonmq-testbed"  # its value is the instance
ROLE = "amazonmq-testbed.role"

# testcontainers' own reaper is one more image to pull; reaper.py does its work.
testcontainers_config.ryuk_disabled = True


@dataclass(frozen=True)
class ContainerSpec:
    """A container to run. ``ports`` are pairs of a port of 127.0.0.1 and the container's port that it leads to."""

    name: str
    image: str
    role: str
    ports: tuple[tuple[int, int], ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)  # volume name -> path
    tmpfs: Mapping[str, str] = field(default_factory=dict)  # path -> mount options
    aliases: tuple[str, ...] = ()  # names in the instance's network
    mounts_fuse: bool = False  # may mount a FUSE filesystem: /dev/fuse and CAP_SYS_ADMIN
    network_of: str = ""  # the container whose network it shares, instead of one of its own
    capabilities: tuple[str, ...] = ()  # of the kernel's, e.g. NET_RAW; otherwise none


@dataclass(frozen=True)
class ContainerState:
    """``status`` is Docker's (``running``, ``exited``, ...) or ``missing``."""

    status: str
    exit_code: int = 0

    @property
    def running(self) -> bool:
        return self.status == "running"


class Containers:
    """What one instance runs. Methods take and return container ids; all raise ``ContainerFailed``."""

    def __init__(self, client: docker.DockerClient, instance: str) -> None:
        self.client = client
        self.instance = instance
        self._labels = {LABEL: instance}
        self._filter = {"label": f"{LABEL}={instance}"}
        self._network_lock = threading.Lock()
        self._connected = False  # whether the network is known to be there

    def run(self, spec: ContainerSpec, stdin: bytes | None = None) -> str:
        """Create and start a container, hand it ``stdin``, and return its id.

        Raises ``PortTaken`` when one of its ports is in use. Leaves nothing behind when it fails.
        """
        options: dict[str, Any] = {
            "labels": {**self._labels, ROLE: spec.role},
            "stdin_open": stdin is not None,
            "log_config": {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "2"}},
        }
        if spec.network_of:
            options |= {"network_mode": f"container:{spec.network_of}"}
        else:
            options |= {"hostname": spec.name[:63], "network": self._network()}
        if spec.aliases:
            options["networking_config"] = {
                self._network(): self.client.api.create_endpoint_config(aliases=list(spec.aliases))
            }
        if spec.mounts_fuse:
            options |= {
                "devices": ["/dev/fuse"],
                "cap_add": ["SYS_ADMIN"],
                "security_opt": ["apparmor=unconfined"],
            }
        else:
            options |= {
                "cap_drop": ["ALL"],
                "cap_add": list(spec.capabilities),
                "security_opt": ["no-new-privileges"],
            }
        container = DockerContainer(spec.image, name=spec.name)
        container.with_kwargs(**options)
        container.ports = _published(spec.ports)
        container.tmpfs = dict(spec.tmpfs)
        for volume, path in spec.volumes.items():
            container.with_volume_mapping(volume, path, "rw")
        try:
            with translated(f"The container {spec.name} could not be started"):
                container.start()
                identity = container.get_container_id()
                if stdin is not None:
                    self._feed(identity, stdin)
                return identity
        except BaseException:
            self.remove(spec.name)
            raise
        finally:
            container.get_docker_client().client.close()

    def _feed(self, identity: str, data: bytes) -> None:
        stream = self.client.api.attach_socket(identity, params={"stdin": 1, "stream": 1})
        try:
            getattr(stream, "_sock", stream).sendall(data)
        finally:
            close_stream(stream)

    def start(self, identity: str) -> None:
        """Start a stopped container again."""
        with translated("A container could not be started again"):
            self.client.api.start(identity)

    def stop(self, identity: str, seconds: int = 20) -> None:
        """Ask it to stop, and kill it after ``seconds``; harmless when it is gone."""
        with gone_is_fine(), translated("A container could not be stopped"):
            # The answer comes when it has stopped, so the client has to wait longer than that.
            self.client.containers.get(identity).stop(timeout=seconds)

    def kill(self, identity: str) -> None:
        """``kill -9``, and wait until it is dead; harmless when it already is."""
        with gone_is_fine(), translated("A container could not be killed"):
            try:
                self.client.api.kill(identity, "SIGKILL")
            except APIError as error:
                if error.status_code != 409:  # not running
                    raise
            self.client.api.wait(identity)

    def remove(self, identity: str) -> None:
        """Kill and remove it, with the anonymous volumes it has; harmless when it is gone."""
        with gone_is_fine(), translated("A container could not be removed"):
            try:
                self.client.api.remove_container(identity, force=True, v=True)
            except APIError as error:
                if "already in progress" not in str(error):
                    raise

    def state(self, identity: str) -> ContainerState:
        if not identity:  # it was never made
            return ContainerState("missing")
        with translated("A container could not be inspected"):
            try:
                state = self.client.api.inspect_container(identity)["State"]
            except NotFound:
                return ContainerState("missing")
        return ContainerState(state["Status"], state["ExitCode"])

    def logs(self, identity: str, tail: int | None = None, follow: bool = False) -> Iterator[bytes]:
        """Its output, in chunks; with ``follow`` until it stops."""
        with translated("The logs could not be read"):
            answer = self.client.api.logs(
                identity, stream=True, follow=follow, tail="all" if tail is None else tail
            )
            yield from answer

    def last_words(self, identity: str, lines: int = 5) -> str:
        """The end of its output on one line, for an error message."""
        try:
            text = b"".join(self.logs(identity, tail=lines)).decode(errors="replace")
        except ContainerFailed:
            return ""
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())

    def execute(self, identity: str, argv: Sequence[str], user: str = "") -> tuple[int, bytes]:
        """Run a command in it and return exit code and output."""
        with translated(f"`{argv[0]}` could not be run in a container"):
            code, output = self.client.containers.get(identity).exec_run(list(argv), user=user)
            return code, output

    def archive(self, identity: str, path: str) -> Iterator[bytes]:
        """Everything under ``path`` as a tar stream, seen from outside: a volume's raw content, not what is mounted over it."""
        with translated(f"{path} could not be read"):
            stream, _ = self.client.api.get_archive(identity, path)
            yield from stream

    def inspect(self, identity: str) -> dict[str, Any]:
        """All that the engine tells about it."""
        with translated("A container could not be inspected"):
            return self.client.api.inspect_container(identity)

    def find(self, role: str = "") -> list[dict[str, str]]:
        """The instance's containers: id, name, role, status."""
        with translated("The containers could not be listed"):
            rows = self.client.api.containers(all=True, filters=self._filter)
        return [
            {
                "id": row["Id"],
                "name": row["Names"][0].lstrip("/"),
                "role": row["Labels"].get(ROLE, ""),
                "status": row["State"],
            }
            for row in rows
            if not role or row["Labels"].get(ROLE) == role
        ]

    def create_volume(self, name: str) -> None:
        with translated(f"The volume {name} could not be created"):
            self.client.volumes.create(name, labels=self._labels)

    def remove_volume(self, name: str) -> None:
        """Harmless when it is gone."""
        with gone_is_fine(), translated(f"The volume {name} could not be removed"):
            self.client.api.remove_volume(name, force=True)

    def has_volume(self, name: str) -> bool:
        with translated(f"The volume {name} could not be inspected"):
            try:
                self.client.api.inspect_volume(name)
                return True
            except NotFound:
                return False

    def volumes(self) -> list[str]:
        """The names of the instance's volumes."""
        with translated("The volumes could not be listed"):
            return [
                row["Name"]
                for row in self.client.api.volumes(filters=self._filter)["Volumes"] or []
            ]

    def purge(self) -> dict[str, int]:
        """Remove everything under the instance's label; counts what was there."""
        self._connected = False
        return purge(self.client, self.instance)

    def _network(self) -> str:
        """The instance's network, made on first use."""
        name = f"testbed-{self.instance}"
        with self._network_lock, translated("The network could not be created"):
            if not self._connected and not self.client.networks.list(filters=self._filter):
                try:
                    self.client.networks.create(name, labels=self._labels, check_duplicate=True)
                except APIError as error:
                    if error.status_code != 409:  # another process was faster
                        raise
            self._connected = True
        return name


def _published(ports: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """As the SDK takes them: a container's port may have several of this machine's."""
    published: dict[str, Any] = {}
    for outside, inside in ports:
        published.setdefault(f"{inside}/tcp", []).append((LOOPBACK, outside))
    return published


def purge(
    client: docker.DockerClient, instance: str = "", *, settle: float = 0.0
) -> dict[str, int]:
    """Remove every container, volume and network of ``instance``, or of all instances, and count what was there.

    Looks again until nothing has appeared for ``settle`` seconds: what a process asked for right before it was killed
    the engine may still be making. Raises ``ContainerFailed`` when something stays.
    """
    chosen = {"label": f"{LABEL}={instance}" if instance else LABEL}
    counts = {"containers": 0, "volumes": 0, "networks": 0}
    empty_since = 0.0
    with translated("The engine's containers, volumes and networks could not be listed"):
        # Something may still be starting, or on its way out, while this runs.
        for attempt in range(20 + int(settle / 0.2)):
            found = _remove_all(client, chosen)
            if attempt == 0:
                counts = found
            if not any(found.values()):
                empty_since = empty_since or time.monotonic()
                if time.monotonic() - empty_since >= settle:
                    return counts
            else:
                empty_since = 0.0
            if attempt:
                time.sleep(0.2)
    raise ContainerFailed(
        "Some containers, volumes or networks of the testbed could not be removed.",
        hint=f"`docker ps -a --filter label={LABEL}` shows them.",
    )


def _remove_all(client: docker.DockerClient, chosen: Mapping[str, str]) -> dict[str, int]:
    """One round; counts what was there."""
    containers = client.api.containers(all=True, filters=chosen)
    parallel.side_by_side(
        [
            partial(_try, partial(client.api.remove_container, row["Id"], force=True, v=True))
            for row in containers
        ]
    )
    volumes = client.api.volumes(filters=chosen)["Volumes"] or []
    for volume in volumes:
        _try(partial(client.api.remove_volume, volume["Name"], force=True))
    networks = client.api.networks(filters=chosen)
    for network in networks:
        _try(partial(client.api.remove_network, network["Id"]))
    return {"containers": len(containers), "volumes": len(volumes), "networks": len(networks)}


def _try(action: Callable[[], Any]) -> None:
    try:
        action()
    except APIError:
        pass  # the next round looks again


def require_disk(client: docker.DockerClient, needed: int, what: str) -> None:
    """Raise ``NotEnoughDisk`` when the engine's own disk has less than ``needed`` bytes free, where that can be seen."""
    with translated("The engine's disk could not be looked at"):
        root = client.info().get("DockerRootDir", "")
    if not root or not os.path.isdir(root):
        return  # another machine, or a virtual one
    stat = os.statvfs(root)
    left = stat.f_bavail * stat.f_frsize
    if left < needed:
        raise NotEnoughDisk(
            f"{what} needs {needed // 2**20} MiB of free disk; {root} has {left // 2**20} MiB.",
            hint="`docker system df` shows what takes the space; `docker system prune` frees what is unused.",
        )


def close_stream(stream: Any) -> None:
    """Close an attached stream. Closing the SDK's object alone leaves the connection open."""
    raw = getattr(stream, "_sock", stream)
    try:
        raw.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    raw.close()
    stream.close()
