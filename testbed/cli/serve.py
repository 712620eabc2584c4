"""`testbed serve`: the endpoint in the foreground, for a testbed whose own is not wanted or has ended."""

import signal
import threading
from typing import Annotated

import typer

from testbed.aws.endpoint import Endpoint
from testbed.aws.maintenance import PERIOD
from testbed.aws.server import run
from testbed.cli import app
from testbed.cli.base import STATE, JsonOption, StateOption, show, translated
from testbed.errors import TestbedError
from testbed.state.store import is_ours


@app.command()
def serve(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="The port on 127.0.0.1; the one before, or a free one, when 0."
        ),
    ] = 0,
    period: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two rounds of maintenance.")
    ] = PERIOD,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Serve AWS tools and maintain the brokers, until Ctrl-C.

    `testbed up` does it by itself.
    """

    def ready(endpoint: Endpoint) -> None:
        show(
            endpoint.environment(),
            as_json,
            lambda each: "\n".join(f"{name}={value}" for name, value in each.items()),
        )

    with translated(as_json):
        if not is_ours(state):
            raise TestbedError(
                f"There is no testbed in {state}.",
                hint="`testbed up` starts one; --state names another folder.",
            )
        over = threading.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: over.set())
        run(state.absolute(), ready, over, port=port, period=period)
