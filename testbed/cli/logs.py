"""`testbed logs`: the output of containers."""

import sys
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

if TYPE_CHECKING:
    from collections.abc import Iterable

app = new_app()


@app.command()
def logs(
    broker: Annotated[str, typer.Argument(help="A broker's name or id, or `kms`.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue until the container stops.")
    ] = False,
    tail: Annotated[
        int, typer.Option(min=0, help="The number of lines from the end; all when 0.")
    ] = 0,
    previous: Annotated[
        bool,
        typer.Option("--previous", help="Of the last containers that ended by themselves."),
    ] = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of a broker's nodes, or of KMS.

    Of a node that did not come back, what its last container printed.
    """
    with errors_shown(as_json), existing(state) as testbed:
        containers = testbed.containers
        sources: dict[str, Iterable[bytes]]
        if broker == "kms":
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
                sources[node.container_id or f"node {node.name}"] = (
                    [_end(kept, tail).encode()]
                    if previous or (is_gone and kept)
                    else containers.logs(node.container_id, tail or None, follow)
                )
        if as_json:
            texts = {
                name: b"".join(pieces).decode(errors="replace") for name, pieces in sources.items()
            }
            show(texts, as_json, str)
            return
        for pieces in sources.values():
            for piece in pieces:
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()


def _end(text: str, lines: int) -> str:
    """Return the last ``lines`` of the text, or all of it when 0."""
    return "".join(text.splitlines(keepends=True)[-lines:])
