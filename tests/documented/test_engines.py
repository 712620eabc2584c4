"""The versions of the engines."""

import pytest

from testbed.documented.engines import (
    DEFAULT_VERSION,
    ENGINE_TYPES,
    PATCH_VERSIONS,
    VERSIONS,
    engine_type_of,
)
from testbed.errors import TestbedError


@pytest.mark.parametrize("engine", ENGINE_TYPES)
def test_versions_are_newest_first_and_the_default_is_one(engine: str) -> None:
    def number(version: str) -> tuple[int, ...]:
        return tuple(map(int, version.split(".")))

    assert list(VERSIONS[engine]) == sorted(VERSIONS[engine], key=number, reverse=True)
    assert DEFAULT_VERSION[engine] in VERSIONS[engine]


@pytest.mark.parametrize("engine", ENGINE_TYPES)
def test_every_version_has_a_patch_version_of_its_own(engine: str) -> None:
    patches = PATCH_VERSIONS[engine]
    assert patches.keys() == set(VERSIONS[engine])
    assert all(patch.startswith(f"{version}.") for version, patch in patches.items())


@pytest.mark.parametrize("name", ["rabbitmq", "RABBITMQ", "RabbitMQ"])
def test_an_engine_is_known_in_any_case(name: str) -> None:
    assert engine_type_of(name) == "RABBITMQ"


def test_another_engine_is_one_clear_line() -> None:
    with pytest.raises(TestbedError, match=r"Unknown engine 'kafka'\.") as refused:
        engine_type_of("kafka")
    assert refused.value.hint == "There are: activemq, rabbitmq."
