"""What a benchmark runs: the workload (what is sent) by the driver (how).

A workload file says nothing of brokers or clients, so each workload runs with every driver.
"""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from testbed import clients
from testbed.bench.target import Encryption, one_of
from testbed.documented.engines import DEPLOYMENT_MODES, ENGINE_TYPES
from testbed.documented.listeners import LISTENERS
from testbed.errors import TestbedError

WORKLOADS = Path(__file__).parent / "workloads"
DRIVERS = Path(__file__).parent / "drivers"
PATTERNS = ("queue", "fan-out", "request-reply", "connect")
CONFIRMATIONS = ("each", "window", "transaction")
GENERATORS = ("fast", "client")
ROUTES = ("direct", "published", "inside")
MOST_IN_TURNS = 2  # messages in flight on a side that takes turns
LEAST_SIZE = 24  # bytes of a message: what it says about itself, see ``load.accounting.HEADER``
_MOST_SIZE = 64 * 2**20
_LEAST_TURN = 0.02
# Of each engine's protocols, those that there is a client for.
_PROTOCOLS = {
    engine: tuple(
        protocol
        for listener in listeners
        for protocol in listener.protocols
        if protocol in clients.PROTOCOLS
    )
    for engine, listeners in LISTENERS.items()
}
_FAST = ("amqp", "openwire")

T = TypeVar("T")


@dataclass(frozen=True)
class Workload:
    """A workload. Times are in seconds, sizes in bytes.

    ``pattern``: ``queue`` (each message to one consumer), ``fan-out`` (each to all consumers),
    ``request-reply``, or ``connect`` (no messages: connect, log in, leave). ``confirmation``:
    ``each`` message before the next one, a ``window`` of messages in flight, or a ``transaction``
    of that many messages, with ``window`` of them in flight.

    ``rate`` is messages (requests, connections) a second of all producers together; 0 is as many
    as the window allows. With ``search`` it is where the search for the highest sustainable rate
    begins. ``payload`` is a file that fills bodies instead of noise; its path is relative to the
    workload's file. Measuring begins after ``warm_up``, lasts ``duration`` and is done ``rounds``
    times. With a ``turn`` the sides of a comparison take turns of that many seconds within each
    round, so that a disturbance longer than a turn touches all sides alike; it needs a workload in
    which one message waits for the other, see ``takes_turns``.
    """

    name: str
    title: str = ""
    pattern: str = "queue"
    producers: int = 1
    consumers: int = 1
    queues: int = 1
    size: int = 1024
    payload: str = ""
    persistent: bool = True
    confirmation: str = "window"
    window: int = 1000
    transaction: int = 100
    rate: float = 0.0
    search: bool = False
    warm_up: float = 2.0
    duration: float = 10.0
    rounds: int = 5
    turn: float = 0.0

    def __post_init__(self) -> None:
        one_of("pattern", self.pattern, PATTERNS)
        one_of("confirmation", self.confirmation, CONFIRMATIONS)
        for name, most in (
            ("producers", 1000),
            ("consumers", 1000),
            ("queues", 1000),
            ("window", 1_000_000),
            ("transaction", 100_000),
            ("rounds", 1000),
        ):
            _within(name, getattr(self, name), 1, most)
        _within("size", self.size, LEAST_SIZE, _MOST_SIZE)
        _within("rate", self.rate, 0, 10_000_000)
        _within("warm_up", self.warm_up, 0, 3600)
        _within("duration", self.duration, 0.1, 86400)
        if self.turn:
            _within("turn", self.turn, _LEAST_TURN, 3600)
            if self.confirmation != "each" and self.pattern != "connect":
                raise ValueError("turn needs confirmation each, or pattern connect")
        if self.search and not self.rate:
            raise ValueError("search needs a rate to begin with")
        if self.pattern == "queue" and self.queues > min(self.producers, self.consumers):
            raise ValueError(f"{self.queues} queues need as many producers and consumers")

    @property
    def heading(self) -> str:
        """The title, or the name of a workload without one."""
        return self.title or self.name

    @property
    def unit(self) -> str:
        """The unit of its throughput."""
        return "connections/s" if self.pattern == "connect" else "msg/s"

    @property
    def in_flight(self) -> int:
        """How many messages of all producers may be unconfirmed."""
        if self.confirmation == "each":
            return self.producers
        if self.confirmation == "transaction":
            return max(self.window, self.transaction)
        return self.window

    def content(self) -> bytes:
        """Return the payload file's bytes, none if bodies are noise. Raises ``TestbedError``."""
        if not self.payload:
            return b""
        try:
            content = Path(self.payload).read_bytes()
        except OSError as error:
            raise TestbedError(
                f"{self.payload}, the payload of {self.name}, cannot be read: {error.strerror}."
            ) from error
        if not content:
            raise TestbedError(f"{self.payload}, the payload of {self.name}, is empty.")
        return content

    def shortened(self, warm_up: float, duration: float, rounds: int) -> "Workload":
        """Return the workload with other times."""
        return replace(self, warm_up=warm_up, duration=duration, rounds=rounds)


@dataclass(frozen=True)
class Driver:
    """A driver: engine, protocol and client, and the connections that the client needs.

    ``generator``: ``fast`` writes prepared frames (AMQP 0-9-1 and OpenWire), ``client`` is the
    library that users have, one message at a time. ``connections`` is the number of connections
    for each producer of the workload; they share its window, with at least one message and at most
    ``pipeline`` messages on each (0 for no limit), and run in ``processes`` processes.

    ``route``: ``direct`` goes to the container's own address where this machine can reach it,
    ``published`` to the port on 127.0.0.1 through the engine's proxy, ``inside`` to the
    container's loopback. A consumer has ``prefetch`` messages in flight and acknowledges
    ``acknowledge`` of them at once.
    """

    name: str
    title: str = ""
    engine: str = "RABBITMQ"
    version: str = ""
    deployment: str = "SINGLE_INSTANCE"
    protocol: str = "amqp"
    generator: str = "fast"
    route: str = "direct"
    connections: int = 1
    pipeline: int = 0
    processes: int = 1
    queue_type: str = "quorum"
    prefetch: int = 1000
    acknowledge: int = 200

    def __post_init__(self) -> None:
        one_of("engine", self.engine, ENGINE_TYPES)
        one_of("deployment", self.deployment, DEPLOYMENT_MODES[self.engine])
        one_of("protocol", self.protocol, _PROTOCOLS[self.engine])
        one_of("generator", self.generator, GENERATORS)
        one_of("route", self.route, ROUTES)
        one_of("queue_type", self.queue_type, ("quorum", "classic"))
        if self.generator == "fast":
            one_of("protocol of a fast generator", self.protocol, _FAST)
        for name, most in (
            ("connections", 1000),
            ("processes", 64),
            ("prefetch", 100_000),
            ("acknowledge", 100_000),
        ):
            _within(name, getattr(self, name), 1, most)
        _within("pipeline", self.pipeline, 0, 1_000_000)
        if self.acknowledge > self.prefetch:
            raise ValueError(
                f"acknowledge should be at most {self.prefetch} (prefetch): "
                "the consumer would wait forever"
            )

    @property
    def heading(self) -> str:
        """The title, or the name of a driver without one."""
        return self.title or self.name


@dataclass(frozen=True)
class Case:
    """A workload by a driver, with these encryptions side by side.

    ``sweep`` measures at rising rates too. ``section`` is the title of the cost table's section
    that the case belongs to.
    """

    workload: Workload
    driver: Driver
    encryptions: tuple[Encryption, ...]
    sweep: bool = False
    section: str = ""


def producers(workload: Workload, driver: Driver) -> int:
    """Return how many connections send at once."""
    return workload.producers * (1 if workload.pattern == "connect" else driver.connections)


def takes_turns(workload: Workload, driver: Driver) -> bool:
    """Return whether sides take turns within a round.

    Not with a rate, which is kept throughout, nor over many connections: what they have in flight
    would reach into the other side's turn.
    """
    few = producers(workload, driver) <= MOST_IN_TURNS
    return workload.turn > 0 and not workload.rate and few


def load_workload(name: str) -> Workload:
    """Load a shipped workload by its name, or any by its path. Raises ``TestbedError``."""
    path = _find(name, WORKLOADS, "workload")
    workload = _read(path, Workload)
    if not workload.payload:
        return workload
    return replace(workload, payload=str(path.parent / workload.payload))


def load_driver(name: str) -> Driver:
    """Load a shipped driver by its name, or any by its path. Raises ``TestbedError``."""
    return _read(_find(name, DRIVERS, "driver"), Driver)


def _find(name: str, folder: Path, what: str) -> Path:
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise TestbedError(
            f"Unknown {what} {name!r}.",
            hint=f"Shipped: {shipped}. Your own is a path that ends in .toml.",
        )
    return path


def _read(path: Path, kind: type[T]) -> T:
    """Read a TOML file as a ``kind``, named after the file."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except OSError as error:
        raise TestbedError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TestbedError(f"{path} is not valid TOML: {error}.") from error
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # T is a dataclass
    for name in values:  # msgspec ignores unknown fields of a dataclass
        if name not in known:
            raise TestbedError(f"{path}: unknown field {name!r}; known are {', '.join(known)}.")
    try:
        return msgspec.convert({"name": path.stem, **values}, kind)
    except msgspec.ValidationError as error:
        raise TestbedError(f"{path}: {error}.") from error


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} should be from {least:.12g} to {most:.12g}, not {value!r}")
