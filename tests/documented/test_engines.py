"""The versions of the engines."""

import pytest

from testbed.documented.engines import DEFAULT_VERSION, ENGINE_TYPES, PATCH_VERSIONS, VERSIONS


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
