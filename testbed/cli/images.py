"""`testbed images`: what the testbed runs, built here."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import JsonOption, errors_shown, new_app, show
from testbed.errors import TestbedError

if TYPE_CHECKING:  # commands start sooner without
    from testbed.runtime.images import ImageSpec

_LOAD_WITHIN = 600.0  # seconds for the engine to answer: an image has hundreds of megabytes
_Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE",
        help="Such as localstack, rabbitmq-3.13, activemq-5.18, balancer (of clusters) or fault; "
        "by default KMS and the default version of each engine.",
        show_default=False,
    ),
]

app = new_app("List, build, keep and remove the testbed's images.")


@app.command("list")
def list_images(as_json: JsonOption = False) -> None:
    """List what is built on this engine."""
    from testbed.runtime import engine, images

    with errors_shown(as_json):
        show(
            images.list_images(engine.connect(start=False)),
            as_json,
            lambda rows: (
                "\n".join(
                    f"{row['tag']:<48} {row['bytes'] / 2**20:6.0f} MiB  {row['created']}"
                    for row in rows
                )
                or "None."
            ),
        )


@app.command()
def build(
    names: _Names = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="A folder to load images from, and to keep them in; files of others are removed."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build what is missing, as `up` and `demo` do by themselves."""
    from testbed.runtime import engine, image_files
    from testbed.runtime.builder import ensure_images

    with errors_shown(as_json):
        specs = _chosen(names)
        client = engine.connect(timeout=_LOAD_WITHIN)
        if cache:
            image_files.load(client, specs, cache)
        tags = ensure_images(client, specs)
        if cache:
            image_files.save(client, specs, cache)
        show(list(tags.values()), as_json, "\n".join)


@app.command()
def key(names: _Names = None, as_json: JsonOption = False) -> None:
    """Print a digest of what goes into the images, as a cache's key."""
    with errors_shown(as_json):
        digests = " ".join(sorted(spec.digest for spec in _chosen(names)))
        document = {"key": hashlib.sha256(digests.encode()).hexdigest()[:16]}
        show(document, as_json, lambda document: document["key"])


@app.command()
def remove(as_json: JsonOption = False) -> None:
    """Remove all images, except those in use."""
    from testbed.runtime import engine, images

    with errors_shown(as_json):
        show(
            images.remove(engine.connect(start=False)),
            as_json,
            lambda tags: "\n".join(tags) or "None.",
        )


def _chosen(names: Sequence[str] | None) -> "list[ImageSpec]":
    """Return the images of these names. Raises ``TestbedError`` for an unknown one."""
    from testbed.documented.engines import DEFAULT_VERSION, VERSIONS
    from testbed.engines import balancer
    from testbed.engines.all import ENGINES
    from testbed.runtime import images

    brokers = [
        engine.image(version) for name, engine in ENGINES.items() for version in VERSIONS[name]
    ]
    known = {spec.name: spec for spec in (images.KMS, *brokers, balancer.IMAGE, images.FAULT)}
    defaults = [engine.image(DEFAULT_VERSION[name]).name for name, engine in ENGINES.items()]
    try:
        return [known[name] for name in dict.fromkeys(names or (images.KMS.name, *defaults))]
    except KeyError as error:
        raise TestbedError(
            f"Unknown image {error.args[0]!r}.", hint=f"There are: {', '.join(known)}."
        ) from error
