"""No operation is answered with success when KMS keeps it from happening."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from testbed.aws.endpoint import serve
from testbed.broker.lifecycle import Lifecycle
from testbed.broker.model import Broker, Grant
from testbed.broker.nodes import Nodes
from testbed.engines.base import Defects, User
from testbed.errors import BadRequestException, ContainerFailed, Interrupted, KmsError
from testbed.storage.volumes import Volume
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import KEY, NO_CONTAINERS, Keys, add, offline, request

OUTAGE = "KMSInternalException"


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state", key_state="Enabled") as testbed:
        yield testbed


def keys(testbed: Testbed) -> Keys:
    assert isinstance(testbed.kms, Keys)
    return testbed.kms


def running(testbed: Testbed, engine_type: str = "ACTIVEMQ") -> Broker:
    """Return a broker on an encrypted volume, with a user who waits for a reboot."""
    broker = add(testbed, request(engine_type))
    waiting = (*broker.users, User("second", "battery-staple-2"))
    return testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(
            stored,
            nodes=tuple(
                replace(node, volume=Volume(node.volume.volume_id, KEY, "AA=="))
                for node in stored.nodes
            ),
            pending=replace(stored.pending, users=waiting),
        ),
    )


def test_control_a_reboot_begins_when_the_data_key_opens(testbed: Testbed) -> None:
    broker = running(testbed)
    job = testbed.brokers.begin_reboot(broker.broker_id)
    assert job.broker.broker_state == "REBOOT_IN_PROGRESS"
    assert keys(testbed).calls == ["DescribeKey", "Decrypt", "Decrypt"], "the first with DryRun"


@pytest.mark.parametrize("operation", ["", "DescribeKey", "Decrypt"])
@pytest.mark.parametrize("engine_type", ["ACTIVEMQ", "RABBITMQ"])
def test_a_reboot_without_an_answer_of_kms_does_not_begin(
    testbed: Testbed, engine_type: str, operation: str
) -> None:
    broker = running(testbed, engine_type)
    keys(testbed).errors[operation] = OUTAGE
    with pytest.raises(KmsError, match=OUTAGE):
        testbed.brokers.begin_reboot(broker.broker_id)
    after = testbed.brokers.peek(broker.broker_id)
    assert replace(after, checked=broker.checked) == broker


def test_the_endpoint_answers_it_with_an_internal_error(testbed: Testbed) -> None:
    broker = running(testbed)
    keys(testbed).errors[""] = OUTAGE
    with serve(testbed) as endpoint:
        mq = Served(testbed, endpoint).client("mq")
        refused = refusal(mq.reboot_broker, BrokerId=broker.broker_id)
    assert (refused["Code"], refused["Status"]) == ("InternalServerErrorException", 500)


def test_a_reboot_whose_data_key_kms_refuses_ends_in_quarantine(testbed: Testbed) -> None:
    broker = running(testbed)
    keys(testbed).errors["Decrypt"] = "AccessDeniedException"
    with pytest.raises(BadRequestException, match="while in state .CRITICAL_ACTION_REQUIRED") as no:
        testbed.brokers.begin_reboot(broker.broker_id)
    assert "AccessDeniedException" in no.value.message
    quarantined = testbed.brokers.peek(broker.broker_id)
    assert quarantined.broker_state == "CRITICAL_ACTION_REQUIRED"
    assert quarantined.pending == broker.pending, "what waits for the reboot still waits"


def test_a_deletion_ends_only_when_the_grants_are_retired(testbed: Testbed) -> None:
    broker = running(testbed, "RABBITMQ")
    testbed.brokers.amend(
        broker.broker_id, lambda stored: replace(stored, grants=(Grant("mq_grant", "g-1"),))
    )
    keys(testbed).errors["RetireGrant"] = OUTAGE
    with pytest.raises(KmsError, match=OUTAGE):
        testbed.brokers.delete(broker.broker_id)
    assert testbed.brokers.peek(broker.broker_id).broker_state == "DELETION_IN_PROGRESS"
    keys(testbed).errors.clear()
    testbed.upkeep.maintain(broker.broker_id)
    assert testbed.brokers.ids() == ()


def test_a_control_without_a_key_is_deleted(testbed: Testbed) -> None:
    broker = running(testbed)
    testbed.brokers.amend(
        broker.broker_id, lambda stored: replace(stored, key_arn="", key_ownership="")
    )
    testbed.brokers.delete(broker.broker_id)
    assert testbed.brokers.ids() == ()
    assert "RetireGrant" not in keys(testbed).calls


def test_a_reboot_that_is_cut_off_leaves_no_version_without_its_image(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = running(testbed, "RABBITMQ")
    testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(
            stored,
            running_version="3.13.7",
            engine_version="3.13",
            pending=replace(stored.pending, engine_version="4.2"),
        ),
    )
    job = testbed.brokers.begin_reboot(broker.broker_id)
    answers = iter(["the-image"])

    def ensure_image(*_: object) -> str:
        """Build the image once; then the program is interrupted."""
        if image := next(answers, ""):
            return image
        raise Interrupted("Interrupted.")

    monkeypatch.setattr(Nodes, "ensure_image", ensure_image)
    monkeypatch.setattr(Nodes, "start", lambda _, broker, nodes: broker)
    with suppress(Interrupted):
        job.finish()
    after = testbed.brokers.peek(broker.broker_id)
    assert (after.engine_version, after.image) == ("4.2", "the-image")


def test_a_creation_that_failed_is_removed_later_and_not_finished(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine ends in the middle of it, and comes back."""
    unencrypted = replace(request(), defects=Defects(plain_volume=True))
    find, starts = NO_CONTAINERS.find, list[str]()

    def gone(*_: object) -> NoReturn:
        raise ContainerFailed("The engine is gone.")

    def bring_up(_: Lifecycle, broker: Broker) -> Broker:
        starts.append(broker.broker_id)
        raise ContainerFailed("The node could not be started.")

    monkeypatch.setattr(Lifecycle, "bring_up", bring_up)
    monkeypatch.setattr(NO_CONTAINERS, "find", gone)
    with pytest.raises(ContainerFailed, match="could not be started"):
        testbed.brokers.create(unencrypted)
    assert "not all is removed: The engine is gone." in caplog.text
    [broker_id] = testbed.brokers.ids()
    monkeypatch.setattr(NO_CONTAINERS, "find", find)
    testbed.upkeep.maintain(broker_id)
    assert testbed.brokers.ids() == ()
    assert starts == [broker_id], "it is not started again"
