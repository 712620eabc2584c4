"""What the operations work with, and how one is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.broker import refusals
from testbed.broker.configurations import Configurations
from testbed.broker.jobs import Job
from testbed.broker.model import Broker
from testbed.broker.service import Brokers
from testbed.kms.base import Caller


@dataclass(frozen=True)
class Context:
    """``start`` runs what remains of an operation, while the caller has its answer already."""

    brokers: Brokers
    configurations: Configurations
    start: Callable[[Job], None]


@dataclass(frozen=True)
class Call:
    """A call of an operation, in boto3's shape.

    ``parameters`` are as ``parameters.check`` leaves them, ``sent`` as they came.
    """

    caller: Caller
    parameters: Mapping[str, Any]
    sent: Mapping[str, Any]


Operation = Callable[[Context, Call], Mapping[str, Any]]


def broker(context: Context, call: Call) -> Broker:
    """Return the broker whose id is in the path. Raises ``NotFoundException``."""
    broker_id = call.parameters["BrokerId"]
    stored = context.brokers.peek(broker_id, call.caller)
    if stored.broker_id != broker_id:  # ``peek`` takes a name as well
        raise refusals.no_such_broker(broker_id)
    return stored
