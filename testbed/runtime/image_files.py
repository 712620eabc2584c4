"""Images as files in a folder, which a build server keeps from one run to the next.

Each file is named by its image's tag, and so by the digest of everything that goes into the image.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import docker
from docker.errors import DockerException

from testbed.errors import TestbedError
from testbed.runtime.images import ImageSpec, missing

logger = logging.getLogger(__name__)

_OURS = re.compile(r"[\w.-]+-[0-9a-f]{12}\.tar(\.new)?")


def file_name(spec: ImageSpec) -> str:
    """Return the name of the image's file in any folder."""
    return f"{spec.tag.rpartition('/')[2].replace(':', '-')}.tar"


def load(client: docker.DockerClient, specs: Sequence[ImageSpec], folder: Path) -> None:
    """Load those images that the engine lacks and ``folder`` has.

    A file that the engine does not accept is left out, with a warning: the image is built again.
    """
    for spec in missing(client, specs):
        path = folder / file_name(spec)
        if not path.is_file():
            continue
        logger.info("image %s: loading", spec.name)
        try:
            with path.open("rb") as file:
                client.images.load(file)
        except DockerException as error:
            logger.warning("image %s: %s cannot be loaded: %s", spec.name, path, error)
            path.unlink()


def save(client: docker.DockerClient, specs: Sequence[ImageSpec], folder: Path) -> None:
    """Write the images that ``folder`` lacks, and remove those of other images.

    Raises ``TestbedError`` when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {file_name(spec) for spec in specs}
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in wanted:
                path.unlink()
        for spec in specs:
            path = folder / file_name(spec)
            if not path.exists():
                logger.info("image %s: saving", spec.name)
                _write(client, spec.tag, path)
    except OSError as error:
        raise TestbedError(
            f"Images cannot be saved in {folder}: {error.strerror or error}.",
            hint="Name another folder, or leave --cache out.",
        ) from error


def _write(client: docker.DockerClient, tag: str, path: Path) -> None:
    """Write the image under another name first: a file that is cut off would be kept for good."""
    unfinished = path.with_suffix(".tar.new")
    with unfinished.open("wb") as file:
        for chunk in client.images.get(tag).save(named=True):
            file.write(chunk)
    unfinished.rename(path)
