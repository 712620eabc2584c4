"""`testbed bench ...`: what encryption costs.

The benchmark's modules and its optional libraries are imported by the commands that need them.
"""

import logging
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, new_app, show
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
    open_testbed,
    remote_target,
)
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from testbed.bench.results import Result, Yardstick
    from testbed.bench.spec import Case
    from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

_LAYERS = ["plaintext+plain", "tls+plain", "tls"]
_ENGINES = ["RABBITMQ", "ACTIVEMQ"]
app = new_app("What encryption costs: throughput and latency on real brokers.")


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
        typer.Option(help="Seconds that each side works at a time, instead of whole rounds."),
    ] = None,
    search: Annotated[
        bool,
        typer.Option("--search", help="Find the highest sustainable rate, from --rate on."),
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Measure at rising rates too."),
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
        from testbed.bench.encryption import Encryption
        from testbed.bench.render.terminal import ProgressObserver
        from testbed.bench.run import run_cases
        from testbed.bench.spec import Case, load_driver, load_workload

        axis = tuple(map(Encryption.parse, encryptions))
        if turn and (rate or search):
            raise TestbedError("--turn needs whole rounds without a rate: leave out --rate.")
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
        remote = remote_target(endpoint, username, password_file, ca_file, chosen[0].protocol)
        with nullcontext() if remote else open_testbed(fresh=fresh, state=state) as testbed:
            result = run_cases(testbed, cases, _command(), ProgressObserver(), remote=remote)
        _conclude(result, json_file, html_file)


def _check_turns(cases: Sequence["Case"]) -> None:
    from testbed.bench.spec import MOST_IN_TURNS, takes_turns

    for case in cases:
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
        from testbed.bench.compare import compare as compare_results
        from testbed.bench.render import html, json, terminal

        if len(files) < 2:
            raise TestbedError("There is nothing to compare with one result: give two or more.")
        results = [(str(file), json.read(file)) for file in files]
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
        from testbed.bench.render import json

        _conclude(json.read(file), None, html_file)


def _conclude(result: "Result", json_file: Path | None, html_file: Path | None) -> None:
    """Print a result, and write it into the given files."""
    from testbed.bench.render import terminal

    terminal.show(result)
    _write(result, json_file, html_file)


def _write(result: "Result", json_file: Path | None, html_file: Path | None) -> None:
    from testbed.bench.render import html, json

    for path, render in ((json_file, json.render), (html_file, html.render)):
        if path:
            path.write_text(render(result))
            print(f"Written to {path}")


def _command() -> str:
    """Return the command line. It has no secret: passwords come from a file."""
    return shlex.join(["testbed", *sys.argv[1:]])


@app.command("scale")
def scale(
    workload_name: Annotated[
        str, typer.Option("--workload", "-w", help="A workload's name or file.")
    ] = "rate-1k",
    driver_name: Annotated[
        str, typer.Option("--driver", "-d", help="A driver's name or file.")
    ] = "rabbitmq",
    encryption: Annotated[str, typer.Option("--encryption", "-e", help="As for run; one.")] = "tls",
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
        from testbed.bench.encryption import Encryption
        from testbed.bench.spec import Case, load_driver, load_workload

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
                _command(),
                workers=workers,
                others=others,
                bind=bind,
                remote=remote,
            )
        _conclude(result, json_file, html_file)


@app.command("yardstick")
def yardstick(
    engines: Annotated[
        list[str],
        typer.Option("--engine", help="RABBITMQ or ACTIVEMQ; may be repeated."),
    ] = _ENGINES,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds on each side.")] = 8,
    duration: Annotated[float, typer.Option(help="Seconds of measuring in each round.")] = 5.0,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Compare our load generators with the brokers' own.

    RabbitMQ's is PerfTest, ActiveMQ's its producer and consumer commands.
    """
    with errors_shown():
        from testbed.bench.yardstick import compare_generators

        with open_testbed(fresh=fresh, state=state) as testbed:
            for engine in engines:
                compared = compare_generators(testbed, engine, rounds=rounds, duration=duration)
                print(compared, flush=True)


@app.command("table")
def table(
    short: Annotated[
        bool,
        typer.Option("--short", help="In minutes, not an hour: to see that it works."),
    ] = False,
    only: Annotated[
        list[str], typer.Option("--section", help="Only sections whose title contains this.")
    ] = [],  # noqa: B006 - typer copies it
    docs: Annotated[
        Path | None,
        typer.Option("--docs", help="Write the table as Markdown, such as docs/costs.md."),
    ] = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Make the cost table of this machine.

    Layers, sizes, suites, handshakes, payloads, protocols, and our generators beside the brokers'
    own. Exit status 1 when an expected order is broken.
    """
    with errors_shown():
        from testbed.bench.render import markdown
        from testbed.bench.render.terminal import ProgressObserver
        from testbed.bench.run import run_cases
        from testbed.bench.table import orders, sections

        rounds, warm_up, duration = (5, 0.3, 0.7) if short else (8, 1.0, 2.0)
        chosen = [
            section
            for section in sections(rounds=rounds, warm_up=warm_up, duration=duration)
            if not only or any(part in section.title for part in only)
        ]
        if not chosen:
            raise TestbedError("Unknown section.")
        cases = [case for section in chosen for case in section.cases]
        with open_testbed(fresh=fresh, state=state) as testbed:
            result = run_cases(testbed, cases, _command(), ProgressObserver())
            _conclude(result, json_file, html_file)  # kept if the rest fails
            if not short and not only:
                result = replace(result, yardsticks=_yardsticks(testbed))
                _write(result, json_file, html_file)
        for compared in result.yardsticks:
            print(compared)
        if docs:
            docs.write_text(markdown.render(result, chosen))
            print(f"Written to {docs}")
        broken = [order for order in orders(result) if not order.holds]
        for order in broken:
            print(f"! {order.about}: {order.slower} is faster than {order.faster}: {order.ratio}")
        if broken:
            raise typer.Exit(1)


def _yardsticks(testbed: "Testbed") -> tuple["Yardstick", ...]:
    """Compare our generators with the brokers' own, as far as that works."""
    from testbed.bench import yardstick

    compared = []
    for engine in _ENGINES:
        try:
            compared.append(yardstick.compare_generators(testbed, engine))
        except TestbedError as error:
            logger.info("%s: not compared with its own generator: %s", engine, error)
    return tuple(compared)
