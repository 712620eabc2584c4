"""A disk that messages fill: publishers wait, nothing confirmed is lost, and room ends it."""

import logging
from collections.abc import Iterator
from functools import partial

from testbed import checker, traffic
from testbed.broker import node_container
from testbed.broker.describe import describe
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import Destination
from testbed.documented.engines import ALARMS
from testbed.errors import ClientError, TestbedError
from testbed.evidence import Observation, contrast, refuses_reboot, serves
from testbed.results import Finding, Verdict
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed
from testbed.traffic import Traffic

logger = logging.getLogger(__name__)

TITLE = "Messages fill the disk: publishers wait, nothing confirmed is lost, and room ends it"
CLAIMS = ()  # the page says nothing of it
_SCALE = 0.0006  # of 200 GB, which is 120 MB
_SIZE = 100_000  # bytes of a message
_PROTOCOL = {"RABBITMQ": "amqp", "ACTIVEMQ": "stomp"}
# Of a quorum queue, what was consumed stays on the disk for longer.
_QUEUE = Destination.queue("full-disk", "classic")
_WAITING = 10.0  # seconds without a confirmation
_ROOM_WITHIN = 90.0  # seconds; ActiveMQ deletes files every 30


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a broker of each engine on a small block volume; its control is itself with room."""
    image = testbed.default_broker("RABBITMQ").image
    if lacking := node_container.try_block(testbed.containers, image):
        yield f"Not shown, since block volumes do not attach: {lacking}"
        return
    stories = [partial(_story, testbed, engine_type) for engine_type in _PROTOCOL]
    yield from run_concurrently(stories, testbed.stop)


def _story(testbed: Testbed, engine_type: str) -> str:
    """Fill a disk, look, consume, look again. Raises ``TestbedError`` if it is not as it has to."""
    request = testbed.request(engine_type, "full-disk", volume_kind="block", volume_scale=_SCALE)
    with testbed.temporary_broker(request) as broker:
        address = testbed.brokers.address(broker, _PROTOCOL[engine_type])
        logger.info("  %s: publishing until nothing is confirmed", broker.broker_name)
        with Traffic(address, _QUEUE, rate=1000, size=_SIZE) as flow:
            _fill(flow)
            full = _looks(testbed, broker.broker_id, flow, _WAITING)
            also = list(_alarmed(testbed, broker))
        logger.info("  %s: consuming everything", broker.broker_name)
        traffic.drain(address, _QUEUE, flow.recorder)
        with Traffic(address, _QUEUE, size=_SIZE, recorder=flow.recorder) as again:
            healed = _looks(testbed, broker.broker_id, again, _ROOM_WITHIN)
        account = checker.check(traffic.drain(address, _QUEUE, flow.recorder))
    kept = Observation(account.ok, str(account))
    return _judged(
        contrast("", f"{engine_type} full", full, "with room", healed, also=(*also, kept))
    )


def _alarmed(testbed: Testbed, broker: Broker) -> Iterator[Observation]:
    """Yield whether RabbitMQ is not rebooted; of ActiveMQ nothing is documented."""
    if broker.engine_type == "RABBITMQ":
        yield refuses_reboot(testbed.brokers, broker.broker_id)


def _fill(flow: Traffic) -> None:
    """Return when nothing is confirmed any more."""
    while True:
        try:
            flow.wait_confirmed(1, _WAITING)
        except ClientError:
            return


def _looks(testbed: Testbed, broker_id: str, flow: Traffic, timeout: float) -> list[Observation]:
    """Return whether publishers wait and, of RabbitMQ, whether DescribeBroker has the alarm."""
    serving = serves(flow, 5, timeout)
    testbed.upkeep.maintain(broker_id)  # as the process behind `testbed up` does
    described = describe(testbed.brokers.describe(broker_id))
    codes = [action["ActionRequiredCode"] for action in described["ActionsRequired"]]
    state = f"DescribeBroker says {described['BrokerState']} {' '.join(codes)}".strip()
    if described["EngineType"] == "ACTIVEMQ":  # no code is documented for it
        return [Observation(not serving.yes, f"{serving.evidence}; {state}")]
    return [serving.inverse, Observation(codes == [ALARMS["disk"]], state)]


def _judged(finding: Finding) -> str:
    """Return the finding as a note, since it decides no claim. Raises unless it holds."""
    control = finding.control
    assert control
    seen = f"{finding.subject}: {'; '.join(finding.evidence)}. {control.subject}: "
    seen += "; ".join(control.evidence)
    if finding.verdict is not Verdict.HOLDS or control.verdict is not Verdict.FAILS:
        raise TestbedError(f"A full disk, or its control, is not as it has to be. {seen}")
    return seen


if __name__ == "__main__":
    run_file(__file__)
