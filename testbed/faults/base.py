"""What a fault is, and what it is aimed at."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from testbed.broker.model import Broker, Node
from testbed.errors import TestbedError
from testbed.state import holds
from testbed.testbed import Testbed

# What a fault did and what undoing it needs, as JSON values.
Record = dict[str, Any]
# Of parameters, by name, parsed.
Options = Mapping[str, Any]

_DURATION = re.compile(r"(\d{1,12}(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"(\d{1,12}(?:\.\d+)?)([kM])?B?(?:/s)?")
_SIZE = re.compile(r"(\d{1,12}(?:\.\d+)?)([kMG])?B?")
_PERCENT = re.compile(r"(\d{1,12}(?:\.\d+)?)%?")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a fault. ``parse`` raises ``ValueError``, whose text says what is accepted."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Target:
    """What a fault is aimed at: nodes of a broker; no broker for a fault of KMS or the testbed."""

    testbed: Testbed
    broker: Broker | None = None
    nodes: tuple[Node, ...] = ()

    @property
    def subject(self) -> str:
        """The target in words, such as ``node 1 of orders``."""
        if self.broker is None:
            return "the testbed"
        if len(self.broker.nodes) == 1:
            return self.broker.broker_name
        names = ", ".join(node.name for node in self.nodes)
        return f"{'nodes' if self.nodes[1:] else 'node'} {names} of {self.broker.broker_name}"


class Fault(ABC):
    """One fault. Objects have no state: what happened is in the record.

    A fault that is over at once (``lasts`` is false) leaves a broker to maintenance, unless it
    is asked to hold what it hit. One that ``releases`` holds it only until it is injected.
    """

    name: ClassVar[str]
    summary: ClassVar[str]  # what it does here
    in_aws: ClassVar[str]  # what it stands for
    of: ClassVar[Literal["node", "broker", "kms", "testbed", "engine"]] = "node"
    lasts: ClassVar[bool] = True
    releases: ClassVar[bool] = False
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def refusal(self, target: Target) -> str:
        """Return in a sentence why the fault does not apply to ``target``, or nothing."""
        return ""

    def holds(self, target: Target) -> list[str]:
        """Return what maintenance has to leave alone; see ``testbed.state.holds``."""
        broker = target.broker
        if self.of != "node" or not broker:
            return []
        return [holds.node(broker.broker_id, node.name) for node in target.nodes]

    def plan(self, target: Target, options: Options) -> Record:
        """Return what ``inject`` will do and ``undo`` will need; change nothing."""
        return {"subject": target.subject}

    @abstractmethod
    def inject(self, target: Target, record: Record) -> None:
        """Do it. A process that ends meanwhile leaves ``record`` for ``undo``."""

    @abstractmethod
    def undo(self, target: Target, record: Record) -> None:
        """Undo it, however far ``inject`` came; harmless when it is undone.

        Nodes that do not run are started afterwards, and the broker is waited for.
        """

    @abstractmethod
    def describe(self, record: Record) -> str:
        """Say in one sentence what was done."""


def broker_of(target: Target) -> Broker:
    """Return the broker of a fault that has one. Raises ``ValueError``."""
    if target.broker is None:
        raise ValueError("a fault of a broker")
    return target.broker


def seconds(text: str) -> float:
    """Return the seconds of a duration such as ``200ms``, ``30s``, ``5m``, ``1h``, ``7d``."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError("a duration such as 200ms, 30s, 5m, 1h or 7d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def bytes_per_second(text: str) -> float:
    """Return the bytes a second of a rate such as ``64kB/s`` or ``1MB/s``; 0 for no limit."""
    match = _RATE.fullmatch(text.strip())
    if not match:
        raise ValueError("a rate such as 64kB/s or 1MB/s; 0 for no limit")
    return float(match[1]) * {"k": 1e3, "M": 1e6, None: 1.0}[match[2]]


def size(text: str) -> float:
    """Return the bytes of a size such as ``64kB`` or ``40MB``."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError("a size such as 64kB, 40MB or 2GB")
    return float(match[1]) * {"k": 1e3, "M": 1e6, "G": 1e9, None: 1.0}[match[2]]


def share(text: str) -> float:
    """Return the part of one that a percentage such as ``10%`` is."""
    match = _PERCENT.fullmatch(text.strip())
    if not match or not 0 <= float(match[1]) <= 100:
        raise ValueError("a percentage from 0% to 100%")
    return float(match[1]) / 100


def parse(fault: Fault, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of all parameters. Raises ``TestbedError`` for one that makes no sense."""
    known = {parameter.name: parameter for parameter in fault.parameters}
    for name in given:
        if name not in known:
            raise TestbedError(
                f"The fault {fault.name} has no parameter {name!r}.",
                hint=f"It has: {', '.join(known)}." if known else "It has none.",
            )
    values = {}
    for parameter in fault.parameters:
        text = given.get(parameter.name, parameter.default)
        try:
            values[parameter.name] = parameter.parse(text)
        except ValueError as error:
            raise TestbedError(f"{parameter.name}={text!r} is not {error}.") from error
    return values


def duration(text: str) -> float:
    """Return the seconds of ``text``. Raises ``TestbedError`` unless it is a time above 0."""
    try:
        value = seconds(text)
    except ValueError as error:
        raise TestbedError(f"{text!r} is not {error}.") from error
    if not 0 < value < math.inf:
        raise TestbedError(
            f"{text!r} is not a usable duration.", hint="A fault lasts more than 0 seconds."
        )
    return value
