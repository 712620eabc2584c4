"""What comes out of a campaign, as frozen data, and as one JSON document."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec

from testbed.campaign.plan import TOPOLOGIES, Round
from testbed.checker import Account
from testbed.errors import TestbedError
from testbed.timeline import Rate

KIND = "amazonmq-testbed campaign"
SCHEMA = 1  # goes up with every incompatible change of the document


@dataclass(frozen=True)
class State:
    """``BrokerState`` of the broker that is hit, and how many of its nodes ran, from ``at`` on."""

    at: float
    broker_state: str
    running: int
    nodes: int


@dataclass(frozen=True)
class Played:
    """One round. Times are in seconds from its beginning.

    The fault lasted from ``injected`` to ``ended``; one that is over at once ended when it was
    injected. ``recovery`` is from then until every stream had a message confirmed again, and None
    if one never had; ``pause`` is the longest time without a confirmation on any stream.
    ``description`` is what was done. ``error`` is what kept the round from its end.
    """

    round: Round
    description: str
    seconds: float
    injected: float
    ended: float
    recovery: float | None
    pause: float
    account: Account | None
    rates: tuple[Rate, ...]
    states: tuple[State, ...]
    history: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it came out as it has to: nothing lost, or something, if it is a control."""
        if self.error or self.account is None:
            return False
        if self.round.control:
            return bool(self.account.lost) and not self.account.unexpected
        return self.account.ok and self.recovery is not None


@dataclass(frozen=True)
class Row:
    """Several rounds added up. Times are in seconds, None if there were none."""

    title: str
    rounds: int
    confirmed: int
    lost: int
    duplicated: int
    unexpected: int
    disordered: int
    failed: int  # rounds that are not ok
    median: float | None
    worst: float | None


def row(title: str, played: Iterable[Played]) -> Row:
    """Add rounds up."""
    rounds = list(played)
    accounts = [entry.account for entry in rounds if entry.account]
    recoveries = [entry.recovery for entry in rounds if entry.recovery is not None]
    return Row(
        title=title,
        rounds=len(rounds),
        confirmed=sum(account.confirmed for account in accounts),
        lost=sum(len(account.lost) for account in accounts),
        duplicated=sum(len(account.duplicated) for account in accounts),
        unexpected=sum(len(account.unexpected) for account in accounts),
        disordered=sum(len(account.disordered) for account in accounts),
        failed=sum(not entry.ok for entry in rounds),
        median=median(recoveries) if recoveries else None,
        worst=max(recoveries, default=None),
    )


@dataclass(frozen=True)
class Campaign:
    """A whole campaign. ``environment`` names versions and the machine.

    ``broken_off`` is what ended it before its last round.
    """

    started: datetime
    seconds: float
    command: str
    seed: int
    environment: dict[str, str]
    played: tuple[Played, ...]
    broken_off: str = ""

    @property
    def rounds_ok(self) -> bool:
        """Whether every round came out as it has to, and there was one."""
        return bool(self.played) and all(entry.ok for entry in self.played)

    @property
    def ok(self) -> bool:
        """Whether it went to its end, and every round came out as it has to."""
        return self.rounds_ok and not self.broken_off

    def rows(self) -> list[tuple[str, list[Row]]]:
        """Return for each topology a row for each fault, in the order of first appearance."""
        return [
            (topology, [row(fault, group) for fault, group in _grouped(rounds, _fault)])
            for topology, rounds in _grouped(self.played, lambda entry: entry.round.topology)
        ]

    def total(self) -> Row:
        """Return all rounds but the controls, added up."""
        return row("all", (entry for entry in self.played if not entry.round.control))


def _fault(played: Played) -> str:
    control = played.round.control
    return f"{played.round.fault}, control: {control}" if control else played.round.fault


def _grouped(
    played: Iterable[Played], key: Callable[[Played], str]
) -> list[tuple[str, list[Played]]]:
    groups: dict[str, list[Played]] = {}
    for entry in played:
        groups.setdefault(key(entry), []).append(entry)
    return list(groups.items())


@dataclass(frozen=True)
class _Header:
    kind: str = ""
    schema: int = 0


def encode(campaign: Campaign) -> str:
    """Return the document."""
    document = {"schema": SCHEMA, "kind": KIND, **msgspec.to_builtins(campaign)}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def read(paths: Sequence[Path]) -> Campaign:
    """Read documents that ``encode`` returned, and put their rounds together.

    ``seed`` is the first one's; the commands have all. Raises ``TestbedError`` for anything else.
    """
    campaigns = [_read(path) for path in paths]
    first = campaigns[0]
    return Campaign(
        started=min(campaign.started for campaign in campaigns),
        seconds=sum(campaign.seconds for campaign in campaigns),
        command="; ".join(dict.fromkeys(campaign.command for campaign in campaigns)),
        seed=first.seed,
        environment=_together([campaign.environment for campaign in campaigns]),
        played=tuple(entry for campaign in campaigns for entry in campaign.played),
        broken_off=" ".join(filter(None, (campaign.broken_off for campaign in campaigns))),
    )


def _together(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return all values of each fact: the campaigns may be from different machines."""
    names = dict.fromkeys(name for facts in environments for name in facts)
    return {
        name: "; ".join(dict.fromkeys(facts[name] for facts in environments if name in facts))
        for name in names
    }


def _read(path: Path) -> Campaign:
    try:
        content = path.read_bytes()
        header = msgspec.json.decode(content, type=_Header)
        if (header.kind, header.schema) != (KIND, SCHEMA):
            raise TestbedError(f"{path} is not a campaign's result of schema {SCHEMA}.")
        campaign = msgspec.json.decode(content, type=Campaign)
    except (OSError, msgspec.MsgspecError) as error:
        raise TestbedError(f"{path} cannot be read as a campaign's result: {error}.") from error
    for entry in campaign.played:
        if entry.round.topology not in TOPOLOGIES:
            raise TestbedError(f"{path} is of an unknown topology, {entry.round.topology!r}.")
    return campaign
