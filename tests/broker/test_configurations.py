"""The configuration that CreateBroker makes for a broker that is given none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.broker.configurations import Configurations
from testbed.broker.describe import describe
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker
from testbed.broker.requests import Configuration
from testbed.documented import activemq_elements, rabbitmq_keys
from testbed.documented.engines import DEFAULT_VERSION
from testbed.documented.instance_types import DISPLAY_NAMES
from testbed.engines.base import Defects
from testbed.errors import BadRequestException, ConflictException
from testbed.kms.base import USER
from testbed.testbed import Testbed
from tests.support.brokers_offline import offline, request

NAMES = {
    engine_type: f"{DISPLAY_NAMES[engine_type]} {version}"
    for engine_type, version in DEFAULT_VERSION.items()
}
DATA = {"ACTIVEMQ": activemq_elements.DEFAULT, "RABBITMQ": rabbitmq_keys.DEFAULT}


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def created(
    testbed: Testbed, engine_type: str, configuration: Configuration | None = None
) -> Broker:
    """Begin a creation that asks KMS for nothing."""
    unencrypted = Defects(plain_volume=True)
    asked = replace(request(engine_type), configuration=configuration, defects=unencrypted)
    return testbed.brokers.begin_create(asked).broker


def configurations(testbed: Testbed) -> Configurations:
    return Configurations(testbed.state, testbed.clock)


@pytest.mark.parametrize("engine_type", NAMES)
def test_a_broker_without_one_gets_one(testbed: Testbed, engine_type: str) -> None:
    broker = created(testbed, engine_type)
    [made] = configurations(testbed).of(USER)
    assert (made.name, made.engine_type) == ("offline-configuration", engine_type)
    [revision] = made.revisions
    assert (revision.revision, revision.data) == (1, DATA[engine_type])
    assert revision.description == (
        f"Auto-generated default for offline-configuration on {NAMES[engine_type]}"
    )
    shown = {"Id": made.id, "Revision": 1}
    assert describe(broker)["Configurations"] == {"History": [], "Pending": shown}
    running = broker.with_state("RUNNING")
    assert describe(running)["Configurations"] == {"Current": shown, "History": []}
    with pytest.raises(ConflictException, match="is in use by broker"):
        configurations(testbed).delete(USER, made.id, [running])


def test_a_given_one_is_used(testbed: Testbed) -> None:
    given = configurations(testbed).create(USER, "given", "ACTIVEMQ", "5.19", {})
    chosen = configurations(testbed).choose(USER, given.id, None, "ACTIVEMQ")
    broker = created(testbed, "ACTIVEMQ", chosen)
    assert [each.id for each in configurations(testbed).of(USER)] == [given.id]
    assert describe(broker)["Configurations"]["Pending"] == {"Id": given.id, "Revision": 1}


def test_it_outlives_the_broker_and_the_next_one_gets_its_own(testbed: Testbed) -> None:
    first = created(testbed, "RABBITMQ")
    testbed.state.delete("broker", first.broker_id)
    created(testbed, "RABBITMQ")
    assert [each.name for each in configurations(testbed).of(USER)] == ["offline-configuration"] * 2
    with pytest.raises(ConflictException, match="This configuration name already exists"):
        configurations(testbed).create(USER, "offline-configuration", "RABBITMQ", "4.2", {})


def test_a_refused_creation_makes_none(testbed: Testbed) -> None:
    unknown = EncryptionOptions(use_aws_owned_key=False, kms_key_id="a key")
    with pytest.raises(BadRequestException, match="is not a KMS key id"):
        testbed.brokers.begin_create(replace(request(), encryption_options=unknown))
    assert configurations(testbed).of(USER) == []
