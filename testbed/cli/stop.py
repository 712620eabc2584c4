"""`testbed stop` and `start`: end everything that runs and keep the data."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    existing,
    new_app,
    show,
)
from testbed.report.text import counted

if TYPE_CHECKING:
    from testbed.testbed import Testbed

app = new_app()


@app.command()
def stop(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """End the endpoint, the brokers and KMS. Keys, messages and ports stay; `start` goes on.

    What the brokers have confirmed is on their volumes.
    """
    from testbed.daemon import process
    from testbed.runtime.tasks import run_concurrently
    from testbed.state.locks import hold_folder
    from testbed.state.store import require_testbed

    with errors_shown(as_json), hold_folder(state, create=False):
        require_testbed(state)
        process.stop(state)
        with existing(state) as testbed:
            # One that a fault has paused ends as well: the engine lets it go on to do so.
            alive = ("running", "paused")
            running = [row for row in testbed.containers.find() if row["status"] in alive]
            brokers = [row["id"] for row in running if row["role"] != "kms"]
            run_concurrently([partial(testbed.containers.stop, one) for one in brokers])
            for row in running:  # KMS last: brokers that end may ask it
                if row["role"] == "kms":
                    testbed.containers.stop(row["id"])
        show(
            {"stopped": [row["name"] for row in running]},
            as_json,
            lambda document: _stopped(len(document["stopped"])),
        )


def _stopped(count: int) -> str:
    return f"Stopped {counted(count, 'container')}."


@app.command()
def start(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Start again what `stop` has ended.

    That is KMS, all brokers with their data, and the endpoint.

    A broker whose key is invalid stays as it is, and comes back by itself with a valid one.
    """
    from testbed.cli.endpoints import describe_endpoints, render_endpoints
    from testbed.cli.lifecycle import bring_up
    from testbed.state.locks import hold_folder
    from testbed.state.store import require_testbed
    from testbed.testbed import Testbed

    with errors_shown(as_json), hold_folder(state, create=False):
        require_testbed(state)
        testbed = Testbed(state)
        bring_up(testbed, [partial(_revive, testbed, one) for one in testbed.brokers.ids()])
        show(describe_endpoints(testbed), as_json, render_endpoints)
        testbed.close()


def _revive(testbed: "Testbed", broker_id: str) -> None:
    from testbed.cli.lifecycle import keys_waited_for
    from testbed.errors import NotFoundException

    # Its creation or deletion may not have ended.
    with keys_waited_for(), suppress(NotFoundException):
        testbed.upkeep.revive(broker_id)
