"""What is sent: a workload file says nothing of brokers or clients, so that one can be run on all of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from testbed.bench.body import LEAST_SIZE
from testbed.bench.reading import one_of, read, within
from testbed.errors import TestbedError

FOLDER = Path(__file__).parent / "workloads"
PATTERNS = ("queue", "fan-out", "request-reply", "connect")
CONFIRMATIONS = ("each", "window", "transaction")
_MOST_SIZE = 64 * 2**20
_LEAST_TURN = 0.02


@dataclass(frozen=True)
class Workload:
    """A workload. Times are in seconds, sizes in bytes.

    ``pattern``: ``queue`` (each message to one of the consumers), ``fan-out`` (each to all), ``request-reply``,
    ``connect`` (no messages: connect, log in, leave). ``confirmation``: ``each`` message before the next one, a
    ``window`` of messages under way, or a ``transaction`` of so many, ``window`` of them under way.

    ``rate`` is messages (requests, connections) a second of all producers together; 0 is as many as the window allows;
    with ``search`` it is where the search for the highest sustainable rate begins. ``payload`` is a file of whose content
    bodies of ``size`` bytes are made, instead of noise; its path is relative to the workload's file. The measuring begins
    after ``warm_up`` and lasts ``duration``; ``rounds`` of it are made. With a ``turn`` the sides of a comparison take turns
    of so many seconds within each round, where one message waits for the other: what the machine does in longer than a
    turn then touches all sides alike. Not with a rate, nor over many connections; see ``rounds.takes_turns``.
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
            within(name, getattr(self, name), 1, most)
        within("size", self.size, LEAST_SIZE, _MOST_SIZE)
        within("rate", self.rate, 0, 10_000_000)
        within("warm_up", self.warm_up, 0, 3600)
        within("duration", self.duration, 0.1, 86400)
        if self.turn:
            within("turn", self.turn, _LEAST_TURN, 3600)
            if self.confirmation != "each" and self.pattern != "connect":
                raise ValueError(
                    "sides take turns where one message waits for the other: with confirmation each, or pattern connect"
                )
        if self.search and not self.rate:
            raise ValueError("search needs a rate to begin with")
        if self.pattern == "queue" and self.queues > min(self.producers, self.consumers):
            raise ValueError(f"{self.queues} queues need as many producers and consumers")

    @property
    def under_way(self) -> int:
        """How many messages may be without an answer, of all producers together."""
        if self.confirmation == "each":
            return self.producers
        return (
            max(self.window, self.transaction)
            if self.confirmation == "transaction"
            else self.window
        )

    def content(self) -> bytes:
        """Of the payload file; empty where bodies are noise. Raises ``TestbedError``."""
        if not self.payload:
            return b""
        try:
            content = Path(self.payload).read_bytes()
        except OSError as error:
            raise TestbedError(
                f"{self.payload}, of which {self.name} makes its messages, cannot be read: {error.strerror}."
            ) from error
        if not content:
            raise TestbedError(
                f"{self.payload}, of which {self.name} makes its messages, is empty."
            )
        return content

    def shortened(self, warm_up: float, duration: float, rounds: int) -> "Workload":
        """The same for less time."""
        return replace(self, warm_up=warm_up, duration=duration, rounds=rounds)


def load(name: str) -> Workload:
    """A shipped workload by its name, or any by its path. Raises ``TestbedError``."""
    path = find(name, FOLDER, "workload")
    made = read(path, Workload)
    return replace(made, payload=str(path.parent / made.payload)) if made.payload else made


def find(name: str, folder: Path, what: str) -> Path:
    """The file of ``name``: a path ending in ``.toml``, or a file of ``folder``."""
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(each.stem for each in folder.glob("*.toml")))
        raise TestbedError(
            f"There is no {what} {name!r}.",
            hint=f"There are {shipped}; your own is a path that ends in .toml.",
        )
    return path
