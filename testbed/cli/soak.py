"""`testbed soak`: everything mixed for hours, watched for growth."""

import logging
import secrets
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.base import JsonOption, errors_shown, finite, new_app
from testbed.cli.campaign import require_no_histories
from testbed.cli.scenario import require_writable

logger = logging.getLogger(__name__)
app = new_app()


@app.command()
def soak(
    hours: Annotated[float, typer.Option(min=0, callback=finite, help="How long to go on.")] = 0.4,
    seed: Annotated[
        int | None, typer.Option(help="What the schedule is made from; random by default.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Write soak.json, soak.html and the histories into it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Mix faults and traffic for hours, and watch for growth.

    It uses a new testbed, which is removed afterwards. What was played when Ctrl-C or an error ends
    it is kept. Exit status 1 when something confirmed is lost, it breaks off, or memory,
    descriptors, threads, containers, volumes or mounts grow.
    """
    import tempfile

    from testbed.campaign import soak as soaks
    from testbed.campaign.render import growth, html, text
    from testbed.extras import require
    from testbed.testbed import Testbed

    with errors_shown(as_json):
        require("clients")
        require_writable(folder)
        require_no_histories(folder)
        seed = secrets.randbelow(1_000_000) if seed is None else seed
        command = f"testbed soak --hours {hours:g} --seed {seed}"
        logger.info("repeated by: %s", command)
        with (
            tempfile.TemporaryDirectory(prefix="testbed-histories-") as histories,
            Testbed() as testbed,
        ):
            soaked = soaks.run(
                testbed,
                folder or Path(histories),
                seed=seed,
                seconds=hours * 3600,
                command=command,
                on_played=lambda played: logger.info("%s", text.line(played)),
            )
        document = soaks.encode(soaked)
        if folder:
            (folder / "soak.json").write_text(document)
            (folder / "soak.html").write_text(html.render(soaked.campaign, soaked))
        table = [growth.HEAD, *growth.cells(soaked)]
        lines = [*text.columns(table), "", growth.line(soaked)]
        print(document if as_json else "\n".join([text.terminal(soaked.campaign), "", *lines]))
    if not soaked.ok:
        raise typer.Exit(1)
