"""`testbed bench ...`: what encryption costs.

The benchmark's modules and its optional libraries are imported by the commands that need them.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, finite, new_app, show
from testbed.cli.bench_options import (
    CaFile,
    DriverNames,
    Duration,
    Encryptions,
    Fresh,
    HtmlFile,
    JsonFile,
    PasswordFile,
    Rate,
    Url,
    Username,
    WarmUp,
    WorkloadNames,
    changed,
    command_line,
    conclude,
    open_testbed,
    remote_target,
    require_files,
)
from testbed.cli.bench_table import table, yardstick
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from testbed.bench.spec import Case

_LAYERS = ["plaintext+plain", "tls+plain", "tls"]
app = new_app("Measure what encryption costs on real brokers.")


@app.command("list")
def list_files(as_json: JsonOption = False) -> None:
    """List the workloads and drivers that come with the testbed."""
    from testbed.bench.spec import (
        DRIVERS,
        WORKLOADS,
        Driver,
        Workload,
        load_driver,
        load_workload,
    )

    with errors_shown(as_json):
        shipped: dict[str, Sequence[Workload | Driver]] = {
            "workload": [load_workload(name) for name in _names(WORKLOADS)],
            "driver": [load_driver(name) for name in _names(DRIVERS)],
        }
        rows = [
            {"kind": kind, "name": spec.name, "title": spec.title}
            for kind, specs in shipped.items()
            for spec in specs
        ]
        show(
            rows,
            as_json,
            lambda rows: "\n".join(
                f"{row['kind']:<9} {row['name']:<18} {row['title']}" for row in rows
            ),
        )


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


@app.command("run")
def run(
    workloads: WorkloadNames = ["durable-1k"],  # noqa: B006 - typer copies it
    drivers: DriverNames = ["rabbitmq", "activemq"],  # noqa: B006 - typer copies it
    encryptions: Encryptions = _LAYERS,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds on each side, instead of the workload's.")
    ] = None,
    warm_up: WarmUp = None,
    duration: Duration = None,
    rate: Rate = None,
    turn: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            help="Seconds that each side works at a time, instead of whole rounds.",
        ),
    ] = None,
    search: Annotated[
        bool,
        typer.Option("--search", help="Find the highest sustainable rate, from --rate on."),
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Also measure at rising rates."),
    ] = False,
    endpoint: Url = "",
    username: Username = "",
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Run workloads by drivers, with and without encryption in turns."""
    with errors_shown():
        from testbed.bench.render.terminal import ProgressObserver
        from testbed.bench.run import run_cases
        from testbed.bench.spec import Case, load_driver, load_workload
        from testbed.bench.target import Encryption

        require_files(json_file, html_file)
        axis = tuple(map(Encryption.parse, encryptions))
        if turn and (rate or search):
            raise TestbedError(
                "--turn needs whole rounds without a rate: leave out --rate and --search."
            )
        chosen = [load_driver(name) for name in drivers]
        changes = {
            "rounds": rounds,
            "warm_up": warm_up,
            "duration": duration,
            "rate": rate,
            "turn": turn,
            "search": search or None,
        }
        cases = [
            Case(changed(load_workload(name), **changes), driver, axis, sweep)
            for driver in chosen
            for name in workloads
        ]
        if turn:
            _check_turns(cases)
        if endpoint and len(chosen) > 1:
            raise TestbedError("An endpoint speaks one protocol: give one --driver.")
        if endpoint and encryptions != _LAYERS:
            raise TestbedError("An endpoint is encrypted as it is: leave out --encryption.")
        remote = remote_target(endpoint, username, password_file, ca_file, chosen[0].protocol)
        with nullcontext() if remote else open_testbed(fresh=fresh, state=state) as testbed:
            result = run_cases(testbed, cases, command_line(), ProgressObserver(), remote=remote)
        conclude(result, json_file, html_file)


def _check_turns(cases: Sequence["Case"]) -> None:
    from testbed.bench.spec import MOST_IN_TURNS, takes_turns

    for case in cases:
        if case.workload.rate:
            raise TestbedError(
                f"{case.workload.name} has a rate, which is kept throughout a round: "
                "its sides cannot take turns within one."
            )
        if not takes_turns(case.workload, case.driver):
            raise TestbedError(
                f"{case.driver.name} sends more than {MOST_IN_TURNS} messages at once: "
                "its sides cannot take turns within a round."
            )


@app.command("compare")
def compare(
    files: Annotated[
        list[Path],
        typer.Argument(help="Results as JSON; the others are compared with the first."),
    ],
    html_file: HtmlFile = None,
) -> None:
    """Compare results of different runs."""
    with errors_shown():
        from testbed.bench.analysis import compare as compare_results
        from testbed.bench.render import html, terminal
        from testbed.bench.results import read

        require_files(html_file)
        if len(files) < 2:
            raise TestbedError("There is nothing to compare with one result: give two or more.")
        results = [(str(file), read(file)) for file in files]
        comparisons = compare_results(results)
        terminal.show_comparisons(comparisons)
        if html_file:
            html_file.write_text(html.render(results[0][1], comparisons))


@app.command("show")
def show_file(
    file: Annotated[Path, typer.Argument(help="A result as JSON.")], html_file: HtmlFile = None
) -> None:
    """Show a result again."""
    with errors_shown():
        from testbed.bench.results import read

        require_files(html_file)
        conclude(read(file), None, html_file)


@app.command("scale")
def scale(
    workload_name: Annotated[
        str, typer.Option("--workload", "-w", help="A workload's name or file.")
    ] = "rate-1k",
    driver_name: Annotated[
        str, typer.Option("--driver", "-d", help="A driver's name or file.")
    ] = "rabbitmq",
    encryption: Annotated[
        str, typer.Option("--encryption", "-e", help="One of those that `run` takes.")
    ] = "tls",
    workers: Annotated[int, typer.Option(min=1, help="Workers on this machine.")] = 2,
    others: Annotated[
        int,
        typer.Option(min=0, help="Workers elsewhere to wait for; how they join is printed."),
    ] = 0,
    bind: Annotated[
        str, typer.Option(help="Where workers join: an address of this machine, or * for all.")
    ] = "127.0.0.1",
    warm_up: WarmUp = None,
    duration: Duration = None,
    rate: Rate = None,
    endpoint: Url = "",
    username: Username = "",
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Run a workload by workers on several machines.

    Locust is an extra: pip install 'amazonmq-testbed[scale]'. Workers on other machines have to
    reach the broker.
    """
    with errors_shown():
        from testbed.bench.distributed.run import check, run_case
        from testbed.bench.spec import Case, load_driver, load_workload
        from testbed.bench.target import Encryption

        require_files(json_file, html_file)
        driver = load_driver(driver_name)
        workload = changed(
            load_workload(workload_name), rounds=1, warm_up=warm_up, duration=duration, rate=rate
        )
        case = Case(workload, driver, (Encryption.parse(encryption),))
        check(case)
        remote = remote_target(endpoint, username, password_file, ca_file, driver.protocol)
        with nullcontext() if remote else open_testbed(fresh=fresh, state=state) as testbed:
            result = run_case(
                testbed,
                case,
                command_line(),
                workers=workers,
                others=others,
                bind=bind,
                remote=remote,
            )
        conclude(result, json_file, html_file)


app.command("yardstick")(yardstick)
app.command("table")(table)
