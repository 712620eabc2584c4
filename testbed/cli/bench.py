"""`testbed bench ...`: what encryption costs."""

import logging
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from testbed.bench import as_json, driver, html, remote, terminal, workload
from testbed.bench.contrast import contrasts
from testbed.bench.encryption import Encryption
from testbed.bench.result import Result
from testbed.bench.rounds import FEW, takes_turns
from testbed.bench.session import Case, measure
from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, new_app, show
from testbed.errors import TestbedError
from testbed.testbed import Testbed, temporary

logger = logging.getLogger(__name__)
say = logger.info

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON into this file.")
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="Write the result as one HTML page into this file.")
]
Workloads = Annotated[
    list[str],
    typer.Option(
        "--workload", "-w", help="A workload's name or file; may be given more than once."
    ),
]
Drivers = Annotated[
    list[str],
    typer.Option("--driver", "-d", help="A driver's name or file; may be given more than once."),
]
Encryptions = Annotated[
    list[str],
    typer.Option(
        "--encryption",
        "-e",
        help="plaintext, tls, tls:SUITE or tls:TLSv1.3, then +plain, +envelope, +envelope-cached.",
    ),
]
Endpoint = Annotated[
    str,
    typer.Option(
        help="A broker elsewhere, by the URL of its endpoint, instead of brokers of its own."
    ),
]
Username = Annotated[str, typer.Option(help="For --endpoint.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="For --endpoint: a file with the password, or - for standard input."),
]
CaFile = Annotated[
    Path | None,
    typer.Option(help="For --endpoint: the authorities to trust, this machine's by default."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="On a testbed of its own, gone afterwards.")]
_LAYERS = ["plaintext+plain", "tls+plain", "tls"]
app = new_app("What encryption costs: throughput and latency on real brokers.")


@app.command("list")
def list_files(as_json_: JsonOption = False) -> None:
    """The workloads and drivers that come with the testbed."""
    with errors_shown(as_json_):
        rows = [
            {"kind": "workload", "name": each.name, "title": each.title}
            for each in map(workload.load, _names(workload.FOLDER))
        ]
        rows += [
            {"kind": "driver", "name": each.name, "title": each.title}
            for each in map(driver.load, _names(driver.FOLDER))
        ]
        show(
            rows,
            as_json_,
            lambda rows: "\n".join(
                f"{row['kind']:<9} {row['name']:<18} {row['title']}" for row in rows
            ),
        )


@app.command("run")
def run(
    workloads: Workloads = ["durable-1k"],  # noqa: B006 - typer's way
    drivers: Drivers = ["rabbitmq", "activemq"],  # noqa: B006
    encryptions: Encryptions = _LAYERS,
    rounds: Annotated[
        int | None, typer.Option(help="Rounds on each side, instead of the workload's own.")
    ] = None,
    warm_up: Annotated[
        float | None,
        typer.Option(help="Seconds of warm-up in each round, instead of the workload's own."),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(help="Seconds of measuring in each round, instead of the workload's own."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Messages a second of all producers, instead of the workload's own."),
    ] = None,
    turn: Annotated[
        float | None,
        typer.Option(
            help="Seconds that each side works before it is the other's turn, instead of whole rounds."
        ),
    ] = None,
    search: Annotated[
        bool,
        typer.Option("--search", help="Find the highest rate that is sustained, from --rate on."),
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="Besides, look at rising rates: throughput and latency against rate."
        ),
    ] = False,
    endpoint: Endpoint = "",
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
        asked = {
            "rounds": rounds,
            "warm_up": warm_up,
            "duration": duration,
            "rate": rate,
            "turn": turn,
            "search": search or None,
        }
        changes: dict[str, Any] = {
            name: value for name, value in asked.items() if value is not None
        }
        axis = tuple(map(Encryption.parse, encryptions))
        if turn and (rate or search):
            raise TestbedError(
                "A rate is kept for whole rounds: --turn is for as many messages as come."
            )
        chosen = [driver.load(name) for name in drivers]
        try:
            cases = [
                Case(replace(workload.load(name), **changes), by, axis, sweep)
                for by in chosen
                for name in workloads
            ]
        except ValueError as error:
            raise TestbedError(f"{error}.") from error
        if turn and (
            many := next(
                (case for case in cases if not takes_turns(case.workload, case.driver)), None
            )
        ):
            raise TestbedError(
                f"{many.driver.name} sends more than {FEW} messages at once: its sides can't take turns within a round."
            )
        elsewhere = None
        if endpoint:
            if len(chosen) > 1:
                raise TestbedError("An endpoint speaks one protocol: give one --driver.")
            elsewhere = remote.target(
                endpoint, username, _password(password_file), chosen[0].protocol, ca_file
            )
        with nullcontext(None) if elsewhere else _testbed(fresh, state) as testbed:
            result = measure(testbed, cases, _command(), say, _live, elsewhere)
        conclude(result, json_file, html_file)


@app.command("compare")
def compare(
    files: Annotated[
        list[Path],
        typer.Argument(help="Results as JSON; the first is what the others are compared with."),
    ],
    html_file: HtmlFile = None,
) -> None:
    """Compare results of different runs."""
    with errors_shown():
        if len(files) < 2:
            raise TestbedError("One result compares with nothing: give two or more.")
        found = contrasts([(str(file), as_json.read(file)) for file in files])
        terminal.show_contrasts(found)
        if html_file:
            html_file.write_text(html.render(as_json.read(files[0]), found))


@app.command("show")
def show_file(
    file: Annotated[Path, typer.Argument(help="A result as JSON.")], html_file: HtmlFile = None
) -> None:
    """Show a result again."""
    with errors_shown():
        conclude(as_json.read(file), None, html_file)


def conclude(result: Result, json_file: Path | None, html_file: Path | None) -> None:
    """Print a result and write it where that was asked for."""
    terminal.show(result, Console())
    for path, text in ((json_file, as_json.render(result)), (html_file, html.render(result))):
        if path:
            path.write_text(text)
            print(f"Written to {path}")


def _testbed(fresh: bool, state: Path) -> AbstractContextManager[Testbed]:
    return temporary() if fresh else nullcontext(Testbed.open(state))


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _command() -> str:
    """What was typed. It has no secret: passwords come by a file."""
    return shlex.join(["testbed", *sys.argv[1:]])


def _password(file: Path | None) -> str:
    if file is None:
        raise TestbedError("A broker elsewhere needs --username and --password-file.")
    try:
        return (sys.stdin.readline() if str(file) == "-" else file.read_text()).rstrip("\n")
    except OSError as error:
        raise TestbedError(f"{file} cannot be read: {error.strerror}.") from error


def _live(line: str) -> None:
    """Progress that the next line replaces, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{line}", end="\r", file=sys.stderr, flush=True)


@app.command("scale")
def scale(
    work: Annotated[
        str, typer.Option("--workload", "-w", help="A workload's name or file.")
    ] = "rate-1k",
    by: Annotated[
        str, typer.Option("--driver", "-d", help="A driver's name or file.")
    ] = "rabbitmq",
    encryption: Annotated[str, typer.Option("--encryption", "-e", help="As for run; one.")] = "tls",
    workers: Annotated[int, typer.Option(min=1, help="Workers on this machine.")] = 2,
    others: Annotated[
        int,
        typer.Option(
            min=0, help="Workers elsewhere that are waited for; how they join is printed."
        ),
    ] = 0,
    bind: Annotated[
        str, typer.Option(help="Where workers join: an address of this machine, or * for all.")
    ] = "127.0.0.1",
    warm_up: Annotated[
        float | None, typer.Option(help="Seconds of warm-up, instead of the workload's own.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds of measuring, instead of the workload's own.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Messages a second of all producers, instead of the workload's own."),
    ] = None,
    endpoint: Endpoint = "",
    username: Username = "",
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Run a workload by workers on several machines.

    Locust is an extra: pip install 'amazonmq-testbed[scale]'. Workers on other machines need the broker within their reach.
    """
    from testbed.bench.spread import spread
    from testbed.bench.swarm import check

    with errors_shown():
        asked = {"warm_up": warm_up, "duration": duration, "rate": rate}
        changes: dict[str, Any] = {
            name: value for name, value in asked.items() if value is not None
        }
        chosen, with_ = driver.load(by), Encryption.parse(encryption)
        try:
            load = replace(workload.load(work), rounds=1, **changes)
        except ValueError as error:
            raise TestbedError(f"{error}.") from error
        check(load, chosen, with_)
        elsewhere = (
            remote.target(endpoint, username, _password(password_file), chosen.protocol, ca_file)
            if endpoint
            else None
        )
        with nullcontext(None) if elsewhere else _testbed(fresh, state) as testbed:
            case = Case(load, chosen, (with_,))
            result = spread(
                testbed,
                case,
                _command(),
                say,
                workers=workers,
                others=others,
                bind=bind,
                remote=elsewhere,
            )
        conclude(result, json_file, html_file)


@app.command("yardstick")
def yardstick(
    engines: Annotated[
        list[str],
        typer.Option("--engine", help="RABBITMQ or ACTIVEMQ; may be given more than once."),
    ] = ["RABBITMQ", "ACTIVEMQ"],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Rounds on each side.")] = 8,
    duration: Annotated[float, typer.Option(help="Seconds of measuring in each round.")] = 5.0,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Compare our load generators with the brokers' own.

    RabbitMQ's is PerfTest, ActiveMQ's its producer and consumer commands.
    """
    from testbed.bench.yardstick import against

    with errors_shown(), _testbed(fresh, state) as testbed:
        for engine in engines:
            print(against(testbed, engine, say, rounds=rounds, duration=duration), flush=True)


@app.command("table")
def table(
    short: Annotated[
        bool,
        typer.Option(
            "--short",
            help="In minutes instead of about an hour: to see that it works, not to quote.",
        ),
    ] = False,
    only: Annotated[
        list[str], typer.Option("--section", help="Only sections whose title has this in it.")
    ] = [],  # noqa: B006
    docs: Annotated[
        Path | None,
        typer.Option(
            "--docs", help="Write the table as Markdown into this file, such as docs/costs.md."
        ),
    ] = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Make the cost table of this machine.

    Layers, sizes, suites, handshakes, payloads, protocols, and our generators beside the brokers' own. Exit status 1 when an
    expected order is broken.
    """
    from testbed.bench import markdown
    from testbed.bench.table import orders, sections
    from testbed.bench.yardstick import against

    with errors_shown():
        rounds, warm_up, duration = (5, 0.3, 0.7) if short else (8, 1.0, 2.0)
        chosen = [
            each
            for each in sections(rounds=rounds, warm_up=warm_up, duration=duration)
            if not only or any(part in each.title for part in only)
        ]
        if not chosen:
            raise TestbedError("There is no such section.")
        with _testbed(fresh, state) as testbed:
            result = measure(
                testbed,
                [case for section in chosen for case in section.cases],
                _command(),
                say,
                _live,
            )
            conclude(result, json_file, html_file)  # kept, whatever comes of the rest
            compared = []
            for engine in () if short or only else ("RABBITMQ", "ACTIVEMQ"):
                try:
                    compared.append(against(testbed, engine, say))
                except TestbedError as error:
                    say(f"{engine}: not compared with its own generator: {error}")
        for each in compared:
            print(each)
        if docs:
            docs.write_text(markdown.render(result, chosen, compared))
            print(f"Written to {docs}")
        broken = [each for each in orders(result) if not each.holds]
        for each in broken:
            print(f"! {each.about}: {each.slower} is faster than {each.faster}: {each.ratio}")
        if broken:
            raise typer.Exit(1)
