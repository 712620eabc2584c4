"""Images: built from one folder of ``containers/`` each, and again only when that folder changed.

A tag is a digest of everything that goes into the image, and a failed build leaves no tag behind,
so the next run builds again.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from testbed import paths
from testbed.runtime.docker_errors import ignore_missing, translate

REPOSITORY = "amazonmq-testbed"
LABEL = "amazonmq-testbed.image"


@dataclass(frozen=True)
class ImageSpec:
    """How an image is built: ``folder`` of ``containers/`` on top of ``parent``.

    ``parent`` is another spec, the name of an image of the user's, or None for Debian. Its tag
    reaches the Dockerfile as the build argument ``BASE``. ``files`` join the folder in the build
    context: (name there, path here). Every context also has ``ca.crt``, this machine's CA bundle,
    for builds behind an inspecting proxy; no final image may keep it.
    """

    name: str
    folder: str
    parent: "ImageSpec | str | None" = None
    args: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, Path], ...] = ()

    @property
    def tag(self) -> str:
        """The image's name on the engine."""
        return f"{REPOSITORY}/{self.name}:{self.digest[:12]}"

    @property
    def digest(self) -> str:
        """A digest of everything that goes into the image, in hexadecimal."""
        parent = self.parent.digest if isinstance(self.parent, ImageSpec) else str(self.parent)
        digest = hashlib.sha256(json.dumps([self.name, self.args, parent]).encode())
        for name, path in self.contents():
            digest.update(f"\0{name}\0{path.stat().st_mode & 0o111}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def contents(self) -> Iterator[tuple[str, Path]]:
        """Yield what goes into the build context, except ``ca.crt``: (name there, path here)."""
        folder = paths.data("containers") / self.folder
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder).as_posix(), path
        yield from self.files


BROKER_BASE = ImageSpec("base", "base")
KMS = ImageSpec("localstack", "localstack")
FAULT = ImageSpec("fault", "fault")


def own(engine_type: str, image: str) -> ImageSpec:
    """Return the spec of a user's broker image with what the encrypted volume needs added."""
    return ImageSpec(f"own-{engine_type.lower()}", "base", parent=image)


def own_kms(image: str) -> ImageSpec:
    """Return the spec of a user's LocalStack image, made to remember its keys as ours does."""
    memory = paths.data("containers") / KMS.folder / "persist.py"
    return ImageSpec(
        "own-localstack", "own-localstack", parent=image, files=((memory.name, memory),)
    )


def missing(client: docker.DockerClient, specs: Sequence[ImageSpec]) -> list[ImageSpec]:
    """Return those of ``specs`` that are not built."""
    return [spec for spec in specs if not exists(client, spec.tag)]


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Return whether the engine has an image of this name. Raises ``ContainerFailed``."""
    with translate(f"The image {tag} could not be looked up"):
        try:
            client.images.get(tag)
        except ImageNotFound:
            return False
    return True


def list_images(client: docker.DockerClient) -> list[dict[str, object]]:
    """Return the testbed's images on this engine: tag, size in bytes, time of creation."""
    with translate("The images could not be listed"):
        found = client.images.list(filters={"label": LABEL})
    return [
        {"tag": tag, "bytes": image.attrs["Size"], "created": image.attrs["Created"]}
        for image in found
        for tag in image.tags
    ]


def remove(client: docker.DockerClient) -> list[str]:
    """Remove the testbed's images, except those in use, and return their tags."""
    removed = []
    for row in list_images(client):
        tag = str(row["tag"])
        with ignore_missing(), translate(f"The image {tag} could not be removed"):
            try:
                client.images.remove(tag)
            except APIError as error:
                if error.status_code == 409:  # in use by a container
                    continue
                raise
            removed.append(tag)
    return removed
