"""What happens to real brokers without a request: nodes lost and revived, keys checked."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator

import pytest

from testbed.broker import store
from testbed.broker.model import Broker, Pending
from testbed.documented.engines import INVALID_KMS_KEY
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.errors import (
    BadRequestException,
    TestbedError,
    VolumeRefused,
)
from testbed.kms.base import USER
from testbed.library import MqBroker
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.broker_queues import consume, current, publish

pytestmark = pytest.mark.containers


@contextlib.contextmanager
def disabled(broker: MqBroker) -> Iterator[None]:
    """Disable the key past its delay; afterwards enable it and revive the broker."""
    testbed = broker.testbed
    testbed.kms.call(USER, "DisableKey", {"KeyId": broker.key_arn})
    testbed.wait_out_delay()
    try:
        yield
    finally:
        testbed.kms.call(USER, "EnableKey", {"KeyId": broker.key_arn})
        testbed.wait_out_delay()
        testbed.upkeep.revive(broker.broker_id)
        testbed.upkeep.check(broker.broker_id)


def test_a_node_that_was_killed_is_revived_with_what_was_confirmed(broker: MqBroker) -> None:
    sent, before = publish(broker, "killed"), current(broker)
    broker.testbed.upkeep.detach(broker.broker_id)
    assert not broker.testbed.containers.state(before.nodes[0].container_id).running
    after = broker.testbed.upkeep.revive(broker.broker_id)
    assert after.endpoints == before.endpoints
    assert consume(broker, "killed", len(sent)) == sent
    assert broker.testbed.upkeep.revive(broker.broker_id).nodes == after.nodes, (
        "nothing is left to do"
    )


@pytest.mark.parametrize("gone", [True, False], ids=["node gone", "node still serves"])
def test_a_reboot_that_was_cut_off_is_finished_by_the_next_who_comes(
    rabbitmq_broker: MqBroker, gone: bool
) -> None:
    """Start from what `kill -9` leaves: the state is stored, and the changes still wait."""
    brokers, before = rabbitmq_broker.testbed.brokers, current(rabbitmq_broker)
    pending = Pending(settings={"HostInstanceType": DEFAULT_INSTANCE_TYPE["RABBITMQ"]})
    brokers.amend(
        before.broker_id,
        lambda stored: dataclasses.replace(
            stored, broker_state="REBOOT_IN_PROGRESS", pending=pending
        ),
    )
    if gone:
        brokers.upkeep.detach(before.broker_id)
    after = brokers.upkeep.revive(before.broker_id)
    assert (after.broker_state, after.pending) == ("RUNNING", Pending())
    assert after.nodes[0].container_id != before.nodes[0].container_id, "it was restarted"


def test_an_unknown_node_is_one_clear_error(broker: MqBroker) -> None:
    for action in (broker.testbed.upkeep.detach, broker.testbed.upkeep.attach):
        with pytest.raises(TestbedError, match="has no node '7'") as error:
            action(broker.broker_id, "7")
        assert error.value.hint == "Its nodes are 1."


def test_a_broker_without_its_key_says_so_with_the_code_of_its_engine(
    broker: MqBroker,
) -> None:
    """The scenario key_disabled covers the rest."""
    with disabled(broker):
        after = broker.testbed.upkeep.check(broker.broker_id)
        [action] = after.actions_required
        assert after.broker_state == "CRITICAL_ACTION_REQUIRED"
        assert action.action_required_code == INVALID_KMS_KEY[after.engine_type]
        assert broker.key_arn in action.action_required_info
        assert "disabled" in action.action_required_info
        [described] = broker.describe()["ActionsRequired"]
        assert described["ActionRequiredCode"] == INVALID_KMS_KEY[after.engine_type]
        with pytest.raises(BadRequestException, match="CRITICAL_ACTION_REQUIRED"):
            broker.reboot()
    assert current(broker).broker_state == "RUNNING"
    assert current(broker).actions_required == ()


def test_a_deny_by_encryption_context_quarantines_the_broker_until_it_goes(
    broker: MqBroker,
) -> None:
    """It outweighs the grants, and stops the service's own Decrypt."""
    kms, sent = broker.testbed.kms, publish(broker, "denied", 5)
    named = {"KeyId": broker.key_arn}
    before = kms.call(USER, "GetKeyPolicy", named)["Policy"]
    [(name, volume_id)] = volumes.context(current(broker).nodes[0].volume.volume_id).items()

    def deny(volume: str) -> Broker:
        condition = {"StringEquals": {f"kms:EncryptionContext:{name}": volume}}
        policy = json.loads(before)
        policy["Statement"].append(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:Decrypt",
                "Resource": "*",
                "Condition": condition,
            }
        )
        kms.call(USER, "PutKeyPolicy", {**named, "Policy": json.dumps(policy)})
        return broker.testbed.upkeep.check(broker.broker_id)

    try:
        assert deny("vol-of-another").broker_state == "RUNNING", "control"
        after = deny(volume_id)
        assert after.broker_state == "CRITICAL_ACTION_REQUIRED"
        [action] = after.actions_required
        assert action.action_required_code == INVALID_KMS_KEY[after.engine_type]
        assert "with an explicit deny in a resource-based policy" in action.action_required_info
        with pytest.raises(BadRequestException, match="CRITICAL_ACTION_REQUIRED"):
            broker.reboot()
    finally:
        kms.call(USER, "PutKeyPolicy", {**named, "Policy": before})
        broker.testbed.upkeep.check(broker.broker_id)
    assert current(broker).broker_state == "RUNNING"
    broker.reboot()
    assert consume(broker, "denied", len(sent)) == sent


def test_a_data_key_of_another_volume_does_not_open_it_and_nothing_is_written(
    broker: MqBroker,
) -> None:
    """Another wrapped key with the right context opens, but does not fit the volume's header."""
    testbed, sent, stored = broker.testbed, publish(broker, "other-key", 5), current(broker)
    node = stored.nodes[0]
    testbed.upkeep.detach(broker.broker_id)
    untouched = _digest(testbed, stored)
    other = volumes.create(testbed.kms, broker.key_arn, node.volume.volume_id)
    other = other.ordered(node.volume.kind, node.volume.size)
    _store(
        testbed,
        dataclasses.replace(current(broker), nodes=(dataclasses.replace(node, volume=other),)),
    )
    try:
        with pytest.raises(VolumeRefused, match="the data key does not open the volume") as error:
            testbed.upkeep.attach(broker.broker_id)
        assert error.value.hint == "Nothing on it was changed."
    finally:
        _store(
            testbed,
            dataclasses.replace(
                current(broker),
                nodes=(dataclasses.replace(current(broker).nodes[0], volume=node.volume),),
            ),
        )
        after = _digest(testbed, stored)
        testbed.upkeep.revive(broker.broker_id)
    assert after == untouched
    assert consume(broker, "other-key", len(sent)) == sent


def _store(testbed: Testbed, broker: Broker) -> None:
    testbed.state.put("broker", broker.broker_id, store.to_document(broker))


def _digest(testbed: Testbed, broker: Broker) -> str:
    """Return the digest of the volume of a broker that does not run: of each byte and name."""
    volume = broker.nodes[0].volume.volume_id
    output = testbed.containers.client.containers.run(
        broker.image,
        ["-c", "tar --create --sparse --sort=name --directory /volume . | sha256sum"],
        entrypoint="sh",
        volumes={volume: {"bind": "/volume", "mode": "ro"}},
        remove=True,
    )
    return str(output.decode())
