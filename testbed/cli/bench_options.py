"""What the commands of `testbed bench` share: options, targets, and how they conclude."""

import os
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import finite
from testbed.cli.scenario import require_writable
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from testbed.bench.results import Result
    from testbed.bench.spec import Workload
    from testbed.bench.target import Target
    from testbed.testbed import Testbed

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON into this file.")
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="Write the result as one HTML page into this file.")
]
WorkloadNames = Annotated[
    list[str],
    typer.Option("--workload", "-w", help="A workload's name or file; may be repeated."),
]
DriverNames = Annotated[
    list[str], typer.Option("--driver", "-d", help="A driver's name or file; may be repeated.")
]
Encryptions = Annotated[
    list[str],
    typer.Option(
        "--encryption",
        "-e",
        help="plaintext, tls, tls:SUITE or tls:TLSv1.3, then +block, +files, +plain or +plain-block"
        " for the volume, and +envelope or +envelope-cached for the payload.",
    ),
]
WarmUp = Annotated[
    float | None,
    typer.Option(
        callback=finite, help="Seconds of warm-up in each round, instead of the workload's."
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        callback=finite, help="Seconds of measuring in each round, instead of the workload's."
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        callback=finite,
        help="Messages a second of all producers together, instead of the workload's.",
    ),
]
Url = Annotated[
    str,
    typer.Option("--endpoint", help="The URL of a remote broker's endpoint, to use that broker."),
]
Username = Annotated[str, typer.Option(help="For --endpoint.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="For --endpoint: a file with the password, or - for standard input."),
]
CaFile = Annotated[
    Path | None,
    typer.Option(help="For --endpoint: the authorities to trust, this machine's by default."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Use a new testbed, and remove it afterwards.")
]


def open_testbed(*, fresh: bool, state: Path) -> "AbstractContextManager[Testbed]":
    """Open a temporary testbed, or that of the state folder."""
    from testbed.testbed import Testbed

    return Testbed() if fresh else nullcontext(Testbed(state))


def changed(workload: "Workload", **changes: Any) -> "Workload":
    """Return the workload with the options that were given. Raises ``TestbedError``."""
    options = {name: value for name, value in changes.items() if value is not None}
    try:
        return replace(workload, **options)
    except ValueError as error:
        raise TestbedError(f"{error}.") from error


def remote_target(
    url: str, username: str, password_file: Path | None, ca_file: Path | None, protocol: str
) -> "Target | None":
    """Return a remote broker's listener, None without --endpoint. Raises ``TestbedError``."""
    from testbed.bench.target import Endpoint

    if not url:
        return None
    return Endpoint(url, username, _password(password_file), ca_file).target(protocol)


def _password(file: Path | None) -> str:
    if file is None:
        raise TestbedError("A remote broker needs --username and --password-file.")
    try:
        return (sys.stdin.readline() if str(file) == "-" else file.read_text()).rstrip("\n")
    except OSError as error:
        raise TestbedError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:  # whose text has what could not be decoded
        raise TestbedError(f"{file} cannot be read: it is not in UTF-8.") from None


def require_files(*files: Path | None) -> None:
    """Raise ``TestbedError`` if one of ``files`` cannot be written, before an hour of work."""
    for file in filter(None, files):
        if not file.exists():
            require_writable(file.parent)
        elif file.is_dir() or not os.access(file, os.W_OK):
            raise TestbedError(f"{file} cannot be written.", hint="Name another file.")


def conclude(result: "Result", json_file: Path | None, html_file: Path | None) -> None:
    """Print a result, and write it into the given files."""
    from testbed.bench.render import terminal

    terminal.show(result)
    write(result, json_file, html_file)


def write(result: "Result", json_file: Path | None, html_file: Path | None) -> None:
    """Write a result into the given files."""
    from testbed.bench import results
    from testbed.bench.analysis import caveats
    from testbed.bench.render import html

    if json_file:
        json_file.write_text(results.encode(result, caveats(result)))
    if html_file:
        html_file.write_text(html.render(result))
    for path in filter(None, (json_file, html_file)):
        print(f"Written to {path}")


def command_line() -> str:
    """Return the command line. It has no secret: passwords come from a file."""
    return shlex.join(["testbed", *sys.argv[1:]])
