"""`testbed campaign plan`, `run` and `show`: faults under confirmed traffic."""

import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import JsonOption, errors_shown, finite, new_app, show
from testbed.cli.scenario import require_writable

if TYPE_CHECKING:
    from testbed.campaign.plan import Round
    from testbed.campaign.results import Campaign

logger = logging.getLogger(__name__)

Topologies = Annotated[
    list[str],
    typer.Option("--topology", "-t", help="A kind of deployment; all by default. May be repeated."),
]
FaultNames = Annotated[
    list[str],
    typer.Option("--fault", "-f", help="A fault; by default all that apply. May be repeated."),
]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds on each topology.")]
Controls = Annotated[
    int, typer.Option(min=0, help="Rounds of each control, which has to lose messages.")
]
Seed = Annotated[
    int | None, typer.Option(help="What the schedule is made from; random by default.")
]
_FILES = "Write faults.json, faults.html, faults.md"
Folder = Annotated[Path | None, typer.Option(help=f"{_FILES} and the histories into it.")]
app = new_app("Inject faults under traffic, and count what is lost.")


@app.command("plan")
def plan(
    topologies: Topologies = [],  # noqa: B006 - typer's way
    faults: FaultNames = [],  # noqa: B006 - typer's way
    rounds: Rounds = 10,
    controls: Controls = 1,
    seed: Seed = None,
    as_json: JsonOption = False,
) -> None:
    """Print the rounds that `run` plays with the same options."""
    from dataclasses import asdict

    with errors_shown(as_json):
        seed = _chosen(seed)
        planned = _planned(seed, topologies, faults, rounds, controls)
        document = {"seed": seed, "rounds": [asdict(entry) for entry in planned]}
        show(document, as_json, lambda _: "\n".join([f"seed {seed}", *map(str, planned)]))


@app.command("run")
def run(
    topologies: Topologies = [],  # noqa: B006 - typer's way
    faults: FaultNames = [],  # noqa: B006 - typer's way
    rounds: Rounds = 10,
    controls: Controls = 1,
    seed: Seed = None,
    number: Annotated[
        int | None, typer.Option("--round", help="Play this round alone; needs one topology.")
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, help="Begin no round after so many minutes; 0 for no limit."
        ),
    ] = 0.0,
    folder: Folder = None,
    as_json: JsonOption = False,
) -> None:
    """Play rounds on new brokers, which are removed afterwards.

    What was played when Ctrl-C or an error ends it is kept. Exit status 1 when something confirmed
    is lost, something is unexpected or out of order, a broker does not recover, a control loses
    nothing, or it breaks off.
    """
    import tempfile

    from testbed.campaign.plan import find
    from testbed.campaign.render import text
    from testbed.campaign.run import run as run_campaign
    from testbed.errors import TestbedError
    from testbed.extras import require
    from testbed.testbed import Testbed

    with errors_shown(as_json):
        require("clients")
        require_writable(folder)
        require_no_histories(folder)
        seed = _chosen(seed)
        planned = _planned(seed, topologies, faults, rounds, controls)
        if number is not None:
            if len(topologies) != 1:
                raise TestbedError("--round needs one --topology: each numbers its own rounds.")
            planned = [find(planned, number)]
        command = _command(seed, topologies, faults, rounds, controls, number)
        logger.info("repeated by: %s", command)
        with (
            tempfile.TemporaryDirectory(prefix="testbed-histories-") as histories,
            Testbed() as testbed,
        ):
            campaign = run_campaign(
                testbed,
                planned,
                folder or Path(histories),
                seed=seed,
                command=command,
                on_played=lambda played: logger.info("%s", text.line(played)),
                minutes=minutes,
            )
        _conclude(campaign, folder, as_json)


@app.command("show")
def show_files(
    files: Annotated[list[Path], typer.Argument(help="Results as JSON; several are put together.")],
    folder: Annotated[Path | None, typer.Option(help=f"{_FILES} into it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show results again. Exit status as for run."""
    from testbed.campaign.results import read

    with errors_shown(as_json):
        require_writable(folder)
        _conclude(read(files), folder, as_json)


def _chosen(seed: int | None) -> int:
    return secrets.randbelow(1_000_000) if seed is None else seed


def _planned(
    seed: int, topologies: list[str], faults: list[str], rounds: int, controls: int
) -> "list[Round]":
    """Return the rounds of all topologies. A fault that applies to none of them is refused."""
    from testbed.campaign.plan import KINDS, TOPOLOGIES, applies, schedule
    from testbed.errors import TestbedError

    for name in topologies:
        if name not in TOPOLOGIES:
            raise TestbedError(
                f"There is no topology {name!r}.", hint=f"There are: {', '.join(TOPOLOGIES)}."
            )
    # Each once: a topology numbers its rounds, and their histories.
    chosen = [TOPOLOGIES[name] for name in dict.fromkeys(topologies or TOPOLOGIES)]
    planned = [
        entry
        for topology in chosen
        for entry in schedule(seed, topology, rounds, faults=faults, controls=controls)
    ]
    for name in faults:
        if not any(applies(KINDS[name], topology) for topology in chosen):
            titles = ", ".join(topology.title for topology in chosen)
            raise TestbedError(f"The fault {name} does not apply to {titles}.")
    return planned


def _command(
    seed: int,
    topologies: list[str],
    faults: list[str],
    rounds: int,
    controls: int,
    number: int | None,
) -> str:
    names = [
        *(f"--topology {name}" for name in topologies),
        *(f"--fault {name}" for name in faults),
        *([] if number is None else [f"--round {number}"]),
    ]
    options = [f"--seed {seed}", f"--rounds {rounds}", f"--controls {controls}", *names]
    return f"testbed campaign run {' '.join(options)}"


def require_no_histories(folder: Path | None) -> None:
    """Raise ``TestbedError`` for a folder with histories, which no round writes over."""
    from testbed.errors import TestbedError

    if folder and (earlier := sorted(folder.glob("*.jsonl"))):
        raise TestbedError(
            f"{folder} has histories of an earlier run, such as {earlier[0].name}.",
            hint="Name another folder, or remove them.",
        )


def _conclude(campaign: "Campaign", folder: Path | None, as_json: bool) -> None:
    from testbed.campaign.render import html, text
    from testbed.campaign.results import encode

    document = encode(campaign)
    if folder:
        (folder / "faults.json").write_text(document)
        (folder / "faults.html").write_text(html.render(campaign))
        (folder / "faults.md").write_text(text.markdown(campaign))
    print(document if as_json else text.terminal(campaign))
    if not campaign.ok:
        raise typer.Exit(1)
