"""A working broker's key is disabled and enabled: what continues, fails and recovers."""

import logging
import secrets
from collections.abc import Callable, Iterator
from functools import partial

from testbed import checker, evidence, traffic
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import QUEUE_PROTOCOL, Destination
from testbed.engines.base import UNENCRYPTED
from testbed.evidence import Observation
from testbed.history import History, Recorder
from testbed.results import Output
from testbed.runtime.tasks import run_in_step
from testbed.testbed import Testbed
from testbed.traffic import Traffic
from testbed.watch import Watch, dependencies

logger = logging.getLogger(__name__)

TITLE = (
    "DisableKey under traffic: the broker serves on, cannot reboot or re-attach, "
    "and comes back whole with EnableKey"
)
CLAIMS = ("R9", "R10", "R11")
ALONE = True  # it stops the default brokers


def run(testbed: Testbed) -> Iterator[Output]:
    """Use a broker of each engine under continuous confirmed traffic, both at the same time."""
    stories = [
        partial(_story, testbed, testbed.default_broker(engine_type))
        for engine_type in QUEUE_PROTOCOL
    ]
    for outputs in run_in_step(stories, testbed.wait_out_delay, testbed.stop):
        yield from outputs


def _story(
    testbed: Testbed, broker: Broker, wait_out_delay: Callable[[], object]
) -> tuple[Output, ...]:
    brokers, name, identity = testbed.brokers, broker.broker_name, broker.broker_id
    queue = Destination.queue(f"key-disabled-{secrets.token_hex(4)}")
    with (
        Traffic(
            brokers.address(broker, QUEUE_PROTOCOL[broker.engine_type]), queue, rate=100
        ) as flow,
        Watch(testbed, identity) as watch,
    ):
        # RabbitMQ may forget a queue that is less than a second old when it is killed.
        flow.wait_confirmed(150, 30)
        enabled = evidence.reports_invalid_key(brokers, identity)

        logger.info("  %s: DisableKey", name)
        testbed.kms.call(testbed.user, "DisableKey", {"KeyId": broker.key_arn})
        watch.note("DisableKey")
        try:
            inside = evidence.reports_invalid_key(brokers, identity)
            flow.wait_confirmed(50, 30)
            logger.info("  %s: the delay of %.0f s passes", name, testbed.delay)
            wait_out_delay()
            watch.note(f"the delay of {testbed.delay:.0f} s is over")
            after = evidence.reports_invalid_key(brokers, identity)
            attached = evidence.serves(flow, 200)
            reboot = evidence.refuses_reboot(brokers, identity)
            watch.note("RebootBroker", refused=reboot.yes)
            logger.info("  %s: losing its node", name)
            brokers.upkeep.detach(identity)
            watch.note("its node is lost")
            lost = evidence.stays_down(brokers, identity)
            watch.note("the volume is attached again", refused=lost.yes)
            broken = dependencies(testbed, identity, f"{name} without its key, its node lost")
        finally:
            logger.info("  %s: EnableKey", name)
            testbed.kms.call(testbed.user, "EnableKey", {"KeyId": broker.key_arn})
            watch.note("EnableKey")
            returned = evidence.stays_down(brokers, identity)
            watch.note("the volume is attached again", refused=returned.yes)
            brokers.upkeep.maintain(identity)
        flow.wait_confirmed(20, 60)
        rebooted = evidence.refuses_reboot(brokers, identity)
        watch.note("RebootBroker" if rebooted.yes else "it has rebooted", refused=rebooted.yes)
        flow.wait_confirmed(20, 60)
    running = evidence.reports_invalid_key(brokers, identity).inverse
    history = flow.recorder.history()
    address = brokers.address(brokers.peek(identity), QUEUE_PROTOCOL[broker.engine_type])
    account = checker.check(traffic.drain(address, queue, flow.recorder))

    return (
        watch.timeline(f"{name} while its key is disabled and enabled", history),
        broken,
        evidence.contrast(
            "R9",
            name,
            (after, reboot, lost),
            f"{name} while its key is enabled",
            (enabled, rebooted, returned),
            also=(attached,),
        ),
        evidence.contrast(
            "R11",
            f"{name}, at once after DisableKey",
            (inside.inverse,),
            f"{name} once the delay of {testbed.delay:.0f} s is over",  # the same question
            (after.inverse,),
        ),
        evidence.contrast(
            "R10",
            f"{name} after EnableKey",
            (Observation(account.ok, str(account)),),
            "a broker that came back with an empty volume",
            (_empty(testbed, broker, queue, history),),
            also=(running, rebooted.inverse),
        ),
    )


def _empty(testbed: Testbed, broker: Broker, queue: Destination, history: History) -> Observation:
    """Account for the same messages at another broker, which has none of them."""
    empty = testbed.control(broker.engine_type, UNENCRYPTED)
    address = testbed.brokers.address(empty, QUEUE_PROTOCOL[broker.engine_type])
    account = checker.check(traffic.drain(address, queue, Recorder.of(history), patience=2.0))
    return Observation(account.ok, str(account))


if __name__ == "__main__":
    run_file(__file__)
