"""`testbed bench table` and `testbed bench yardstick`."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import STATE, StateOption, errors_shown, finite
from testbed.cli.bench_options import (
    Fresh,
    HtmlFile,
    JsonFile,
    command_line,
    conclude,
    open_testbed,
    require_files,
    write,
)
from testbed.documented.engines import engine_type_of
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from testbed.bench.results import Yardstick
    from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

ENGINES = ["RABBITMQ", "ACTIVEMQ"]


def yardstick(
    engines: Annotated[
        list[str],
        typer.Option("--engine", help="rabbitmq or activemq; may be repeated."),
    ] = ENGINES,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds on each side.")] = 8,
    duration: Annotated[
        float,
        typer.Option(min=0.1, callback=finite, help="Seconds of measuring in each round."),
    ] = 5.0,
    fresh: Fresh = False,
    state: StateOption = STATE,
) -> None:
    """Compare our load generators with the brokers' own.

    RabbitMQ's is PerfTest, ActiveMQ's its producer and consumer commands.
    """
    with errors_shown():
        from testbed.bench.yardstick import compare_generators

        chosen = [engine_type_of(engine) for engine in engines]
        with open_testbed(fresh=fresh, state=state) as testbed:
            for engine in chosen:
                compared = compare_generators(testbed, engine, rounds=rounds, duration=duration)
                print(compared, flush=True)


def table(
    short: Annotated[
        bool,
        typer.Option("--short", help="Take minutes instead of an hour, to see that it works."),
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

        require_files(docs, json_file, html_file)
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
            result = run_cases(testbed, cases, command_line(), ProgressObserver())
            conclude(result, json_file, html_file)  # kept if the rest fails
            if not short and not only:
                result = replace(result, yardsticks=_yardsticks(testbed))
                write(result, json_file, html_file)
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
    for engine in ENGINES:
        try:
            compared.append(yardstick.compare_generators(testbed, engine))
        except TestbedError as error:
            logger.info("%s: not compared with its own generator: %s", engine, error)
    return tuple(compared)
