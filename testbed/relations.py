"""Which grant lets which service open which volume of which broker. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from testbed.arn import Arn
from testbed.broker.model import Broker
from testbed.documented.broker_states import IN_SERVICE
from testbed.graph import Chain, Item
from testbed.kms.grant import Grant
from testbed.kms.key import Key
from testbed.storage.volumes import Volume


def chains(
    keys: Iterable[Key],
    aliases: Mapping[str, tuple[str, ...]],
    grants: Mapping[str, Sequence[Grant]],
    brokers: Sequence[Broker],
    *,
    now: float,
    running: Collection[str] | None,
) -> Iterator[Chain]:
    """Yield the chains of each key: its brokers' grants first, missing ones included.

    ``aliases`` and ``grants`` are those of each key by its ARN; ``running`` are the ids of the
    containers that run, None if that is unknown. A key that is gone is one of its brokers'.
    """
    known = {key.arn: key for key in keys}
    arns = [*known, *(broker.key_arn for broker in brokers if broker.key_arn)]
    for arn in dict.fromkeys(arns):
        key = known.get(arn)
        item = _key_item(arn, key, aliases.get(arn, ()), now)
        on_key = {grant.grant_id: grant for grant in grants.get(arn, ()) if _lasts(grant, now)}
        empty = True
        for broker in brokers:
            if broker.key_arn == arn:
                for chain in _of_broker(item, broker, on_key, running):
                    empty = False
                    yield chain
        brokers_own = {grant.grant_id for broker in brokers for grant in broker.grants}
        for grant in on_key.values():
            if grant.grant_id not in brokers_own:
                empty = False
                grant_item = Item(grant.grant_id, grant.name or "grant", grant.grant_id[:8])
                yield Chain(item, grant_item, _service(grant.grantee))
        if empty:
            yield Chain(item)


def _key_item(arn: str, key: Key | None, aliases: tuple[str, ...], now: float) -> Item:
    identity = next(iter(aliases), Arn.parse(arn).resource_id)
    if key is None:
        return Item(arn, identity, "deleted", sound=False)
    return Item(arn, identity, key.state, sound=key.usable(now))


def _lasts(grant: Grant, now: float) -> bool:
    return grant.ends is None or now < grant.ends


def _of_broker(
    key: Item, broker: Broker, on_key: Mapping[str, Grant], running: Collection[str] | None
) -> Iterator[Chain]:
    serves = broker.broker_state in IN_SERVICE - {"CRITICAL_ACTION_REQUIRED"}
    owner = Item(broker.broker_id, broker.broker_name, broker.broker_state, sound=serves)
    for noted in broker.grants:
        grant = on_key.get(noted.grant_id)
        detail = noted.grant_id[:8] if grant else "gone"
        item = Item(noted.grant_id, noted.name, detail, sound=grant is not None)
        volumes = tuple(
            _volume_item(volume, broker, running)
            for volume in broker.volumes
            if noted.volume_id in ("", volume.volume_id)
        )
        yield Chain(key, item, _service(grant.grantee if grant else "mq"), volumes, owner)
    if not broker.grants:
        volumes = tuple(_volume_item(volume, broker, running) for volume in broker.volumes)
        yield Chain(key, None, None, volumes, owner)


def _volume_item(volume: Volume, broker: Broker, running: Collection[str] | None) -> Item:
    nodes = [node for node in broker.nodes if node.volume.volume_id == volume.volume_id]
    lost = [node for node in nodes if running is not None and node.container_id not in running]
    failed = lost or [node for node in nodes if node.failure]
    names = ", ".join(f"node {node.name}{' is lost' * (node in lost)}" for node in nodes)
    return Item(volume.volume_id, volume.volume_id, names, sound=not failed)


def _service(grantee: str) -> Item:
    service = grantee.removesuffix(".amazonaws.com")
    return Item(grantee, service.rpartition(":")[2])
