"""Images in the folder that a build server keeps."""

import logging
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from testbed import paths
from testbed.errors import TestbedError
from testbed.runtime import image_files, images
from testbed.runtime.builder import ensure_images

pytestmark = pytest.mark.containers


@pytest.fixture
def spec(
    client: docker.DockerClient, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[images.ImageSpec]:
    """Return an image that is built in no time."""
    monkeypatch.setattr(paths, "data", lambda name: tmp_path / name)
    (tmp_path / "containers" / "small").mkdir(parents=True)
    (tmp_path / "containers" / "small" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    spec = images.ImageSpec("small", "small", parent=base)
    yield spec
    if images.exists(client, spec.tag):
        client.images.remove(spec.tag)


def test_a_saved_image_is_loaded_and_not_built(
    client: docker.DockerClient,
    spec: images.ImageSpec,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tag, folder = ensure_images(client, [spec])[spec], tmp_path / "kept"
    identity = client.images.get(tag).id
    image_files.save(client, [spec], folder)
    client.images.remove(tag)
    caplog.clear()  # another test may have asked for messages of this level
    caplog.set_level(logging.INFO)
    image_files.load(client, [spec], folder)
    ensure_images(client, [spec])
    assert client.images.get(tag).id == identity
    assert caplog.messages == ["image small: loading"]


def test_a_file_that_is_cut_off_is_built_again_and_replaced(
    client: docker.DockerClient, spec: images.ImageSpec, tmp_path: Path
) -> None:
    path = tmp_path / image_files.file_name(spec)
    path.write_bytes(b"cut off")
    image_files.load(client, [spec], tmp_path)
    assert images.missing(client, [spec]) == [spec]
    ensure_images(client, [spec])
    image_files.save(client, [spec], tmp_path)
    assert path.stat().st_size > 2**20


def test_files_of_other_images_are_removed_and_no_other_file(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    kept = ("notes.txt", "backup.tar", "backup-2026.tar")
    for name in (*kept, "rabbitmq-4.2-0123456789ab.tar", "fault-0123456789ab.tar.new"):
        (tmp_path / name).touch()
    image_files.save(client, [], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_a_folder_that_cannot_be_written_is_one_clear_error(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TestbedError, match="cannot be saved in .*/file/images: Not a directory"):
        image_files.save(client, [], tmp_path / "file" / "images")
