"""`testbed export`: a testbed's brokers for other tools."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, existing, new_app, show
from testbed.cli.scenario import require_writable
from testbed.errors import TestbedError

if TYPE_CHECKING:  # commands start sooner without
    from testbed.testbed import Testbed

_SECRETS = "secrets"
_HEAD = """\
Brokers of a testbed for Amazon MQ, written by `testbed export compose`.

Each is a copy: the same image, listeners, certificate, users, configuration and ports, on a new
and empty volume. The images have to be on this machine: `testbed images build`. A port that is in
use here is another one by its variable: RABBITMQ_5671=6671 docker compose up --wait

There is no control plane: no KMS, no API of AWS, no trail. A volume is encrypted under a data key
of its own, which is in the folder secrets in plain text, with passwords and private keys; disabling
a KMS key changes nothing here. `testbed up` is where that can be seen.
"""

app = new_app("Write what a testbed has for other tools.")


@app.callback()
def _export() -> None:
    """Write what a testbed has for other tools."""


@app.command()
def compose(
    folder: Annotated[
        Path, typer.Argument(help="Where compose.yaml and the files that it mounts are written.")
    ] = Path("compose"),
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Write a Compose file with copies of the brokers.

    `docker compose up --wait` in its folder brings them up. They are those of the testbed's Region,
    without data, and without KMS and the endpoint. The users are those of `testbed env`.
    """
    with errors_shown(as_json), existing(state) as testbed:
        document = {"files": [str(folder / name) for name in _write(testbed, folder)]}
        show(document, as_json, lambda document: "\n".join(document["files"]))


def _write(testbed: "Testbed", folder: Path) -> list[str]:
    """Write the Compose file and what it mounts; return the names of the files."""
    from testbed.documented.broker_states import IN_SERVICE
    from testbed.pki.authority import TRUSTSTORE
    from testbed.private_files import write_private
    from testbed.runtime.compose import Service, render

    copies = [
        copy
        for broker in testbed.brokers.peek_all(testbed.user)
        if broker.broker_state in IN_SERVICE
        for copy in testbed.brokers.copies(broker.broker_id)
    ]
    if not copies:
        raise TestbedError("There is no broker to export.", hint="`testbed up` starts some.")
    if (folder / "compose.yaml").exists():  # new data keys would not open the volumes of the old
        raise TestbedError(
            f"{folder / 'compose.yaml'} exists already.",
            hint="Name another folder, or remove this one, after `docker compose down --volumes`.",
        )
    require_writable(folder)
    services = [
        Service(copy.name, copy.container, f"{_SECRETS}/{copy.name}", copy.listening, copy.after)
        for copy in copies
    ]
    (folder / _SECRETS).mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _SECRETS / ".gitignore").write_text("*\n")
    for copy, service in zip(copies, services, strict=True):
        path = folder / service.input_file
        write_private(path, copy.input)
        if not copy.is_secret:  # the container reads it as another user than root
            path.chmod(0o644)
    for name in ("ca.pem", TRUSTSTORE):
        shutil.copy(testbed.ca_file.parent / name, folder)
    (folder / "compose.yaml").write_text(render(_HEAD, services))
    return ["compose.yaml", "ca.pem", TRUSTSTORE, *(service.input_file for service in services)]
