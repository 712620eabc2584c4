"""DescribeBroker's answer: what the service fills in, and what it shows in its own form."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.broker import rules
from testbed.broker.describe import describe
from testbed.broker.encryption import EncryptionOptions
from testbed.documented.engines import VERSIONS
from testbed.errors import BadRequestException
from testbed.testbed import Testbed
from tests.support.brokers_offline import KEY, add, offline, request


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def described(testbed: Testbed, engine_type: str = "ACTIVEMQ", **changes: Any) -> dict[str, Any]:
    return describe(add(testbed, replace(request(engine_type), **changes)))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (EncryptionOptions(), {"UseAwsOwnedKey": True}),
        (
            EncryptionOptions(use_aws_owned_key=False),
            {"UseAwsOwnedKey": False, "KmsKeyId": KEY},
        ),
        (
            EncryptionOptions(use_aws_owned_key=False, kms_key_id="alias/mine"),
            {"UseAwsOwnedKey": False, "KmsKeyId": KEY},
        ),
    ],
)
def test_the_key_is_shown_by_its_arn(
    testbed: Testbed, options: EncryptionOptions, shown: Mapping[str, Any]
) -> None:
    assert described(testbed, encryption_options=options)["EncryptionOptions"] == shown


@pytest.mark.parametrize(
    ("engine_type", "version"),
    [(engine, version) for engine, versions in VERSIONS.items() for version in versions],
)
def test_the_version_is_shown_with_its_patch(
    testbed: Testbed, engine_type: str, version: str
) -> None:
    broker = replace(add(testbed, request(engine_type)), engine_version=version)
    for running, shown in {f"{version}.99": f"{version}.99", "1.2.3": "", "": ""}.items():
        patch = describe(replace(broker, running_version=running))["EngineVersion"]
        assert patch == shown if shown else patch.startswith(f"{version}.")


@pytest.mark.parametrize(
    ("engine_type", "deployment_mode", "count"),
    [
        ("RABBITMQ", "SINGLE_INSTANCE", 1),
        ("RABBITMQ", "CLUSTER_MULTI_AZ", 4),
        ("ACTIVEMQ", "SINGLE_INSTANCE", 1),
        ("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ", 2),
    ],
)
def test_the_default_vpc_is_that_of_account_and_region(
    testbed: Testbed, engine_type: str, deployment_mode: str, count: int
) -> None:
    options = {"deployment_mode": deployment_mode, "storage_type": ""}
    first, second = (described(testbed, engine_type, **options) for _ in range(2))
    assert len(set(first["SubnetIds"])) == count
    assert len(first["SecurityGroups"]) == 1
    for member in ("SubnetIds", "SecurityGroups"):
        assert first[member] == second[member]
        assert all(len(name.partition("-")[2]) == 17 for name in first[member])


def test_given_subnets_and_security_groups_are_shown(testbed: Testbed) -> None:
    given = {"SubnetIds": ["subnet-1"], "SecurityGroups": ["sg-1", "sg-2"]}
    assert described(testbed, settings=given).items() >= given.items()


@pytest.mark.parametrize(
    ("deployment_mode", "subnet_ids", "sentence"),
    [
        ("SINGLE_INSTANCE", ["a", "b"], r"\[SINGLE_INSTANCE\] requires 1 subnet\."),
        ("ACTIVE_STANDBY_MULTI_AZ", ["a"], "requires 2 subnets in different Availability Zones"),
        ("ACTIVE_STANDBY_MULTI_AZ", ["a", "a"], "must be in different Availability Zones"),
        ("SINGLE_INSTANCE", ["a"], ""),
        ("SINGLE_INSTANCE", [], ""),
        ("ACTIVE_STANDBY_MULTI_AZ", ["a", "b"], ""),
    ],
)
def test_the_number_of_subnets_fits_the_deployment(
    deployment_mode: str, subnet_ids: list[str], sentence: str
) -> None:
    sound = request("ACTIVEMQ")
    asked = replace(
        sound,
        deployment_mode=deployment_mode,
        storage_type="",
        settings={**sound.settings, "SubnetIds": subnet_ids},
    )
    if not sentence:
        rules.check_create(asked, ())
        return
    with pytest.raises(BadRequestException, match=sentence) as refused:
        rules.check_create(asked, ())
    assert refused.value.error_attribute == "subnetIds"


def test_a_cluster_takes_any_number_of_subnets() -> None:
    sound = request()
    for count in range(1, 6):
        subnets = [f"subnet-{number}" for number in range(count)]
        settings = {**sound.settings, "SubnetIds": subnets}
        asked = replace(sound, deployment_mode="CLUSTER_MULTI_AZ", settings=settings)
        rules.check_create(asked, ())
