"""Images: built once, tagged by what goes in, and built again after a failure."""

import io
import logging
import tarfile
from pathlib import Path

import docker
import pytest

from testbed import paths
from testbed.errors import (
    ImageBuildFailed,
)
from testbed.runtime import engine, images
from testbed.runtime.builder import ensure_images

pytestmark = pytest.mark.containers


def _debian() -> str:
    return "debian:trixie-slim" if _has("debian:trixie-slim") else "amazonmq-testbed/debian:trixie"


def _has(tag: str) -> bool:
    return images.exists(engine.connect(), tag)


def test_an_image_is_built_once(
    client: docker.DockerClient, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = client.images.get(base).id
    assert ensure_images(client, [images.BROKER_BASE]) == {images.BROKER_BASE: base}
    assert client.images.get(base).id == before
    assert caplog.messages == []


def test_an_image_changes_its_tag_with_its_folder_and_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "extra"
    file.write_text("one")
    spec = images.ImageSpec("x", "base", files=(("extra", file),))
    child = images.ImageSpec("y", "base", parent=spec)
    tags = (spec.tag, child.tag)
    assert (spec.tag, child.tag) == tags
    file.write_text("two")
    assert spec.tag != tags[0]
    assert child.tag != tags[1]


def test_the_ca_bundle_is_in_no_image_of_ours(client: docker.DockerClient, base: str) -> None:
    container = client.containers.create(base)
    try:
        stream, _ = container.get_archive("/tmp")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            assert "ca.crt" not in " ".join(archive.getnames())
    finally:
        container.remove()


def test_a_build_that_fails_says_where_and_the_next_one_recovers(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "containers" / "broken"
    folder.mkdir(parents=True)
    recipe = folder / "Dockerfile"
    recipe.write_text("ARG BASE\nFROM ${BASE}\nRUN echo going well && false\n")
    monkeypatch.setattr(paths, "data", lambda name: tmp_path / name)
    spec = images.ImageSpec("broken", "broken")
    with pytest.raises(ImageBuildFailed, match="going well") as error:
        ensure_images(client, [spec])
    assert "containers/broken/Dockerfile" in error.value.hint
    assert images.missing(client, [spec]) == [spec]
    recipe.write_text("ARG BASE\nFROM ${BASE}\nRUN true\n")
    ensure_images(client, [spec])
    assert images.missing(client, [spec]) == []
    client.images.remove(spec.tag)


def test_an_image_of_the_users_own_that_cannot_be_had_is_one_clear_error(
    client: docker.DockerClient,
) -> None:
    with pytest.raises(ImageBuildFailed, match="not on this engine and could not be pulled"):
        ensure_images(client, [images.own("RABBITMQ", "localhost:1/no/such:image")])


def test_an_image_of_the_users_own_gets_what_the_volume_needs(
    client: docker.DockerClient, base: str
) -> None:
    """Debian stands for the user's image: it lacks gocryptfs as the official broker images do."""
    spec = images.own("RABBITMQ", _debian())
    tag = ensure_images(client, [spec])[spec]
    assert client.containers.run(
        tag, ["-c", "command -v gocryptfs"], entrypoint="/bin/sh", remove=True
    ).strip()
    client.images.remove(tag)
