"""Faults at work: stored before they are injected, and undone by whoever comes next."""

import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import msgspec
import psutil

from testbed.broker.model import Broker
from testbed.errors import (
    ClientError,
    ContainerFailed,
    Interrupted,
    NotFoundException,
    TestbedError,
    VolumeRefused,
)
from testbed.faults import all as registry
from testbed.faults import helper
from testbed.faults.base import Fault, Record, Target, parse
from testbed.library import MqBroker
from testbed.state import holds
from testbed.state.clock import steady_time
from testbed.state.locks import hold_lock
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

ALL_NODES = "all"
_LOCK = "faults"
_SERVES_WITHIN = 180.0  # seconds
_PROGRESS_EVERY = 5.0  # seconds
_SAME_START = 60.0  # seconds by which a clock may be set between two looks at one process
_GRACE = 30.0  # seconds that a process has to undo its own fault after the deadline


@dataclass(frozen=True)
class Stored:
    """A fault as it is stored. ``deadline`` is by ``steady_time``; 0 for none."""

    id: str
    fault: str
    broker_id: str
    nodes: tuple[str, ...]
    holds: tuple[str, ...]
    record: Record
    pid: int = field(default_factory=os.getpid)
    started: float = field(default_factory=lambda: psutil.Process().create_time())
    deadline: float = 0.0

    @property
    def is_abandoned(self) -> bool:
        """Whether its process has ended, or is late."""
        if self.deadline and steady_time() > self.deadline + _GRACE:
            return True
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > _SAME_START or (
                process.status() == psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return True


class Injection:
    """A fault that was injected; a ``with`` block undoes it at its end."""

    def __init__(self, faults: "Faults", stored: Stored) -> None:
        self._faults, self._stored = faults, stored

    @property
    def fault(self) -> str:
        """The fault's name."""
        return self._stored.fault

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes that it hit."""
        return self._stored.nodes

    @property
    def description(self) -> str:
        """What was done, in a sentence."""
        return registry.find(self._stored.fault).describe(self._stored.record)

    @property
    def is_undone(self) -> bool:
        """Whether it was undone, by whatever process."""
        return self._faults.is_undone(self._stored.id)

    def undo(self) -> None:
        """Undo it, and wait until the broker serves; harmless when it is undone."""
        self._faults.undo(self._stored.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()


class Faults:
    """The faults of one testbed: ``faults.pause(broker)`` injects the one of that name.

    Each is a method, hyphens become underscores, and takes what ``inject`` takes. As a context
    manager it undoes at the end what it has injected.
    """

    def __init__(self, testbed: Testbed) -> None:
        self._testbed, self._state = testbed, testbed.state
        self._injected = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._injected.close()

    def __getattr__(self, name: str) -> Callable[..., Injection]:
        fault = registry.FAULTS.get(name.replace("_", "-"))
        if fault is None:
            names = ", ".join(registry.FAULTS)
            raise AttributeError(f"There is no fault {name!r}; there are {names}.")
        chosen = fault.name

        def inject(broker: MqBroker | str = "", **options: Any) -> Injection:
            return self.inject(chosen, broker, **options)

        return inject

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name.replace("-", "_") for name in registry.FAULTS)]

    def inject(
        self,
        name: str,
        broker: MqBroker | str = "",
        *,
        node: str = "",
        hold: bool = True,
        seconds: float = 0.0,
        **parameters: str,
    ) -> Injection:
        """Inject the fault ``name`` into a node of ``broker``, and return at once.

        ``node`` is a node's name or ``all``; by default it is the first, and of an active/standby
        broker the active one. What a fault hits is left alone by maintenance until it is undone;
        with ``hold=False`` a fault that is over at once leaves the rest to maintenance. After
        ``seconds`` whoever comes next may undo it. Raises ``TestbedError`` for an unknown fault,
        broker, node or parameter, and for a fault that does not apply.
        """
        fault = registry.find(name)
        target = self._target(fault, broker, node)
        if refusal := fault.refusal(target):
            raise TestbedError(f"{fault.name} does not apply to {target.subject}: {refusal}")
        stored = Stored(
            id=secrets.token_hex(4),
            fault=fault.name,
            broker_id=target.broker.broker_id if target.broker else "",
            nodes=tuple(node.name for node in target.nodes),
            holds=tuple(fault.holds(target)) if hold or fault.lasts else (),
            record=fault.plan(target, parse(fault, parameters)),
            deadline=steady_time() + seconds if seconds else 0.0,
        )
        self._put(stored)
        self._injected.callback(self.undo, stored.id)
        try:
            fault.inject(target, stored.record)
        except BaseException:
            try:
                self.undo(stored.id)
            except TestbedError as error:  # whoever comes next tries again
                logger.warning("%s is not undone: %s", fault.name, error)
            raise
        if fault.releases:
            stored = replace(stored, holds=())
        # With what the injection has added to the record.
        if not self._state.update(holds.KIND, stored.id, lambda _: msgspec.to_builtins(stored)):
            # Another process undid it meanwhile, perhaps before it was done.
            self._put(stored)
            self.undo(stored.id)
        if not hold and not fault.lasts:
            self._state.delete(holds.KIND, stored.id)
        return Injection(self, stored)

    def active(self) -> tuple[Stored, ...]:
        """Return the faults that are not undone, of whatever process."""
        return tuple(msgspec.convert(row, Stored) for row in self._state.all(holds.KIND))

    def is_undone(self, identity: str) -> bool:
        """Return whether the fault was undone."""
        return self._state.get(holds.KIND, identity) is None

    def undo(self, identity: str) -> None:
        """Undo a fault, and wait until its broker serves; harmless when it is undone.

        Raises ``VolumeRefused`` when the fault is undone, but a node does not come back because of
        its key.
        """
        with hold_lock(self._state.folder, _LOCK, self._testbed.services.stopping):
            document = self._state.get(holds.KIND, identity)
            if document is None:
                return
            stored = msgspec.convert(document, Stored)
            fault, broker = registry.find(stored.fault), self._broker(stored)
            # Of a broker that was deleted in the meantime, what outlives it: its key.
            nodes = tuple(n for n in (broker.nodes if broker else ()) if n.name in stored.nodes)
            target = Target(self._testbed, broker, nodes)
            if fault.releases and broker:
                self._put(replace(stored, holds=tuple(fault.holds(target))))
            fault.undo(target, stored.record)
            self._put(replace(stored, holds=()))  # its nodes may start again
            every = self._testbed.brokers.peek_all() if fault.of == "engine" else ()
            refused: VolumeRefused | None = None
            for hit in (broker,) if broker else every:
                try:
                    self._bring_back(hit)
                except NotFoundException:  # deleted in the meantime
                    continue
                except VolumeRefused as error:  # because of its key, not of this fault
                    refused = error
            self._state.delete(holds.KIND, identity)
            if not self.active():
                helper.sweep(self._testbed)
            if refused:
                raise refused

    def undo_all(self, *, abandoned: bool = False) -> list[str]:
        """Undo all faults, the latest first, and return what each had done.

        ``abandoned``: only those whose process has ended without undoing them. When all have been
        tried, raises the error of the first that could not be undone, or else ``VolumeRefused`` as
        ``undo`` does.
        """
        undone: list[str] = []
        errors: list[TestbedError] = []
        for stored in reversed(self.active()):
            if stored.is_abandoned or not abandoned:
                description = Injection(self, stored).description
                logger.info("undoing a fault: %s", description)
                try:
                    self.undo(stored.id)
                except Interrupted:
                    raise
                except TestbedError as error:
                    errors.append(error)
                else:
                    undone.append(description)
        if errors:
            raise min(errors, key=lambda error: isinstance(error, VolumeRefused))
        return undone

    def _target(self, fault: Fault, broker: MqBroker | str, node: str) -> Target:
        if fault.of in ("kms", "testbed", "engine"):
            return Target(self._testbed)
        known = self._known(broker)
        if fault.of == "broker" or node == ALL_NODES:
            return Target(self._testbed, known, known.nodes)
        if not node:
            first = self._testbed.brokers.active(known.broker_id) if known.standby else None
            return Target(self._testbed, known, (first or known.nodes[0],))
        nodes = tuple(candidate for candidate in known.nodes if candidate.name == node)
        if not nodes:
            names = ", ".join(node.name for node in known.nodes)
            raise TestbedError(
                f"The broker {known.broker_name} has no node {node!r}.",
                hint=f"Its nodes are {names}; `{ALL_NODES}` means every one.",
            )
        return Target(self._testbed, known, nodes)

    def _known(self, broker: MqBroker | str) -> Broker:
        try:
            return self._testbed.brokers.peek(
                broker if isinstance(broker, str) else broker.broker_id
            )
        except NotFoundException as error:
            names = [known.broker_name for known in self._testbed.brokers.peek_all()]
            raise TestbedError(
                f"There is no broker {broker!r}." if broker else "The fault needs a broker.",
                hint=f"There are: {', '.join(names)}." if names else "`testbed up` creates some.",
            ) from error

    def _broker(self, stored: Stored) -> Broker | None:
        try:
            return self._testbed.brokers.peek(stored.broker_id) if stored.broker_id else None
        except NotFoundException:  # deleted in the meantime
            return None

    def _bring_back(self, broker: Broker) -> None:
        """Start the nodes that do not run, and wait until clients can log in."""
        brokers, stopping = self._testbed.brokers, self._testbed.services.stopping
        brokers.upkeep.revive(broker.broker_id)
        start = reported = time.monotonic()
        while True:
            try:
                brokers.log_in(broker.broker_id)
            except ClientError as error:
                reason = error
            else:
                return
            now = time.monotonic()
            if now - start > _SERVES_WITHIN:
                raise ContainerFailed(
                    f"{broker.broker_name} does not serve {now - start:.0f} s after a fault was "
                    f"undone: {reason}",
                    hint="`testbed logs` shows why; `testbed reboot` starts its nodes anew.",
                ) from reason
            if now - reported > _PROGRESS_EVERY:
                reported = now
                logger.info("%s: recovering, %.0f s (%s)", broker.broker_name, now - start, reason)
            if stopping.wait(0.2):
                raise Interrupted(f"The recovery of {broker.broker_name} was interrupted.")

    def _put(self, stored: Stored) -> None:
        self._state.put(holds.KIND, stored.id, msgspec.to_builtins(stored))
