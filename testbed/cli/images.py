"""`testbed images`: what the testbed runs, built here."""

from testbed.cli.base import JsonOption, errors_shown, new_app, show

app = new_app("List, build and remove the testbed's images.")


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
def build(as_json: JsonOption = False) -> None:
    """Build what is missing, as `up` and `demo` do by themselves.

    The images of KMS and of the default version of each engine.
    """
    from testbed.documented.engines import DEFAULT_VERSION
    from testbed.engines.all import ENGINES
    from testbed.runtime import engine, images
    from testbed.runtime.builder import ensure_images

    with errors_shown(as_json):
        brokers = [ENGINES[name].image(DEFAULT_VERSION[name]) for name in ENGINES]
        tags = ensure_images(engine.connect(), [images.KMS, *brokers])
        show(list(tags.values()), as_json, "\n".join)


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
