"""Images, also in a folder, where the engine or the file fails; no engine is used."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError, ImageLoadError, ImageNotFound

from testbed import paths
from testbed.errors import ContainerFailed
from testbed.runtime import image_files, images
from testbed.runtime.images import ImageSpec


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSpec:
    monkeypatch.setattr(paths, "data", lambda name: tmp_path / name)
    return ImageSpec("small", "small")


def engine(**methods: Any) -> Any:
    """Return an engine without images."""

    def get(_: str) -> None:
        raise ImageNotFound("no such image")

    return SimpleNamespace(images=SimpleNamespace(get=get, **methods), api=SimpleNamespace())


@pytest.mark.parametrize(
    ("failure", "kept"),
    [
        (ImageLoadError("unexpected EOF"), False),
        (APIError("payload does not match any of the supported image formats"), False),
        (ImageLoadError("write /layer.tar: no space left on device"), True),
        (requests.ReadTimeout("no answer in time"), True),
        (requests.ConnectionError("the engine is gone"), True),
        (PermissionError(13, "Permission denied"), True),
    ],
)
def test_only_a_file_that_the_engine_does_not_accept_is_removed(
    spec: ImageSpec, tmp_path: Path, failure: Exception, kept: bool
) -> None:
    path = tmp_path / image_files.file_name(spec)
    path.write_bytes(b"an image")

    def load(_: io.BufferedReader) -> None:
        raise failure

    image_files.load(engine(load=load), [spec], tmp_path)
    assert path.exists() == kept


def test_an_image_with_other_names_is_saved_under_its_own(spec: ImageSpec, tmp_path: Path) -> None:
    client = engine()
    asked = list[str]()

    def get_image(name: str) -> Iterator[bytes]:
        asked.append(name)
        yield b"an image"

    client.api.get_image = get_image
    image_files.save(client, [spec], tmp_path)
    assert asked == [spec.tag]
    assert (tmp_path / image_files.file_name(spec)).read_bytes() == b"an image"


def test_an_engine_that_breaks_off_is_not_the_folders_fault(
    spec: ImageSpec, tmp_path: Path
) -> None:
    client = engine()

    def get_image(_: str) -> Iterator[bytes]:
        yield b"half of "
        raise requests.exceptions.ChunkedEncodingError("connection broken")

    client.api.get_image = get_image
    with pytest.raises(ContainerFailed, match="small.* could not be read: connection broken"):
        image_files.save(client, [spec], tmp_path)
    assert not (tmp_path / image_files.file_name(spec)).exists()


def test_an_image_that_another_command_has_just_removed_keeps_none_of_the_others() -> None:
    failures: dict[str, Exception] = {"gone:1": ImageNotFound("gone")}

    def remove(tag: str) -> None:
        if tag in failures:
            raise failures[tag]

    attributes = {"Size": 1, "Created": ""}
    listed = [
        SimpleNamespace(tags=[tag], attrs=attributes) for tag in ("kept:1", "gone:1", "other:1")
    ]
    client = engine(list=lambda **_: listed, remove=remove)
    assert images.remove(client) == ["kept:1", "other:1"]
    failures["kept:1"] = requests.ConnectionError("the engine is gone")
    with pytest.raises(ContainerFailed, match="kept:1 could not be removed: the engine is gone"):
        images.remove(client)
