"""`testbed advise`: names, tags and URLs that the data-protection page advises against."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, existing, new_app, show

if TYPE_CHECKING:
    from testbed.advice.advise import Advice

app = new_app()


@app.command()
def advise(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Show personal data and credentials in names, tags and URLs.

    Amazon MQ accepts them, and its documentation advises against them. Looks at brokers, users,
    tags and configurations, and in each running broker at its queues, shovels and federation
    upstreams. Exit status 1 when there is advice, or a broker cannot be asked. What was found
    is not repeated.
    """
    from dataclasses import asdict

    from testbed.advice.advise import advise as advise_on
    from testbed.inventory import take

    with errors_shown(as_json), existing(state) as testbed:
        inventory = take(testbed)
    found = list(dict.fromkeys(advise_on(inventory.items)))
    document = {
        "advice": [asdict(advice) for advice in found],
        "unread": list(inventory.unread),
    }
    show(document, as_json, lambda _: _render(found, inventory.unread))
    if found or inventory.unread:
        raise typer.Exit(1)


def _render(found: "Sequence[Advice]", unread: Sequence[str]) -> str:
    lines = []
    by_rule = sorted(found, key=lambda advice: advice.rule)
    for rule, group in groupby(by_rule, key=lambda advice: advice.rule):
        lines += [rule, *(f"  {advice.sentence}" for advice in group)]
    lines += [f"Not asked: {sentence}" for sentence in unread]
    return "\n".join(lines) or "No advice: no personal data and no credentials were found."
