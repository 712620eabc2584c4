"""`testbed check`: the verdict on a history that was written to disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import JsonOption, errors_shown, new_app, show

if TYPE_CHECKING:
    from testbed.checker import Account

_SHOWN = 10  # messages of each kind that are named
app = new_app()


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A history, as lines of JSON.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a history has lost, duplicated or disordered.

    Exit status 1 when something confirmed is lost, or something is unexpected or out of order, or
    nothing was confirmed.
    """
    from dataclasses import asdict

    from testbed import checker
    from testbed.errors import TestbedError
    from testbed.history_file import HistoryFile

    with errors_shown(as_json):
        history = HistoryFile(file)
        try:
            account = checker.check(history, ordered=history.ordered)
        except ValueError as error:
            raise TestbedError(f"{file} is an impossible history: {error}.") from error
    document = {
        "ok": account.ok,
        "broken_off": history.broken_off,
        "ordered": history.ordered,
        **asdict(account),
    }
    show(document, as_json, lambda _: "\n".join(_render(account, document)))
    if not account.ok:
        raise typer.Exit(1)


def _render(account: "Account", document: dict[str, Any]) -> Iterator[str]:
    yield f"{'ok' if account.ok else 'NOT OK'}: {account}"
    if not account.confirmed:
        yield "Nothing was confirmed, which proves nothing."
    if document["broken_off"]:
        yield "The file breaks off: what is missing may have been received later."
    for name in ("lost", "unexpected", "disordered"):
        messages = document[name]
        more = f" and {len(messages) - _SHOWN} more" if len(messages) > _SHOWN else ""
        if messages:
            yield f"{name}: {', '.join(messages[:_SHOWN])}{more}"
