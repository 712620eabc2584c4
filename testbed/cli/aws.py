"""`testbed aws`: the AWS CLI at the testbed's endpoint."""

import os
import shutil
from collections.abc import Mapping
from typing import Annotated

import typer

from testbed.cli.base import STATE, StateOption, errors_shown, existing, new_app
from testbed.errors import TestbedError

app = new_app()

_NO_PROXY = ("no_proxy", "NO_PROXY")  # the first counts where both are set
# What would lead elsewhere: another endpoint for one service, and a session's token.
_FOREIGN = ("AWS_ENDPOINT_URL_", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def aws(
    arguments: Annotated[
        list[str], typer.Argument(help="What the AWS CLI gets, such as: mq list-brokers")
    ],
    state: StateOption = STATE,
) -> None:
    """Run the AWS CLI at the testbed: testbed aws kms list-keys.

    It gets the endpoint, the Region and credentials; options of this command come first.
    """
    from testbed.aws.endpoint import HOST
    from testbed.cli.endpoints import find_endpoint

    with errors_shown():
        command = shutil.which("aws")
        if command is None:
            raise TestbedError(
                "The AWS CLI is not installed.",
                hint="pip install awscli; `testbed env` has the settings for other tools.",
            )
        with existing(state) as testbed:
            endpoint = find_endpoint(testbed)
        if endpoint is None:
            raise TestbedError(
                "The endpoint for AWS tools is not running.", hint="`testbed up` starts it."
            )
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        }
        environment = {**inherited, **_direct(inherited, HOST), **endpoint.environment()}
        os.execve(command, ["aws", *arguments], environment)  # noqa: S606 - the user's own command


def _direct(environment: Mapping[str, str], host: str) -> dict[str, str]:
    """Return variables that keep requests to ``host`` from the user's proxy."""
    former = next((environment[name] for name in _NO_PROXY if environment.get(name)), "")
    exceptions = ",".join(filter(None, (former, host)))
    return dict.fromkeys(_NO_PROXY, exceptions)
