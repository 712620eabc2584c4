"""UpdateBroker and the users' operations: what changes at once, and what waits for a reboot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.account import default_vpc
from testbed.broker import describe, users
from testbed.broker.model import Broker
from testbed.broker.nodes import Nodes
from testbed.broker.requests import Configuration, UpdateBroker
from testbed.broker.store import BrokerStore
from testbed.documented import activemq_elements
from testbed.documented.rabbitmq_keys import MAXIMA
from testbed.engines.base import User
from testbed.errors import BadRequestException, ConflictException, NotFoundException
from testbed.storage import choice
from testbed.storage.volumes import Kind
from testbed.testbed import Testbed
from tests.support.brokers_offline import add, offline, request

SECOND = User("second", "battery-staple-2", console_access=False, groups=("readers",))


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def test_settings_change_at_once_or_with_a_reboot(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    groups = [default_vpc.security_group_id(broker.account, broker.region)]
    update = UpdateBroker(settings={"HostInstanceType": "mq.m5.xlarge", "SecurityGroups": groups})
    updated = testbed.brokers.update(broker.broker_id, update)
    assert updated.settings["SecurityGroups"] == groups
    assert updated.settings["HostInstanceType"] == "mq.m5.large"
    assert describe.describe(updated)["PendingHostInstanceType"] == "mq.m5.xlarge"
    assert updated.applied().settings["HostInstanceType"] == "mq.m5.xlarge"


def test_what_stays_as_it_is_waits_for_nothing(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    for instance_type in ("mq.m5.xlarge", "mq.m5.large"):
        update = UpdateBroker(settings={"HostInstanceType": instance_type})
        updated = testbed.brokers.update(broker.broker_id, update)
    assert "PendingHostInstanceType" not in describe.describe(updated)


def cluster(testbed: Testbed, kind: Kind, gigabytes: int = 50) -> Broker:
    """Store a cluster with volumes of a kind and size."""
    asked = replace(
        request(), deployment_mode="CLUSTER_MULTI_AZ", settings={"StorageSize": gigabytes}
    )
    broker = add(testbed, asked)
    return testbed.brokers.amend(
        broker.broker_id, lambda stored: stored.with_volumes(kind, size=1000)
    )


def test_storage_grows_with_the_next_reboot(testbed: Testbed) -> None:
    broker = cluster(testbed, "block")
    updated = testbed.brokers.update(broker.broker_id, UpdateBroker(settings={"StorageSize": 55}))
    shown = describe.describe(updated)
    assert (shown["StorageSize"], shown["PendingStorageSize"]) == (50, 55)
    applied = updated.applied()
    assert applied.storage_size == 55
    assert "PendingStorageSize" not in describe.describe(applied)
    grown = applied.with_volumes("block", size=1100)
    assert {volume.size for volume in grown.volumes} == {1100}
    assert {volume.size for volume in grown.with_volumes("block", size=900).volumes} == {1100}


def test_storage_keeps_the_scale_that_it_was_made_in(testbed: Testbed) -> None:
    store = BrokerStore(testbed.state, testbed.services.stopping)
    nodes = Nodes(testbed.services, store)
    choice.choose(testbed.state, wanted="block", scale=0.002)
    planned = nodes.plan_volumes(cluster(testbed, "files"))
    assert {volume.size for volume in planned.volumes} == {choice.image_size(50, 0.002)}
    choice.choose(testbed.state, scale=0.02)
    assert nodes.resize_volumes(planned).volumes == planned.volumes, "it has not grown"
    choice.choose(testbed.state, scale=0.001)
    update = UpdateBroker(settings={"StorageSize": 55})
    grown = store.put(testbed.brokers.update(planned.broker_id, update).applied())
    sizes = {volume.size for volume in nodes.resize_volumes(grown).volumes}
    assert sizes == {choice.image_size(55, 0.002)}


@pytest.mark.parametrize("gigabytes", [45, 52, 0, -5])
def test_storage_does_not_shrink_and_has_steps(testbed: Testbed, gigabytes: int) -> None:
    broker = cluster(testbed, "block")
    with pytest.raises(BadRequestException, match="increments of 5 GB.* at least 50 GB"):
        testbed.brokers.update(broker.broker_id, UpdateBroker(settings={"StorageSize": gigabytes}))


def test_storage_of_files_has_no_size(testbed: Testbed) -> None:
    broker = cluster(testbed, "files")
    with pytest.raises(BadRequestException, match="volumes of a chosen size where they are files"):
        testbed.brokers.update(broker.broker_id, UpdateBroker(settings={"StorageSize": 55}))


def test_storage_of_other_brokers_is_not_configurable(testbed: Testbed) -> None:
    broker = add(testbed, request())
    with pytest.raises(BadRequestException, match="Configurable storage is available"):
        testbed.brokers.update(broker.broker_id, UpdateBroker(settings={"StorageSize": 205}))


def test_a_version_and_a_configuration_wait_and_can_be_taken_back(testbed: Testbed) -> None:
    broker = add(testbed, replace(request("ACTIVEMQ"), engine_version="5.18"))
    chosen = Configuration("c-1", 1, activemq_elements.DEFAULT)
    update = UpdateBroker(engine_version="5.19", configuration=chosen)
    updated = testbed.brokers.update(broker.broker_id, update)
    assert (updated.engine_version, updated.pending.engine_version) == ("5.18", "5.19")
    assert describe.describe(updated)["Configurations"]["Pending"] == {"Id": "c-1", "Revision": 1}
    assert updated.applied().configuration == chosen
    back = testbed.brokers.update(broker.broker_id, UpdateBroker(engine_version="5.18"))
    assert back.pending.engine_version == ""
    assert back.pending.configuration == chosen, "what is left out stays"


def limited(instance_type: str) -> Configuration:
    """Return a configuration that fits this instance type and larger ones only."""
    most = MAXIMA["SINGLE_INSTANCE"][instance_type]["connection_max"]
    return Configuration("c-1", 1, f"connection_max = {most}\n")


def sized(instance_type: str) -> UpdateBroker:
    return UpdateBroker(settings={"HostInstanceType": instance_type})


def test_a_smaller_instance_has_to_fit_the_configuration(testbed: Testbed) -> None:
    chosen = replace(request(), configuration=limited("mq.m7g.large"))
    broker = add(testbed, chosen)
    with pytest.raises(BadRequestException, match="larger than maximum allowed limit:300"):
        testbed.brokers.update(broker.broker_id, sized("mq.m7g.medium"))
    testbed.brokers.update(broker.broker_id, sized("mq.m7g.xlarge"))


def test_a_configuration_has_to_fit_the_instance_that_waits(testbed: Testbed) -> None:
    broker = add(testbed, request())
    wanted = UpdateBroker(configuration=limited("mq.m7g.large"))
    testbed.brokers.update(broker.broker_id, sized("mq.m7g.medium"))
    with pytest.raises(BadRequestException, match="larger than maximum allowed limit:300"):
        testbed.brokers.update(broker.broker_id, wanted)
    testbed.brokers.update(broker.broker_id, sized("mq.m7g.xlarge"))
    updated = testbed.brokers.update(
        broker.broker_id, UpdateBroker(configuration=limited("mq.m7g.xlarge"))
    )
    assert updated.pending.configuration
    with pytest.raises(BadRequestException, match="larger than maximum allowed limit:5000"):
        testbed.brokers.update(broker.broker_id, sized("mq.m7g.large"))


def test_a_configuration_has_to_fit_the_version_that_waits(testbed: Testbed) -> None:
    broker = add(testbed, replace(request(), engine_version="4.2"))
    testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(stored, engine_version="3.13", running_version="3.13.7"),
    )
    sections = "{{m7g.large.1}}\nconnection_max = 100\n{{m7g.large.1}}\n"
    wanted = UpdateBroker(configuration=Configuration("c-1", 1, sections))
    with pytest.raises(BadRequestException, match="are for RabbitMQ 4"):
        testbed.brokers.update(broker.broker_id, wanted)
    testbed.brokers.update(broker.broker_id, UpdateBroker(engine_version="4.2"))
    testbed.brokers.update(broker.broker_id, wanted)
    with pytest.raises(BadRequestException, match="are for RabbitMQ 4"):
        testbed.brokers.update(broker.broker_id, UpdateBroker(engine_version="3.13"))


def test_a_broker_is_not_downgraded_and_not_changed_while_it_reboots(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    with pytest.raises(BadRequestException, match="cannot be downgraded"):
        testbed.brokers.update(broker.broker_id, UpdateBroker(engine_version="5.18"))
    testbed.brokers.amend(broker.broker_id, lambda stored: stored.with_state("REBOOT_IN_PROGRESS"))
    with pytest.raises(BadRequestException, match="can't be updated while in state"):
        testbed.brokers.update(broker.broker_id, UpdateBroker())
    with pytest.raises(BadRequestException, match="can't be deleted while in state"):
        testbed.brokers.begin_delete(broker.broker_id)


def test_a_release_that_stands_in_without_an_upgrade_says_so(testbed: Testbed) -> None:
    broker = add(testbed, replace(request("RABBITMQ"), engine_version="3.13"))
    with pytest.raises(BadRequestException, match=r"does not offer upgrades.*3\.10\.8") as caught:
        testbed.brokers.update(broker.broker_id, UpdateBroker(engine_version="4.2"))
    assert caught.value.error_attribute == "engineVersion"


def test_users_change_with_the_next_reboot(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    grown = users.create(broker, SECOND)
    assert [user.username for user in grown.users] == ["admin"]
    assert list(describe.users(grown)) == [
        {"Username": "admin"},
        {"Username": "second", "PendingChange": "CREATE"},
    ]
    shrunk = users.delete(grown, "admin")
    assert [user.username for user in shrunk.applied().users] == ["second"]
    unchanged = users.delete(grown, "second")
    assert unchanged.pending.users is None, "nothing is left to do"


def test_users_are_refused_as_the_service_does(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    with pytest.raises(ConflictException, match="already exists on this broker"):
        users.create(broker, broker.users[0])
    with pytest.raises(NotFoundException, match=r"Can't find requested user \[second\]"):
        users.update(broker, SECOND)
    with pytest.raises(BadRequestException, match="is created with 1 to 250 users"):
        users.delete(broker, "admin")
    rabbitmq = add(testbed, request("RABBITMQ", "rabbit"))
    with pytest.raises(BadRequestException, match="not supported for RabbitMQ brokers"):
        users.create(rabbitmq, SECOND)
