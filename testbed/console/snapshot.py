"""What the console shows, as it is stored: reading it is recorded nowhere, and no secret is in it.

KMS is asked for aliases, behind what records calls, and the container engine which containers run.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from testbed.broker.describe import pending_change
from testbed.broker.model import Broker
from testbed.console import impact, last_run
from testbed.console.aliases import aliases as aliases_of
from testbed.console.last_run import LastRun
from testbed.console.trail_lines import TrailLine, fold
from testbed.errors import TestbedError
from testbed.graph import Chain
from testbed.kms.base import SERVICE_ACCOUNT, Kms
from testbed.kms.grant import Grant
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.relations import chains
from testbed.testbed import Testbed
from testbed.trail.filters import by_service
from testbed.trail.lookup import recent

LINES, RECORDS = 40, 1000  # of the trail: how many lines are shown, of how many records
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class NodeView:
    """A node, the state of its container, and why it does not come back."""

    name: str
    container: str
    volume: str
    failure: str


@dataclass(frozen=True)
class BrokerView:
    """A broker. ``own`` is whether it is in the account that the console acts for."""

    id: str
    name: str
    arn: str
    region: str
    state: str
    engine: str
    mode: str
    storage: str
    key: str
    nodes: tuple[NodeView, ...]
    pending: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]
    urls: tuple[str, ...]
    own: bool


@dataclass(frozen=True)
class GrantView:
    """A grant on a key. ``ends`` is when it stops being in effect, if it was ended."""

    id: str
    grantee: str
    operations: str
    ends: str


@dataclass(frozen=True)
class KeyView:
    """A key. ``state`` is what DescribeKey says; ``note`` is what is still to happen.

    ``own`` is whether the account that the console acts for manages it.
    """

    id: str
    aliases: tuple[str, ...]
    arn: str
    region: str
    owner: str
    spec: str
    state: str
    usable: bool
    note: str
    breaks: tuple[str, ...]
    grants: tuple[GrantView, ...]
    own: bool


@dataclass(frozen=True)
class Snapshot:
    """A testbed at one moment. ``trail`` is what users did, ``all_trail`` what services did too.

    ``benchmarked`` is when the last benchmark's page was written, empty without one.
    """

    region: str
    kms: str
    brokers: tuple[BrokerView, ...]
    keys: tuple[KeyView, ...]
    chains: tuple[Chain, ...]
    trail: tuple[TrailLine, ...]
    all_trail: tuple[TrailLine, ...]
    run: LastRun | None
    benchmarked: str


def take(testbed: Testbed, ledger: Ledger, localstack: Kms) -> Snapshot:
    """Return what there is; ``localstack`` has the aliases. Raises ``StateBroken``."""
    now = testbed.clock.now()
    brokers, keys = testbed.brokers.peek_all(), ledger.keys()
    aliases = aliases_of(localstack, keys)
    grants = {key.arn: ledger.grants(key=key.arn) for key in keys}
    kms, statuses = _containers(testbed)
    account = testbed.user.account
    records = recent(testbed.trail, account, RECORDS)
    benchmarked = last_run.benchmarked(testbed.state.folder)
    names = {broker.broker_id: broker.broker_name for broker in brokers}
    return Snapshot(
        region=testbed.region,
        kms=kms,
        brokers=tuple(_broker(broker, statuses, account) for broker in brokers),
        keys=tuple(
            _key(
                key,
                aliases.get(key.arn, ()),
                [broker for broker in brokers if broker.key_arn == key.arn],
                grants[key.arn],
                now=now,
                account=account,
            )
            for key in keys
        ),
        chains=tuple(chains(keys, aliases, grants, brokers, now=now, running=_running(statuses))),
        trail=fold((record for record in records if not by_service(record)), names, LINES),
        all_trail=fold(records, names, LINES),
        run=last_run.read(testbed.state.folder),
        benchmarked="" if benchmarked is None else _time(benchmarked),
    )


def _containers(testbed: Testbed) -> tuple[str, Mapping[str, str] | None]:
    """Return the state of KMS's container, and those of all; None if the engine is silent."""
    try:
        rows = testbed.containers.find()
    except TestbedError:
        return _UNKNOWN, None
    kms = next((row["status"] for row in rows if row["role"] == "kms"), "missing")
    return kms, {row["id"]: row["status"] for row in rows}


def _running(statuses: Mapping[str, str] | None) -> set[str] | None:
    if statuses is None:
        return None
    return {container for container, status in statuses.items() if status == "running"}


def _broker(broker: Broker, statuses: Mapping[str, str] | None, account: str) -> BrokerView:
    nodes = (
        NodeView(
            node.name,
            _UNKNOWN if statuses is None else statuses.get(node.container_id, "missing"),
            node.volume.volume_id,
            node.failure.reason if node.failure else "",
        )
        for node in broker.nodes
    )
    actions = ((a.action_required_code, a.action_required_info) for a in broker.actions_required)
    return BrokerView(
        id=broker.broker_id,
        name=broker.broker_name,
        arn=broker.arn,
        region=broker.region,
        state=broker.broker_state,
        engine=f"{broker.engine_type} {broker.runs}",
        mode=broker.deployment_mode,
        storage=broker.storage_type,
        key=broker.key_arn,
        nodes=tuple(nodes),
        pending=tuple(_pending(broker)),
        actions=tuple(actions),
        urls=tuple(endpoint.url for endpoint in broker.endpoints if endpoint.tls),
        own=broker.account == account,
    )


def _pending(broker: Broker) -> Iterator[str]:
    """Yield what the broker gets at its next reboot, passwords left out."""
    pending = broker.pending
    if pending.engine_version:
        yield f"engine version {pending.engine_version}"
    if pending.configuration:
        yield f"configuration {pending.configuration.id}, revision {pending.configuration.revision}"
    current = {user.username: user for user in broker.users}
    wanted = {user.username: user for user in broker.pending_users}
    for username in sorted({*current, *wanted}):
        if change := pending_change(current.get(username), wanted.get(username)):
            yield f"{change.lower()} user {username}"
    for name, value in pending.settings.items():
        yield f"{name} {value if isinstance(value, str) else json.dumps(value)}"


def _key(
    key: Key,
    aliases: tuple[str, ...],
    brokers: list[Broker],
    grants: list[Grant],
    *,
    now: float,
    account: str,
) -> KeyView:
    managed = key.managed_by.partition(".")[0]
    if key.account == SERVICE_ACCOUNT:
        owner = "AWS owned"
    else:
        owner = f"AWS managed (aws/{managed})" if managed else "customer managed"
    return KeyView(
        id=key.key_id,
        aliases=aliases,
        arn=key.arn,
        region=key.region,
        owner=owner,
        spec=key.spec,
        state=key.state,
        usable=key.usable(now),
        note="; ".join(_notes(key, now)),
        breaks=impact.of(brokers),
        grants=tuple(map(_grant, grants)),
        own=key.account == account and not managed,
    )


def _notes(key: Key, now: float) -> Iterator[str]:
    if key.unusable is not None and key.usable(now):
        yield f"still usable until {_time(key.unusable)}"
    if key.deletion is not None:
        yield f"deleted at {_time(key.deletion)}"


def _grant(grant: Grant) -> GrantView:
    ends = "" if grant.ends is None else _time(grant.ends)
    return GrantView(grant.grant_id, grant.grantee, ", ".join(grant.operations), ends)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
