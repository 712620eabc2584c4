"""Build images, each once, a parent before its children."""

import io
import logging
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import docker
from docker.errors import BuildError, DockerException

from testbed.errors import ImageBuildFailed, TestbedError
from testbed.runtime import commands, debian, engine
from testbed.runtime.docker_errors import translate
from testbed.runtime.images import LABEL, REPOSITORY, ImageSpec, exists
from testbed.runtime.tasks import run_concurrently

logger = logging.getLogger(__name__)

DEBIAN_RELEASE = "trixie"
_DISK = 2 * 2**30  # bytes of free disk: all images with what their builds leave behind
_SILENCE = 900  # seconds that a step may be silent, compiling or downloading
_REGISTRY_ANSWERS_WITHIN = 15.0  # seconds
_PROXY = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def ensure_images(client: docker.DockerClient, specs: Sequence[ImageSpec]) -> dict[ImageSpec, str]:
    """Build the images that are missing, concurrently, and return the tags of all.

    Raises ``ImageBuildFailed`` or ``NotEnoughDisk``.
    """
    builder = _Builder(client)
    tags = run_concurrently([partial(builder.ensure, spec) for spec in specs], patience=0.0)
    return dict(zip(specs, tags, strict=True))


class _Builder:
    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def ensure(self, spec: ImageSpec) -> str:
        tag = spec.tag
        with self._lock(tag):
            if not exists(self._client, tag):
                engine.require_disk(self._client, _DISK, f"Building the image {spec.name}")
                self._build(spec, tag, self._parent(spec))
        return tag

    def _parent(self, spec: ImageSpec) -> str:
        if isinstance(spec.parent, ImageSpec):
            return self.ensure(spec.parent)
        if spec.parent is not None:
            return self._pull(spec.parent)
        with self._lock("debian"):
            return self._debian()

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def _build(self, spec: ImageSpec, tag: str, parent: str) -> None:
        logger.info("image %s: building", spec.name)
        arguments = {name: value for name in _PROXY if (value := os.environ.get(name))}
        arguments |= {"BASE": parent, **dict(spec.args)}
        lines: list[str] = []
        try:
            with _build_context(spec) as context:
                for event in self._client.api.build(
                    fileobj=context,
                    custom_context=True,
                    tag=tag,
                    buildargs=arguments,
                    labels={LABEL: spec.name},
                    timeout=_SILENCE,
                    decode=True,
                    rm=True,
                    forcerm=True,
                ):
                    if "error" in event:
                        raise _build_failed(spec, event["error"].strip(), lines)
                    line = event.get("stream", "").strip()
                    if line:
                        lines.append(line)
                    if line.startswith("Step "):
                        logger.info("image %s: %s", spec.name, line[:100].splitlines()[0])
        except (DockerException, BuildError, OSError) as error:
            raise _build_failed(spec, str(error), lines) from error

    def _pull(self, image: str) -> str:
        """Pull an image of the user's, unless the engine has it, and return its name."""
        if not exists(self._client, image):
            logger.info("image %s: pulling", image)
            try:
                self._client.images.pull(image)
            except (DockerException, OSError) as error:
                reason = getattr(error, "explanation", error)
                raise ImageBuildFailed(
                    f"The image {image} is not on this engine and could not be pulled: {reason}",
                    hint="`docker load` or `docker build` it first, or leave the option out "
                    "to use the testbed's own.",
                ) from error
        return image

    def _debian(self) -> str:
        """Return Debian's image: from a registry, or bootstrapped where none is reachable."""
        official, ours = f"debian:{DEBIAN_RELEASE}-slim", f"{REPOSITORY}/debian:{DEBIAN_RELEASE}"
        for image in (official, ours):
            if exists(self._client, image):
                return image
        if _registry_has(official):
            return self._pull(official)
        try:
            return self._bootstrap(ours)
        except TestbedError as error:
            hint = f"`docker load` {official}, give access to a registry, or run as root on Debian."
            raise ImageBuildFailed(
                f"No image registry is reachable for {official}, "
                f"and it could not be bootstrapped: {error.message}",
                hint=f"{hint} {error.hint}".strip(),
            ) from error

    def _bootstrap(self, tag: str) -> str:
        if shutil.which("mmdebstrap") is None:
            if not debian.can_install():
                raise TestbedError("mmdebstrap is not installed.", hint="Install mmdebstrap.")
            debian.install(
                ["mmdebstrap"],
                "no image registry is reachable, so the base image is made from packages",
            )
        logger.info("image debian: bootstrapping %s with mmdebstrap", DEBIAN_RELEASE)
        with tempfile.TemporaryDirectory(prefix="testbed-debian-") as folder:
            archive = Path(folder) / "base.tar"
            command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
            code, output = commands.run([*command, DEBIAN_RELEASE, str(archive)])
            if code:
                last = " ".join(output.strip().splitlines()[-3:])
                raise TestbedError(f"mmdebstrap failed: {last}")
            repository, _, version = tag.partition(":")
            changes = [f"LABEL {LABEL}=debian"]
            with translate(f"The image {tag} could not be imported"):
                answer = self._client.api.import_image_from_file(
                    str(archive), repository=repository, tag=version, changes=changes
                )
        if not exists(self._client, tag):  # the engine's answer has the status 200 even then
            raise TestbedError(f"The image {tag} could not be imported: {str(answer).strip()}")
        return tag


def _build_failed(spec: ImageSpec, reason: str, lines: Sequence[str]) -> ImageBuildFailed:
    output = " | ".join(line[:200] for line in lines[-4:])
    return ImageBuildFailed(
        f"The image {spec.name} could not be built: {reason}"
        + (f". Its last output: {output}" if output else ""),
        hint=f"The next run tries again. Its recipe is containers/{spec.folder}/Dockerfile.",
    )


def _registry_has(image: str) -> bool:
    try:
        with closing(engine.connect(start=False, timeout=_REGISTRY_ANSWERS_WITHIN)) as client:
            client.images.get_registry_data(image)
    except (DockerException, OSError):  # refused, no name, no answer in time
        return False
    return True


@contextmanager
def _build_context(spec: ImageSpec) -> Iterator[IO[bytes]]:
    """Write the build context as a tar on disk, since a distribution in it may be large."""
    with tempfile.TemporaryFile(prefix="testbed-context-") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, path in spec.contents():
                tar.add(path, arcname=name, filter=_normalized)
            bundle = _ca_bundle()
            info = tarfile.TarInfo("ca.crt")
            info.size = len(bundle)
            tar.addfile(info, io.BytesIO(bundle))
        file.seek(0)
        yield file


def _normalized(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out owner, time and umask of the checkout, which do not matter to the image."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    return info


def _ca_bundle(environment: Mapping[str, str] = os.environ) -> bytes:
    """Return this machine's CA bundle, or nothing where there is none."""
    candidates = [
        environment.get(name) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
    ]
    candidates += [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    ]
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_bytes()
    return b""
