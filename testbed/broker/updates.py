"""The effect of UpdateBroker: what changes at once, and what waits for a reboot."""

from dataclasses import replace

from testbed.broker.model import Broker
from testbed.broker.requests import UpdateBroker
from testbed.broker.rules import NOT_OFFERED

_WITH_REBOOT = (
    "HostInstanceType",
    "Logs",
    "StorageSize",
)  # all other settings take effect at once (API)


def apply(broker: Broker, request: UpdateBroker) -> Broker:
    """Return a copy of the broker after the request."""
    pending, version = broker.pending, request.engine_version
    if version is not None:
        version = "" if version == broker.engine_version else version
        pending = replace(pending, engine_version=version)
    if request.configuration:
        unchanged = request.configuration == broker.configuration
        pending = replace(pending, configuration=None if unchanged else request.configuration)
    now, later = dict(broker.settings), dict(pending.settings)
    for name, value in request.settings.items():
        if name in _WITH_REBOOT:
            later[name] = value
            if value == broker.settings.get(name):
                del later[name]
        elif name not in NOT_OFFERED:
            now[name] = value
    return replace(broker, settings=now, pending=replace(pending, settings=later))
