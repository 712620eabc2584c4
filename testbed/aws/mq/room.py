"""What the operations work with, and how one is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.aws.mq import refusals
from testbed.broker.model import Broker
from testbed.broker.service import Brokers
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.state.clock import Clock
from testbed.state.store import State


@dataclass(frozen=True)
class Room:
    """``finish`` brings to its end what a broker of this id is in the middle of, while the caller has its answer already."""

    brokers: Brokers
    state: State
    clock: Clock
    finish: Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """A call: ``parameters`` as ``parameters.check`` leaves them, ``given`` as they were sent; both in boto3's shape."""

    caller: Caller
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]

    @property
    def owns(self) -> bool:
        """Whether the brokers and configurations of the testbed are the caller's."""
        return self.caller.account == USER_ACCOUNT


Operation = Callable[[Room, Asked], Mapping[str, Any]]


def broker(room: Room, asked: Asked) -> Broker:
    """The broker whose id is in the path. Raises ``NotFoundException``."""
    broker_id = asked.parameters["BrokerId"]
    found = room.brokers.describe(broker_id, asked.caller) if asked.owns else None
    if found is None or found.broker_id != broker_id:  # the testbed itself takes a name as well
        raise refusals.no_such_broker(broker_id)
    return found
