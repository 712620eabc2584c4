"""Images as files in a folder, which a build server keeps from one run to the next.

Each file is named by its image's tag, and so by the digest of everything that goes into the image.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, ImageLoadError

from testbed.errors import TestbedError
from testbed.runtime.docker_errors import translate
from testbed.runtime.images import ImageSpec, missing

logger = logging.getLogger(__name__)

_OURS = re.compile(r"[\w.-]+-[0-9a-f]{12}\.tar(\.new)?")


def file_name(spec: ImageSpec) -> str:
    """Return the name of the image's file in any folder."""
    return f"{spec.tag.rpartition('/')[2].replace(':', '-')}.tar"


def load(client: docker.DockerClient, specs: Sequence[ImageSpec], folder: Path) -> None:
    """Load those images that the engine lacks and ``folder`` has.

    One that cannot be loaded is built again, with a warning; a file that the engine does not accept
    is removed, so that ``save`` writes it anew.
    """
    for spec in missing(client, specs):
        path = folder / file_name(spec)
        if not path.is_file():
            continue
        logger.info("image %s: loading", spec.name)
        try:
            with path.open("rb") as file:
                client.images.load(file)
        except (DockerException, OSError) as error:  # an engine that does not answer is an OSError
            logger.warning("image %s: %s cannot be loaded: %s", spec.name, path, error)
            if _is_refused(error):
                path.unlink(missing_ok=True)


def _is_refused(error: Exception) -> bool:
    """Return whether the engine has read the file and does not accept it."""
    is_answer = isinstance(error, (APIError, ImageLoadError))
    return is_answer and "no space left" not in str(error).lower()


def save(client: docker.DockerClient, specs: Sequence[ImageSpec], folder: Path) -> None:
    """Write the images that ``folder`` lacks, and remove those of other images.

    Raises ``TestbedError`` when the folder cannot be written, ``ContainerFailed`` when the engine
    does not give an image.
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
        for chunk in _content(client, tag):
            file.write(chunk)
    unfinished.rename(path)


def _content(client: docker.DockerClient, tag: str) -> Iterator[bytes]:
    """Yield the image under this name: one that is built from cache has former names as well."""
    with translate(f"The image {tag} could not be read"):
        yield from client.api.get_image(tag)
