"""The commands by name. A command's module is imported when the command is used."""

import importlib
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

# The commands in the order of the help, each with its module. A module's ``app`` has the command;
# one of the group's name has the whole group.
MODULES = {
    "up": "lifecycle",
    "down": "lifecycle",
    "stop": "stop",
    "start": "stop",
    "reboot": "lifecycle",
    "status": "status",
    "endpoints": "endpoints",
    "env": "env",
    "connect": "connect",
    "export": "export",
    "aws": "aws",
    "advise": "advise",
    "logs": "logs",
    "serve": "serve",
    "trail": "trail",
    "why": "why",
    "demo": "demo",
    "scenario": "scenario",
    "fault": "fault",
    "bench": "bench",
    "check": "check",
    "campaign": "campaign",
    "soak": "soak",
    "images": "images",
}
GROUPS = {"scenario", "fault", "bench", "campaign", "images", "export"}


class _LazyGroup(TyperGroup):
    """Import a command's module when the command is used: the libraries of all take a second."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # of typer's copy of click
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"testbed.cli.{MODULES[cmd_name]}")
        group = typer.main.get_group(module.app)
        group.name = cmd_name
        return group if cmd_name in GROUPS else group.commands[cmd_name]


app = typer.Typer(
    name="testbed",
    cls=_LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"testbed {version('amazonmq-testbed')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Run Amazon MQ's data protection on this machine.

    Real TLS-only brokers on volumes under KMS keys.
    """
    if context.obj:  # what to do when a command begins, see ``testbed.cli.main``
        context.obj()
