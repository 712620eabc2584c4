"""A node is well when a client can log in; one that cannot come back says why."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testbed import clients
from testbed.broker.describe import describe
from testbed.broker.health import Patience
from testbed.broker.model import Broker, Node
from testbed.broker.service import Brokers
from testbed.errors import BadRequestException, ClientError, TestbedError
from testbed.library import MqBroker
from testbed.testbed import Testbed
from tests.support.broker_node import wait_for
from tests.support.command_line import CommandLine
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers
PROCESS = {"RABBITMQ": "beam.smp", "ACTIVEMQ": "java"}


@pytest.fixture(params=first_then_nightly(["RABBITMQ", "ACTIVEMQ"], "the other engine"))
def broker(request: pytest.FixtureRequest) -> MqBroker:
    """Return the session's broker of each engine; every test leaves it serving."""
    fixture = {"RABBITMQ": "rabbitmq_broker", "ACTIVEMQ": "activemq_broker"}[request.param]
    broker: MqBroker = request.getfixturevalue(fixture)
    return broker


def stored(broker: MqBroker) -> Broker:
    return broker.testbed.brokers.peek(broker.broker_id)


def impatient(testbed: Testbed) -> Brokers:
    """Return a control plane that asks for logins in every round, and gives up at the second."""
    return Brokers(testbed.services, patience=Patience(login_every=0, misses=2))


def node_of(broker: MqBroker) -> Node:
    [node] = stored(broker).nodes
    return node


def signal(broker: MqBroker, name: str) -> None:
    """Send a signal to the broker's process alone."""
    process = PROCESS[stored(broker).engine_type]
    script = f"kill -{name} $(grep -lsx {process} /proc/[0-9]*/comm | cut -d / -f 3)"
    code, output = broker.testbed.containers.execute(
        node_of(broker).container_id, ["sh", "-c", script]
    )
    assert code == 0, output


def lets_clients_in(broker: MqBroker) -> bool:
    protocol = clients.QUEUE_PROTOCOL[stored(broker).engine_type]
    try:
        with clients.connect(broker.address(protocol)):
            return True
    except ClientError:
        return False


def test_a_node_that_runs_and_answers_nobody_is_replaced(broker: MqBroker) -> None:
    brokers, before = impatient(broker.testbed), node_of(broker)
    for _ in range(3):
        brokers.upkeep.maintain(broker.broker_id)
    assert node_of(broker) == before, "control: one that answers is left alone"
    signal(broker, "STOP")
    brokers.upkeep.maintain(broker.broker_id)
    assert node_of(broker).container_id == before.container_id, "one slow answer ends no node"
    brokers.upkeep.maintain(broker.broker_id)
    assert node_of(broker).container_id != before.container_id
    assert lets_clients_in(broker)


@pytest.mark.nightly("`up` waits for a login; every push has maintenance")
def test_up_returns_when_clients_can_log_in(activemq_broker: MqBroker) -> None:
    broker, before = activemq_broker, node_of(activemq_broker)
    signal(broker, "STOP")
    impatient(broker.testbed).upkeep.revive(broker.broker_id)
    assert lets_clients_in(broker)
    assert node_of(broker).container_id != before.container_id


def test_a_node_whose_broker_was_killed_comes_back_in_the_next_round(broker: MqBroker) -> None:
    before = node_of(broker)
    signal(broker, "KILL")
    wait_for(
        "the end of the node",
        lambda: not broker.testbed.containers.state(before.container_id).running,
    )
    broker.testbed.upkeep.maintain(broker.broker_id)
    assert lets_clients_in(broker)
    assert broker.testbed.brokers.kept_log(broker.broker_id, "1"), "what it printed before"


def in_volume(broker: MqBroker, script: str) -> None:
    """Run a script beside the broker's raw volume and a copy of it."""
    copy = f"{node_of(broker).volume.volume_id}-copy"
    broker.testbed.containers.create_volume(copy)
    volumes = {
        node_of(broker).volume.volume_id: {"bind": "/volume", "mode": "rw"},
        copy: {"bind": "/copy", "mode": "rw"},
    }
    broker.testbed.containers.client.containers.run(
        stored(broker).image, ["-c", script], entrypoint="sh", volumes=volumes, remove=True
    )


@contextmanager
def damaged(broker: MqBroker, script: str) -> Iterator[None]:
    """Stop the node and damage its volume; afterwards put it right and wait for the broker."""
    broker.testbed.upkeep.detach(broker.broker_id)
    in_volume(broker, "cp -a /volume/. /copy/")
    try:
        in_volume(broker, script)
        yield
    finally:
        in_volume(broker, "find /volume -mindepth 1 -delete; cp -a /copy/. /volume/")
        broker.testbed.containers.remove_volume(f"{node_of(broker).volume.volume_id}-copy")
        broker.testbed.upkeep.revive(broker.broker_id)


# A byte behind the header of each file, except the small one that counts attachments.
GARBLE_FILES = (
    "find /volume -type f -size +1 ! -name 'gocryptfs.*' | while read -r f; do "
    'printf X | dd of="$f" bs=1 seek=60 conv=notrunc 2>/dev/null; done'
)
# Of a block volume, the beginning of the filesystem.
GARBLE = (
    "if [ -e /volume/volume.img ]; then "
    "dd if=/dev/urandom of=/volume/volume.img bs=64K count=4 conv=notrunc 2>/dev/null; "
    f"else {GARBLE_FILES}; fi"
)
EMPTY = "find /volume -mindepth 1 -delete"
DAMAGED = "message authentication failed|the volume's filesystem is damaged"


@pytest.mark.parametrize(
    ("broker", "damage", "reason"),
    [
        ("RABBITMQ", GARBLE, DAMAGED),
        pytest.param(
            "ACTIVEMQ",
            EMPTY,
            "the volume has lost its (header|image)",
            marks=pytest.mark.nightly("an emptied volume; every push has a damaged one"),
        ),
    ],
    indirect=["broker"],
    ids=["damaged", "emptied"],
)
def test_a_node_that_cannot_come_back_says_why_and_is_tried_again_with_pauses(
    broker: MqBroker, command_line: CommandLine, damage: str, reason: str
) -> None:
    testbed, identity = broker.testbed, broker.broker_id
    with damaged(broker, damage):
        with pytest.raises(TestbedError, match=reason) as failed:
            testbed.upkeep.maintain(identity)
        assert "starts from nothing" not in failed.value.hint
        broken = stored(broker)
        assert broken.broker_state == "CRITICAL_ACTION_REQUIRED"
        [action] = describe(broken)["ActionsRequired"]
        assert re.search(reason, action["ActionRequiredInfo"])
        assert "ActionRequiredCode" not in action, "none is documented"
        with pytest.raises(BadRequestException, match=reason):
            testbed.brokers.reboot(identity)
        shown = command_line.run("status", "--state", testbed.state.folder).stdout
        assert "node 1 failed 1x: " in shown
        log = command_line.run("logs", identity, "--state", testbed.state.folder)
        assert re.search(reason, log.stdout), log.stderr
        testbed.upkeep.maintain(identity)
        assert node_of(broker).failure == broken.nodes[0].failure, "it pauses"
        testbed.clock.turn(11)
        with pytest.raises(TestbedError, match=reason):
            testbed.upkeep.maintain(identity)
        failure = node_of(broker).failure
        assert failure
        assert failure.attempts == 2
    assert stored(broker).broker_state == "RUNNING"
    assert lets_clients_in(broker), "control: as it was before the damage"


@pytest.fixture
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("command line"))
