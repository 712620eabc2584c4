"""What can be seen of a broker's maintenance from outside: what the check says, and what a reboot and an attach answer.

For scenarios and tests: each look is a small frozen value with a sentence of evidence, and leaves the broker as it was.
"""

from dataclasses import dataclass

from testbed.broker.service import Brokers
from testbed.errors import BadRequestException, TestbedError, VolumeRefused
from testbed.traffic import Traffic


@dataclass(frozen=True)
class Seen:
    """``yes`` answers the question that the function's name asks."""

    yes: bool
    evidence: str


def reports_invalid_key(brokers: Brokers, broker_id: str) -> Seen:
    """Does the periodic check report CRITICAL_ACTION_REQUIRED with the invalid-key code?"""
    broker = brokers.check(broker_id)
    codes = [
        f"{action.action_required_code} ({action.action_required_info})"
        for action in broker.actions_required
    ]
    said = f"DescribeBroker says {broker.broker_state}" + (
        f" with {', '.join(codes)}" if codes else ""
    )
    return Seen(
        broker.broker_state == "CRITICAL_ACTION_REQUIRED"
        and any("INVALID_KMS_KEY" in code for code in codes),
        said,
    )


def refuses_reboot(brokers: Brokers, broker_id: str) -> Seen:
    """Is RebootBroker refused? Where it is not, the broker has rebooted."""
    try:
        brokers.reboot(broker_id)
    except BadRequestException as error:
        return Seen(True, f"RebootBroker is refused: {error}")
    return Seen(False, "RebootBroker is carried out")


def stays_down(brokers: Brokers, broker_id: str, node_name: str = "") -> Seen:
    """Does a node that is lost not come back? Where it does, it runs again."""
    try:
        brokers.attach(broker_id, node_name)
    except VolumeRefused as error:
        return Seen(True, f"the node that was lost does not come back: {error}")
    return Seen(False, "the node that was lost is back")


def serves(traffic: Traffic, messages: int, timeout: float = 30.0) -> Seen:
    """Does the broker confirm so many more messages within ``timeout`` seconds?"""
    try:
        traffic.wait_confirmed(messages, timeout)
    except TestbedError as error:
        return Seen(False, f"the broker does not serve: {error}")
    return Seen(True, f"the broker serves: {messages} more messages are confirmed")
