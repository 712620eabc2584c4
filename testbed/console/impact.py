"""What a key's brokers lose with it, in sentences. Pure. Sources: DP, KMSERR."""

from collections.abc import Iterable

from testbed.broker.model import Broker

_WITHOUT = "no broker uses it; what clients have encrypted under it stays closed"


def of(brokers: Iterable[Broker]) -> tuple[str, ...]:
    """Return what is lost while a key is disabled or gone; ``brokers`` are those under it."""
    return tuple(map(_loss, brokers)) or (_WITHOUT,)


def _loss(broker: Broker) -> str:
    if broker.storage_type == "EFS":
        consequence = "it stops, since its file system does not open without the key"
    else:
        consequence = "it serves until it loses a node, which then stays down"
    return (
        f"{broker.broker_name}: CRITICAL_ACTION_REQUIRED, and no reboot is accepted; {consequence}"
    )
