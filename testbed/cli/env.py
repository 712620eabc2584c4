"""`testbed env`: settings for clients and AWS tools, as shells, containers and Java read them."""

import logging
from enum import StrEnum
from typing import Annotated

import typer

from testbed.cli.base import STATE, JsonOption, StateOption, errors_shown, existing, new_app

logger = logging.getLogger(__name__)

app = new_app()


class Name(StrEnum):
    """A format's name."""

    SHELL = "shell"
    DOTENV = "dotenv"
    DOCKER = "docker"
    JAVA = "java"
    SPRING = "spring"
    JSON = "json"


@app.command()
def env(
    output: Annotated[
        Name,
        typer.Option(
            "--format",
            help="shell: export lines; dotenv: a .env file; docker: for docker run --env-file, by "
            "addresses in the testbed's network; java: for java @FILE; spring: "
            "application.properties.",
        ),
    ] = Name.SHELL,
    credentials: Annotated[
        bool, typer.Option("--credentials", help="Put user and password into the URLs.")
    ] = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Print settings for shell and AWS tools: eval "$(testbed env)".

    They are those of the testbed's Region. The brokers' passwords are among them.
    """
    from testbed.cli.endpoints import find_endpoint
    from testbed.client_setup.formats import FORMATS
    from testbed.client_setup.settings import settings

    chosen = FORMATS[Name.JSON if as_json else output]
    with errors_shown(as_json), existing(state) as testbed:
        aws = find_endpoint(testbed)
        if aws is None:
            logger.warning("the endpoint for AWS tools is not running: `testbed up` starts it")
        environment = aws.environment() if aws else {}
        values = settings(testbed, environment, inside=chosen.inside, credentials=credentials)
        print(chosen.render(values))
