"""`testbed serve`: the endpoint in the foreground, in place of the one that `up` starts."""

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli import handle_interruptions
from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    finite,
    new_app,
    show,
)

if TYPE_CHECKING:
    from testbed.aws.endpoint import Endpoint

app = new_app()


@app.command()
def serve(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="The port on 127.0.0.1; the last one, or a free one, when 0."
        ),
    ] = 0,
    period: Annotated[
        float,
        typer.Option(min=0.1, callback=finite, help="Seconds between two rounds of maintenance."),
    ] = 10.0,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Serve AWS tools and maintain the brokers, until Ctrl-C.

    `testbed up` starts the same in the background.
    """
    from testbed.daemon.server import run
    from testbed.state.store import require_testbed

    def ready(endpoint: "Endpoint") -> None:
        show(
            endpoint.environment(),
            as_json,
            lambda variables: "\n".join(f"{name}={value}" for name, value in variables.items()),
        )

    with errors_shown(as_json):
        require_testbed(state)
        stopping = threading.Event()
        handle_interruptions(lambda *_: stopping.set())
        run(state.absolute(), ready, stopping, port=port, period=period)
