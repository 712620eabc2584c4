"""`testbed images`: what the testbed runs, built here."""

import typer

from testbed.cli import app
from testbed.cli.base import JsonOption, show, translated
from testbed.documented.engines import DEFAULT_VERSION
from testbed.engines.all import ENGINES
from testbed.runtime import engine, images
from testbed.runtime.builder import ensure_images

_group = typer.Typer(help="The testbed's images.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(_group, name="images")


@_group.command("list")
def list_images(as_json: JsonOption = False) -> None:
    """What is built on this engine."""
    with translated(as_json):
        rows = images.built(engine.connect(start=False))
        show(
            rows,
            as_json,
            lambda rows: (
                "\n".join(
                    f"{row['tag']:<48} {row['bytes'] / 2**20:6.0f} MiB  {row['created']}"
                    for row in rows
                )
                or "None."
            ),
        )


@_group.command()
def build(as_json: JsonOption = False) -> None:
    """Build what is missing, as `up` and `demo` do by themselves.

    KMS and the default version of each engine.
    """
    with translated(as_json):
        specs = [images.KMS, *(ENGINES[each].image(DEFAULT_VERSION[each]) for each in ENGINES)]
        tags = ensure_images(engine.connect(), specs)
        show(list(tags.values()), as_json, "\n".join)


@_group.command()
def remove(as_json: JsonOption = False) -> None:
    """Remove them all, except those in use."""
    with translated(as_json):
        show(
            images.remove(engine.connect(start=False)),
            as_json,
            lambda tags: "\n".join(tags) or "None.",
        )
