"""`testbed logs`: the output of containers."""

import logging
import sys
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    existing,
    new_app,
    show,
)
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

logger = logging.getLogger(__name__)

app = new_app()


@app.command()
def logs(
    broker: Annotated[str, typer.Argument(help="A broker's name or id, or `kms`.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue until the containers stop.")
    ] = False,
    tail: Annotated[
        int, typer.Option(min=0, help="The number of lines from the end; all when 0.")
    ] = 0,
    previous: Annotated[
        bool,
        typer.Option(
            "--previous", help="Print what the last containers wrote that ended by themselves."
        ),
    ] = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of a broker's nodes, or of KMS.

    For a node that did not come back, print what its last container wrote.
    """
    with errors_shown(as_json), existing(state) as testbed:
        containers = testbed.containers
        sources: dict[str, Iterable[bytes]]
        if broker == "kms":
            if previous:
                raise TestbedError("Nothing is kept of KMS's previous containers.")
            sources = {
                row["id"]: containers.logs(row["id"], tail or None, follow)
                for row in containers.find("kms")
            }
        else:
            known = testbed.brokers.peek(broker)
            sources = {}
            for node in known.nodes:
                kept = testbed.brokers.kept_log(known.broker_id, node.name)
                is_gone = containers.state(node.container_id).status == "missing"
                if (previous or is_gone) and not kept:
                    logger.info("node %s: nothing is kept of earlier containers", node.name)
                sources[node.container_id or f"node {node.name}"] = (
                    [_end(kept, tail).encode()]
                    if previous or is_gone
                    else containers.logs(node.container_id, tail or None, follow)
                )
        if as_json:
            document = {
                name: b"".join(pieces).decode(errors="replace") for name, pieces in sources.items()
            }
            show(document, as_json, str)
            return
        texts = list(sources.values())
        for piece in _merged(texts) if follow else chain.from_iterable(texts):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


def _merged(sources: "Sequence[Iterable[bytes]]") -> "Iterator[bytes]":
    """Yield what each source has as it comes, until all have ended. Raises what one has raised."""
    from testbed.runtime.tasks import Task

    arrived: SimpleQueue[bytes | None] = SimpleQueue()  # None: one source has ended
    tasks = [Task(partial(_hand_over, source, arrived)) for source in sources]
    open_sources = len(tasks)
    while open_sources:
        piece = arrived.get()
        if piece is None:
            open_sources -= 1
        else:
            yield piece
    for task in tasks:
        task.result()


def _hand_over(source: "Iterable[bytes]", arrived: "SimpleQueue[bytes | None]") -> None:
    try:
        for piece in source:
            arrived.put(piece)
    finally:
        arrived.put(None)


def _end(text: str, lines: int) -> str:
    """Return the last ``lines`` of the text, or all of it when 0."""
    return "".join(text.splitlines(keepends=True)[-lines:])
