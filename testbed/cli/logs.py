"""`testbed logs`: the output of containers."""

import sys
from typing import Annotated

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
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of a broker's nodes, or of KMS."""
    with errors_shown(as_json), existing(state) as testbed:
        containers = testbed.containers
        if broker == "kms":
            identities = [row["id"] for row in containers.find("kms")]
        else:
            identities = [node.container_id for node in testbed.brokers.peek(broker).nodes]
        if as_json:
            texts = {
                identity: b"".join(containers.logs(identity, tail or None)).decode(errors="replace")
                for identity in identities
            }
            show(texts, as_json, str)
            return
        for identity in identities:
            for piece in containers.logs(identity, tail or None, follow):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
