"""Images: one folder of ``containers/`` each, built here, and built again only when its folder changed.

A tag is a digest of everything that goes in, so what is built is what the folder says, and a build that failed
half-way has left no tag behind: the next run builds again.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from testbed import paths
from testbed.errors import ImageBuildFailed, TestbedError
from testbed.runtime import debian, parallel
from testbed.runtime.containers import require_disk

logger = logging.getLogger(__name__)

REPOSITORY = "amazonmq-testbed"
LABEL = "amazonmq-testbed.image"
DEBIAN_RELEASE = "trixie"
_DISK = (
    2 * 2**30
)  # bytes of free disk: all images of the testbed with what their builds leave behind
_PROXY = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class ImageSpec:
    """How an image is built: ``folder`` of ``containers/`` on top of ``parent``.

    ``parent`` is another spec, the name of an image of the user's own, or None for Debian; its tag reaches the
    Dockerfile as the build argument ``BASE``. ``files`` are put into the build context besides the folder:
    (name there, path here). Every context also has ``ca.crt``, this machine's CA bundle, for builds behind an
    inspecting proxy; no final image may keep it.
    """

    name: str
    folder: str
    parent: "ImageSpec | str | None" = None
    args: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, Path], ...] = ()

    @property
    def tag(self) -> str:
        return f"{REPOSITORY}/{self.name}:{self._digest()[:12]}"

    def _digest(self) -> str:
        parent = self.parent._digest() if isinstance(self.parent, ImageSpec) else str(self.parent)
        digest = hashlib.sha256(json.dumps([self.name, self.args, parent]).encode())
        for name, path in self.contents():
            digest.update(f"\0{name}\0{path.stat().st_mode & 0o111}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def contents(self) -> Iterator[tuple[str, Path]]:
        """What goes into the context, except ``ca.crt``."""
        folder = paths.data("containers") / self.folder
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder).as_posix(), path
        yield from self.files


BROKER_BASE = ImageSpec("base", "base")
KMS = ImageSpec("localstack", "localstack")


def own(engine_type: str, image: str) -> ImageSpec:
    """An image of the user's own, with what the encrypted volume needs put in where it lacks it."""
    return ImageSpec(f"own-{engine_type.lower()}", "base", parent=image)


def own_kms(image: str) -> ImageSpec:
    """A LocalStack image of the user's own, made to remember its keys as ours does."""
    memory = paths.data("containers") / KMS.folder / "persist.py"
    return ImageSpec(
        "own-localstack", "own-localstack", parent=image, files=((memory.name, memory),)
    )


def ensure(client: docker.DockerClient, specs: Sequence[ImageSpec]) -> dict[ImageSpec, str]:
    """Build what is missing of ``specs``, side by side, and return their tags. Raises ``ImageBuildFailed`` or ``NotEnoughDisk``."""
    builder = _Builder(client)
    return dict(
        zip(
            specs,
            parallel.side_by_side([partial(builder.ensure, spec) for spec in specs], patience=0.0),
            strict=True,
        )
    )


def missing(client: docker.DockerClient, specs: Sequence[ImageSpec]) -> list[ImageSpec]:
    """Those of ``specs`` that are not built."""
    return [spec for spec in specs if not _present(client, spec.tag)]


def built(client: docker.DockerClient) -> list[dict[str, object]]:
    """The testbed's images on this engine: tag, size in bytes, time of creation."""
    return [
        {"tag": tag, "bytes": image.attrs["Size"], "created": image.attrs["Created"]}
        for image in client.images.list(filters={"label": LABEL})
        for tag in image.tags
    ]


def remove(client: docker.DockerClient) -> list[str]:
    """Remove every image of the testbed; those in use stay. Returns the tags removed."""
    gone = []
    for row in built(client):
        try:
            client.images.remove(str(row["tag"]))
            gone.append(str(row["tag"]))
        except APIError as error:
            if error.status_code != 409:  # in use by a container
                raise
    return gone


class _Builder:
    """One round of builds: each image once, a parent before its children."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def ensure(self, spec: ImageSpec) -> str:
        tag = spec.tag
        with self._lock(tag):
            if _present(self._client, tag):
                return tag
            require_disk(self._client, _DISK, f"Building the image {spec.name}")
            if isinstance(spec.parent, ImageSpec):
                base = self.ensure(spec.parent)
            elif spec.parent is not None:
                base = self._pulled(spec.parent)
            else:
                with self._lock("debian"):
                    base = self._debian()
            self._build(spec, tag, base)
            return tag

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def _build(self, spec: ImageSpec, tag: str, base: str) -> None:
        logger.info("image %s: building", spec.name)
        arguments = {name: value for name in _PROXY if (value := os.environ.get(name))}
        arguments |= {"BASE": base, **dict(spec.args)}
        said: list[str] = []
        try:
            # A step may be silent for minutes (compiling, downloading), hence the long timeout.
            api = docker.APIClient(
                base_url=os.environ["DOCKER_HOST"], timeout=900
            )  # as set by engine.connect
            with _context(spec) as context:
                for event in api.build(
                    fileobj=context,
                    custom_context=True,
                    tag=tag,
                    buildargs=arguments,
                    decode=True,
                    rm=True,
                    forcerm=True,
                    labels={LABEL: spec.name},
                ):
                    if "error" in event:
                        raise ImageBuildFailed(
                            f"The image {spec.name} could not be built: {event['error'].strip()}. {_last(said)}",
                            hint=f"The next run tries again. Its recipe is containers/{spec.folder}/Dockerfile.",
                        )
                    line = event.get("stream", "").strip()
                    if line:
                        said.append(line)
                    if line.startswith("Step "):
                        logger.info("image %s: %s", spec.name, line[:100].splitlines()[0])
        except (DockerException, BuildError, OSError) as error:
            raise ImageBuildFailed(
                f"The image {spec.name} could not be built: {error}",
                hint="The next run tries again.",
            ) from error

    def _pulled(self, image: str) -> str:
        """An image of the user's own, by name."""
        if not _present(self._client, image):
            logger.info("image %s: pulling", image)
            try:
                self._client.images.pull(image)
            except DockerException as error:
                raise ImageBuildFailed(
                    f"The image {image} is not on this engine and could not be pulled: {getattr(error, 'explanation', error)}",
                    hint="`docker load` or `docker build` it first, or leave the option out to use the testbed's own.",
                ) from error
        return image

    def _debian(self) -> str:
        """Debian: from the registry where one is reachable, else bootstrapped from Debian's packages."""
        official, ours = f"debian:{DEBIAN_RELEASE}-slim", f"{REPOSITORY}/debian:{DEBIAN_RELEASE}"
        for image in (official, ours):
            if _present(self._client, image):
                return image
        if self._registry_has(official):
            return self._pulled(official)
        try:
            return self._bootstrap(ours)
        except TestbedError as error:
            raise ImageBuildFailed(
                f"No image registry is reachable for {official}, and it could not be bootstrapped: {error.message}",
                hint=f"`docker load` {official}, give access to a registry, or run as root on Debian. {error.hint}".strip(),
            ) from error

    def _registry_has(self, image: str) -> bool:
        try:
            docker.APIClient(base_url=os.environ["DOCKER_HOST"], timeout=15).inspect_distribution(
                image
            )
            return True
        except (DockerException, OSError):  # refused, no name, no answer in time
            return False

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
            code, output = parallel.run(
                [
                    "mmdebstrap",
                    "--quiet",
                    "--variant=minbase",
                    "--include=ca-certificates",
                    DEBIAN_RELEASE,
                    str(archive),
                ]
            )
            if code:
                raise TestbedError(
                    f"mmdebstrap failed: {' '.join(output.strip().splitlines()[-3:])}"
                )
            repository, _, version = tag.partition(":")
            self._client.api.import_image_from_file(
                str(archive), repository=repository, tag=version, changes=[f"LABEL {LABEL}=debian"]
            )
        return tag


def _present(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
        return True
    except ImageNotFound:
        return False


def _last(said: Sequence[str]) -> str:
    return "Its last words: " + " | ".join(line[:200] for line in said[-4:]) if said else ""


def _ca_bundle(environment: Mapping[str, str] = os.environ) -> bytes:
    """This machine's CA bundle; empty where there is none to be found."""
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


def _context(spec: ImageSpec) -> "tempfile._TemporaryFileWrapper[bytes]":
    """The build context as a tar on disk: a distribution in it may be large."""
    file = tempfile.TemporaryFile(prefix="testbed-context-")
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, path in spec.contents():
            tar.add(path, arcname=name, filter=_plain)
        bundle = _ca_bundle()
        info = tarfile.TarInfo("ca.crt")
        info.size = len(bundle)
        tar.addfile(info, io.BytesIO(bundle))
    file.seek(0)
    return file  # type: ignore[return-value]


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owner, time and umask of the checkout do not matter to the image."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    return info
