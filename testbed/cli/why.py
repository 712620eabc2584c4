"""`testbed why`: which statement of which policy lets somebody do something, or keeps them out."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    checked_account,
    errors_shown,
    existing,
    new_app,
    show,
)
from testbed.errors import TestbedError
from testbed.kms.base import USER_ACCOUNT

if TYPE_CHECKING:
    from testbed.testbed import Testbed

_SOURCES = {"grant": "a grant", "root user": "being the root user"}
app = new_app()


@app.command()
def why(
    who: Annotated[
        str,
        typer.Argument(metavar="USER", help="A user or role by name or ARN, or root."),
    ],
    action: Annotated[str, typer.Argument(help="Such as mq:RebootBroker or kms:Decrypt.")],
    resource: Annotated[
        str, typer.Argument(metavar="[ARN]", help="The resource; * by default.")
    ] = "*",
    context: Annotated[
        list[str],
        typer.Option("--context", help="A condition key as KEY=VALUE, such as aws:RequestTag/a=b."),
    ] = [],  # noqa: B006 - typer's way
    mfa: Annotated[bool, typer.Option("--mfa", help="As a session that gave an MFA code.")] = False,
    account: Annotated[str, typer.Option(help="The account of USER.")] = USER_ACCOUNT,
    region: Annotated[str, typer.Option(help="The Region; the testbed's by default.")] = "",
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Say who may do what, and which statement decides.

    The exit status is 0 if it is allowed, and 3 if it is not.
    """
    from testbed.account.authorization import Authorization
    from testbed.account.why import explain, someone

    with errors_shown(as_json), existing(state) as testbed:
        services, region = testbed.services, testbed.user_in(region).region
        given = {**_tags(testbed, resource), **dict(map(_pair, context))}
        caller = someone(
            services.identities,
            who,
            checked_account(account),
            region,
            now=testbed.clock.now(),
            mfa=mfa,
        )
        assert services.key_policies, "the testbed is not a test's"
        explanation = asdict(
            explain(
                Authorization(services.identities, testbed.clock),
                services.key_policies.decide,
                caller,
                _checked(action),
                resource=resource,
                given=given,
            )
        )
    show(explanation, as_json, _render)
    if not explanation["allowed"]:
        raise typer.Exit(3)


def _checked(action: str) -> str:
    service, colon, name = action.partition(":")
    if not (service and colon and name):
        raise TestbedError(
            f"{action} is not an action.", hint="Actions have a service in front: mq:RebootBroker."
        )
    return action


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise TestbedError(f"{text} is not a condition key with a value.", hint="Write KEY=VALUE.")
    return key, value


def _tags(testbed: "Testbed", resource: str) -> dict[str, str]:
    """Return the condition keys of the tags of a broker."""
    for broker in testbed.brokers.peek_all():
        if broker.arn == resource:
            return {f"aws:ResourceTag/{key}": value for key, value in broker.tags.items()}
    return {}


def _render(explanation: dict[str, Any]) -> str:
    verdict = "may" if explanation["allowed"] else "may not"
    action = f"perform {explanation['action']} on {explanation['resource']}"
    lines = [f"{explanation['principal']} {verdict} {action}"]
    if explanation["policy"]:
        sid = f" ({explanation['sid']})" if explanation["sid"] else ""
        effect = "allowed" if explanation["allowed"] else "denied"
        lines.append(
            f"  {effect} by statement {explanation['statement']}{sid} of {explanation['policy']}"
        )
    elif explanation["allowed"]:
        lines.append(f"  allowed by {_SOURCES.get(explanation['source'], 'a policy of the key')}")
    else:
        lines.append(f"  {explanation['reason']}")
    return "\n".join(lines)
