"""`testbed connect`: code that connects a client library to a broker."""

from typing import Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, existing, new_app, show

app = new_app()


@app.command()
def connect(
    broker: Annotated[str, typer.Argument(help="The broker's name or id.")],
    client: Annotated[
        str, typer.Option(help="The client's name; without it, the names are listed.")
    ] = "",
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Print code that connects a client to a broker.

    Address and password are filled in. The code sends a message and receives it again.
    """
    from testbed.client_setup.clients import offered, snippet

    with errors_shown(as_json), existing(state) as testbed:
        stored = testbed.brokers.peek(broker)
        if client:
            code = snippet(client, stored, testbed.ca_file.parent)
            show({"client": client, "code": code}, as_json, lambda _: code.rstrip())
        else:
            show({"clients": list(offered(stored))}, as_json, lambda _: "\n".join(offered(stored)))
