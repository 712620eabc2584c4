"""A key is disabled under a working broker and enabled again: what goes on, what is refused, and what comes back."""

from collections.abc import Iterator

from testbed import checker, traffic
from testbed.broker.model import Broker
from testbed.clients import Destination
from testbed.clients.base import Address
from testbed.errors import BadRequestException, TestbedError, VolumeRefused
from testbed.kms.base import USER
from testbed.results import Finding, Verdict
from testbed.scenario import Say, main
from testbed.testbed import Testbed
from testbed.traffic import Traffic

TITLE = "Disable the key: the broker serves on, cannot reboot or re-attach, and comes back whole with EnableKey"
CLAIMS = ("R9", "R10")
_PROTOCOL = {"RABBITMQ": "amqp", "ACTIVEMQ": "stomp"}
_QUEUE = Destination.queue("key-disabled")


def run(testbed: Testbed, say: Say) -> Iterator[Finding | str]:
    """Under confirmed traffic all the while, each engine in turn."""
    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        yield from _story(testbed, testbed.standing(engine_type), say)


def _story(testbed: Testbed, broker: Broker, say: Say) -> Iterator[Finding | str]:
    brokers, name = testbed.brokers, broker.broker_name
    address = brokers.address(broker, _PROTOCOL[broker.engine_type])
    with Traffic(address, _QUEUE, rate=100) as flow:
        flow.wait_confirmed(150, 30)  # RabbitMQ may forget a queue that is less than a second old when it is killed
        with_key = _unmaintained(testbed, broker)

        say(f"  {name}: DisableKey")
        testbed.kms.call(USER, "DisableKey", {"KeyId": broker.key_arn})
        try:
            attached = _serves(flow)
            without_key = _unmaintained(testbed, broker)
            say(f"  {name}: losing its node")
            brokers.detach(broker.broker_id)
            lost = _attach_refused(testbed, broker)
        finally:
            say(f"  {name}: EnableKey")
            testbed.kms.call(USER, "EnableKey", {"KeyId": broker.key_arn})
            broker = brokers.revive(broker.broker_id)
        flow.wait_confirmed(20, 60)
        after = brokers.check(broker.broker_id)
        brokers.reboot(broker.broker_id)
        flow.wait_confirmed(20, 60)
    before = flow.recorder.history()
    account = checker.check(traffic.drain(_now(testbed, broker), _QUEUE, flow.recorder))

    yield Finding(
        "R9",
        name,
        _holds(attached[0] and without_key[0] and lost[0]),
        (attached[1], *without_key[1], lost[1]),
        Finding("R9", f"{name} while its key is enabled", _holds(with_key[0]), with_key[1]),
    )
    empty = checker.check(before)  # as a broker would have left it that came back without its volume
    yield Finding(
        "R10",
        name,
        _holds(after.broker_state == "RUNNING" and account.ok),
        (f"after EnableKey DescribeBroker says {after.broker_state}, and RebootBroker is carried out", str(account)),
        Finding("R10", f"{name} had it come back with nothing", _holds(empty.ok), (str(empty),)),
    )


def _serves(flow: Traffic) -> tuple[bool, str]:
    try:
        flow.wait_confirmed(50, 30)
        return True, "with the key disabled, the attached volume serves on: 50 more messages were confirmed"
    except TestbedError as error:
        return False, f"with the key disabled, the broker stopped confirming: {error}"


def _unmaintained(testbed: Testbed, broker: Broker) -> tuple[bool, tuple[str, ...]]:
    """Whether the check reports the invalid key and a reboot is refused; the reboot is not tried while it would succeed."""
    now = testbed.brokers.check(broker.broker_id)
    codes = [action.action_required_code for action in now.actions_required]
    said = f"DescribeBroker says {now.broker_state}{' with ' + ', '.join(codes) if codes else ''}"
    if not codes:
        return False, (said,)
    try:
        testbed.brokers.reboot(broker.broker_id)
        return False, (said, "RebootBroker was carried out")
    except BadRequestException as error:
        return now.broker_state == "CRITICAL_ACTION_REQUIRED", (said, f"RebootBroker is refused: {error}")


def _attach_refused(testbed: Testbed, broker: Broker) -> tuple[bool, str]:
    try:
        testbed.brokers.attach(broker.broker_id)
        return False, "the node came back without its key"
    except VolumeRefused as error:
        return True, f"the node that was lost does not come back: {error}"


def _now(testbed: Testbed, broker: Broker) -> Address:
    return testbed.brokers.address(testbed.brokers.describe(broker.broker_id), _PROTOCOL[broker.engine_type])


def _holds(holds: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.FAILS


if __name__ == "__main__":
    main(__file__)
