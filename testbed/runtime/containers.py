"""Containers, volumes and the network of one testbed instance, all under its label.

The labels are authoritative: the next command finds and removes everything that carries an
instance's label, whatever happened to the process that created it.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import docker
from docker.errors import APIError, NotFound

from testbed.errors import ContainerFailed
from testbed.runtime import engine
from testbed.runtime.adapters import EngineContainer, EngineNetwork
from testbed.runtime.builder import ensure_images
from testbed.runtime.cleanup import LABEL, purge
from testbed.runtime.docker_errors import ignore_missing, translate
from testbed.runtime.exec import close_stream
from testbed.runtime.images import ImageSpec
from testbed.runtime.ports import LOOPBACK

ROLE = "amazonmq-testbed.role"
# What a container needs to mount a filesystem: FUSE, or one on an image under a loop device.
# Loop devices are block devices of major number 7; the kernel makes them when they are wanted.
_MOUNTING: dict[str, dict[str, Any]] = {
    "fuse": {"devices": ["/dev/fuse"]},
    "loop": {"devices": ["/dev/loop-control"], "device_cgroup_rules": ["b 7:* rwm"]},
}
_FREEZES = 5  # attempts
# What runc says on a busy machine; it leaves the retry to its caller, see
# https://github.com/opencontainers/runc/pull/4388.
_BUSY = "unable to freeze"
_EXIT_KNOWN_WITHIN = 60.0  # seconds; the output may end before its command, as far as we see it


@dataclass(frozen=True)
class ContainerSpec:
    """A container to run.

    ``ports`` are pairs of a port of 127.0.0.1 and the container's port behind it.
    """

    name: str
    image: str
    role: str
    ports: tuple[tuple[int, int], ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)  # volume name -> path
    tmpfs: Mapping[str, str] = field(default_factory=dict)  # path -> mount options
    aliases: tuple[str, ...] = ()  # names in the instance's network
    mounts: Literal["", "fuse", "loop"] = ""  # the filesystem that it may mount, if any
    network_of: str = ""  # the container whose network it shares
    processes_of: str = ""  # the container whose processes it sees, and may trace
    apart: bool = False  # in a network of its own, which the others do not reach
    capabilities: tuple[str, ...] = ()  # of the kernel's, such as NET_RAW; otherwise none


@dataclass(frozen=True)
class ContainerState:
    """``status`` is Docker's (``running``, ``exited``, ...) or ``missing``."""

    status: str
    exit_code: int = 0

    @property
    def running(self) -> bool:
        return self.status == "running"


class Containers:
    """What one instance runs. Methods take container ids, and all raise ``ContainerFailed``."""

    def __init__(self, client: docker.DockerClient, instance: str) -> None:
        self.client = client
        self.instance = instance
        self._labels = {LABEL: instance}
        self._filter = {"label": f"{LABEL}={instance}"}
        self._network_lock = threading.Lock()
        self._networks: set[str] = set()

    def close(self) -> None:
        """Close the connection to the engine; everything keeps running."""
        self.client.close()

    def ensure_image(self, image: ImageSpec) -> str:
        """Build or pull the image unless it exists, and return its tag.

        Raises ``ImageBuildFailed`` or ``NotEnoughDisk``.
        """
        return ensure_images(self.client, [image])[image]

    def require_disk(self, needed: int, purpose: str) -> None:
        """Raise ``NotEnoughDisk`` when the engine has less than ``needed`` bytes of free disk.

        ``purpose`` begins the message.
        """
        engine.require_disk(self.client, needed, purpose)

    def describe_engine(self) -> dict[str, str]:
        """Return the engine's version, its kernel's, and the number of its processors."""
        with translate("The engine could not be described"):
            version, info = self.client.version(), self.client.info()
        return {
            "version": f"{version['Version']} (API {version['ApiVersion']})",
            "kernel": version.get("KernelVersion", ""),
            "processors": str(info.get("NCPU", "?")),
        }

    def run(self, spec: ContainerSpec, stdin: bytes | None = None) -> str:
        """Create and start a container, write ``stdin`` to it, and return its id.

        Raises ``PortTaken`` when one of its ports is in use. Leaves nothing behind when it fails.
        """
        container = EngineContainer(self.client, spec.image, spec.name)
        container.with_kwargs(stdin_open=stdin is not None, **self._options(spec))
        container.ports = _published(spec.ports)
        container.tmpfs = dict(spec.tmpfs)
        for volume, path in spec.volumes.items():
            container.with_volume_mapping(volume, path, "rw")
        try:
            with translate(f"The container {spec.name} could not be started"):
                identity = container.start().get_container_id()
                if stdin is not None:
                    self._feed(identity, stdin)
        except BaseException:
            self.remove(spec.name)
            raise
        return identity

    def _options(self, spec: ContainerSpec) -> dict[str, Any]:
        options: dict[str, Any] = {
            "labels": {**self._labels, ROLE: spec.role},
            "log_config": {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "2"}},
        }
        if spec.network_of:
            options |= {"network_mode": f"container:{spec.network_of}"}
        else:
            network = self._network("-apart" if spec.apart else "")
            options |= {"hostname": spec.name[:63], "network": network}
        if spec.aliases:
            endpoint = self.client.api.create_endpoint_config(aliases=list(spec.aliases))
            options["networking_config"] = {self._network(): endpoint}
        if spec.processes_of:
            options |= {"pid_mode": f"container:{spec.processes_of}"}
        return options | privileges(spec)

    def _feed(self, identity: str, data: bytes) -> None:
        stream = self.client.api.attach_socket(identity, params={"stdin": 1, "stream": 1})
        try:
            getattr(stream, "_sock", stream).sendall(data)
        finally:
            close_stream(stream)

    def start(self, identity: str) -> None:
        """Start a stopped container again."""
        with translate("A container could not be started again"):
            self.client.api.start(identity)

    def stop(self, identity: str, seconds: int = 20) -> None:
        """Ask it to stop, and kill it after ``seconds``; harmless when it is gone."""
        with ignore_missing(), translate("A container could not be stopped"):
            # The answer comes when it has stopped, so the client has to wait longer than that.
            self.client.containers.get(identity).stop(timeout=seconds)

    def kill(self, identity: str) -> None:
        """Kill it with SIGKILL and wait until it is dead; harmless when it already is."""
        with ignore_missing(), translate("A container could not be killed"):
            try:
                self.client.api.kill(identity, "SIGKILL")
            except APIError as error:
                if error.status_code != 409:  # not running
                    raise
            self.client.api.wait(identity)

    def wait(self, identity: str) -> int:
        """Wait until it has ended, and return its exit code."""
        with translate("A container could not be waited for"):
            return int(self.client.api.wait(identity)["StatusCode"])

    def pause(self, identity: str) -> None:
        """Freeze its processes; harmless when they are frozen."""
        with translate("A container could not be paused"):
            for attempt in range(_FREEZES):
                if self.state(identity).status == "paused":
                    return
                try:
                    self.client.api.pause(identity)
                except APIError as error:
                    if _BUSY not in str(error) or attempt + 1 == _FREEZES:
                        raise

    def unpause(self, identity: str) -> None:
        """Let its processes go on; harmless when they do, or it is gone."""
        with translate("A container could not go on"):
            if self.state(identity).status == "paused":
                self.client.api.unpause(identity)

    def remove(self, identity: str) -> None:
        """Kill and remove it with its anonymous volumes; harmless when it is gone."""
        with ignore_missing(), translate("A container could not be removed"):
            try:
                EngineContainer.get(self.client, identity).stop()
            except APIError as error:
                if "already in progress" not in str(error):
                    raise

    def state(self, identity: str) -> ContainerState:
        """Return its state; an empty ``identity`` is that of a container that was never made."""
        if not identity:
            return ContainerState("missing")
        with translate("A container could not be inspected"):
            try:
                state = self.client.api.inspect_container(identity)["State"]
            except NotFound:
                return ContainerState("missing")
        return ContainerState(state["Status"], state["ExitCode"])

    def logs(
        self, identity: str, tail: int | None = None, follow: bool = False, since: float = 0.0
    ) -> Iterator[bytes]:
        """Yield its output since a time, in seconds since 1970; with ``follow``, until it stops."""
        with translate("The logs could not be read"):
            yield from self.client.api.logs(
                identity,
                stream=True,
                follow=follow,
                tail="all" if tail is None else tail,
                since=since or None,
            )

    def timed_lines(self, identity: str, since: int) -> Iterator[tuple[int, str]]:
        """Yield the lines of its output after ``since``, with times in nanoseconds since 1970."""
        with translate("The logs could not be read"):
            content = self.client.api.logs(
                identity, timestamps=True, since=max(since / 1e9 - 1, 0.001)
            )
        for line in content.decode(errors="replace").splitlines():
            stamp, _, text = line.partition(" ")
            if (at := _nanoseconds(stamp)) > since:
                yield at, text

    def last_words(self, identity: str, lines: int = 5) -> str:
        """Return the end of its output on one line, for an error message."""
        try:
            text = b"".join(self.logs(identity, tail=lines)).decode(errors="replace")
        except ContainerFailed:
            return ""
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())

    def execute(self, identity: str, argv: Sequence[str], user: str = "") -> tuple[int, bytes]:
        """Run a command in it and return the exit code and the output."""
        with translate(f"`{argv[0]}` could not be run in a container"):
            api = self.client.api
            command = api.exec_create(identity, list(argv), user=user)["Id"]
            output: bytes = api.exec_start(command)
            return self._exit_code(command, argv[0]), output

    def output(
        self, identity: str, argv: Sequence[str], accepted: Sequence[int] = (0,)
    ) -> Iterator[bytes]:
        """Run a command in it as root, and yield its standard output in chunks.

        Raises ``ContainerFailed`` at the end unless its exit code is ``accepted``: what was yielded
        is not all of it then.
        """
        with translate(f"`{argv[0]}` could not be run in a container"):
            api = self.client.api
            command = api.exec_create(identity, list(argv), user="root", stderr=False)["Id"]
            yield from api.exec_start(command, stream=True)
            code = self._exit_code(command, argv[0])
        if code not in accepted:
            raise ContainerFailed(f"`{argv[0]}` failed in a container (exit {code}).")

    def _exit_code(self, command: str, name: str) -> int:
        """Return the exit code of a command whose output has ended; a lost one is no success."""
        deadline = time.monotonic() + _EXIT_KNOWN_WITHIN
        while (code := self.client.api.exec_inspect(command)["ExitCode"]) is None:
            if time.monotonic() > deadline:
                raise ContainerFailed(f"The engine does not say how `{name}` ended in a container.")
            time.sleep(0.05)
        return int(code)

    def archive(self, identity: str, path: str) -> Iterator[bytes]:
        """Yield everything under ``path`` as a tar stream, as it is outside the container.

        So of a volume it is the raw content, and not what the container has mounted over it.
        """
        with translate(f"{path} could not be read"):
            stream, _ = self.client.api.get_archive(identity, path)
            yield from stream

    def inspect(self, identity: str) -> dict[str, Any]:
        """Return the engine's whole description of it."""
        with translate("A container could not be inspected"):
            return dict(self.client.api.inspect_container(identity))

    def find(self, role: str = "") -> list[dict[str, str]]:
        """Return the instance's containers: id, name, role, status."""
        with translate("The containers could not be listed"):
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

    def others(self) -> list[str]:
        """Return the names of the running containers that are not the instance's."""
        with translate("The containers could not be listed"):
            rows = self.client.api.containers()
        return sorted(
            row["Names"][0].lstrip("/") for row in rows if row["Labels"].get(LABEL) != self.instance
        )

    def create_volume(self, name: str) -> None:
        """Create a volume under the instance's label."""
        with translate(f"The volume {name} could not be created"):
            self.client.volumes.create(name, labels=self._labels)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; harmless when it is gone."""
        with ignore_missing(), translate(f"The volume {name} could not be removed"):
            self.client.api.remove_volume(name, force=True)

    def has_volume(self, name: str) -> bool:
        """Return whether the volume exists."""
        with translate(f"The volume {name} could not be inspected"):
            try:
                self.client.api.inspect_volume(name)
            except NotFound:
                return False
        return True

    def volumes(self) -> list[str]:
        """Return the names of the instance's volumes."""
        with translate("The volumes could not be listed"):
            rows = self.client.api.volumes(filters=self._filter)["Volumes"]
        return [row["Name"] for row in rows or []]

    def purge(self) -> dict[str, int]:
        """Remove everything under the instance's label, and count what was there."""
        self._networks.clear()
        return purge(self.client, self.instance)

    @property
    def network(self) -> str:
        """The name of the instance's network, which its containers make on first use."""
        return f"testbed-{self.instance}"

    def _network(self, suffix: str = "") -> str:
        """Return the name of the instance's network; create it on first use."""
        name = f"{self.network}{suffix}"
        with self._network_lock, translate("The network could not be created"):
            if name not in self._networks and not self._has_network(name):
                try:
                    EngineNetwork(self.client, name, self._labels).create()
                except APIError as error:
                    if error.status_code != 409:  # another process was faster
                        raise
            self._networks.add(name)
        return name

    def _has_network(self, name: str) -> bool:
        networks = self.client.networks.list(filters=self._filter)
        return any(network.name == name for network in networks)


def privileges(spec: ContainerSpec) -> dict[str, Any]:
    """Return what a container may do, in the words of the SDK and of Compose files."""
    if spec.mounts:
        return {
            **_MOUNTING[spec.mounts],
            "cap_add": ["SYS_ADMIN"],
            "security_opt": ["apparmor=unconfined"],
        }
    if spec.processes_of:  # AppArmor lets processes under its profile trace none without one
        return {
            "cap_drop": ["ALL"],
            "cap_add": ["SYS_PTRACE"],
            "security_opt": ["apparmor=unconfined", "no-new-privileges"],
        }
    return {
        "cap_drop": ["ALL"],
        "cap_add": list(spec.capabilities),
        "security_opt": ["no-new-privileges"],
    }


def _published(ports: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return ``ports`` as the SDK takes them: one of the container's may have several of ours."""
    published: dict[str, Any] = {}
    for outside, inside in ports:
        published.setdefault(f"{inside}/tcp", []).append((LOOPBACK, outside))
    return published


def _nanoseconds(stamp: str) -> int:
    """Return the time of a timestamp such as ``2026-11-29T10:00:00.123456789Z``; 0 for another."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    try:
        seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
        return seconds * 10**9 + int(fraction.ljust(9, "0")[:9])
    except ValueError:
        return 0
