"""URLs of other servers with credentials: accepted, advised against, and repeated nowhere."""

import base64
import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError

from testbed.aws.endpoint import serve
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients.console import Console
from testbed.documented.activemq_elements import NAMESPACE
from testbed.documented.names import URL_SENTENCE
from testbed.evidence import Advised, advised, with_strict_names
from testbed.kms.base import USER_ACCOUNT
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.trail.lookup import events

logger = logging.getLogger(__name__)

TITLE = "Shovels, upstreams and network connectors with credentials in their URLs"
CLAIMS = ("P3",)

_XML = (
    f'<broker xmlns="{NAMESPACE}"><networkConnectors><networkConnector name="n" '
    'uri="static:(ssl://{}other.example.com:61617)"/></networkConnectors></broker>'
)
_LDAP = "auth_ldap.servers.1 = ldaps://{}ldap.example.com:636"


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Put each URL twice where users put it: with credentials, and as the control without."""
    password = secrets.token_urlsafe(18)  # to be repeated nowhere
    credentials = {"with": f"orders:{password}@", "without": ""}
    rabbitmq = testbed.default_broker("RABBITMQ")
    console = Console(testbed.brokers.address(rabbitmq, "management"))
    with serve(testbed) as endpoint, ExitStack() as undo:
        mq = boto3.client("mq", **endpoint.client())
        logger.info("  URLs in the running broker and in configurations")
        for name, user_info in credentials.items():
            undo.enter_context(_parameters(console, name, user_info))
        connected = {
            name: undo.enter_context(_configuration(mq, user_info))
            for name, user_info in credentials.items()
        }
        stored = console.request("GET", "/api/parameters").decode()
        advice = advised(testbed.state.folder)
        identity = rabbitmq.broker_id
        for what in ("src-uri of shovel", "dest-uri of shovel", "uri of federation upstream"):
            looks = [(identity, f"{what} {name} in /") for name in credentials]
            yield _reported(f"the {what}", advice, *looks)
        connectors = [(connector, "networkConnector uri") for connector in connected.values()]
        yield _reported("the uri of a network connector", advice, *connectors)
        yield _unrepeated(testbed, rabbitmq, advice, password, stored)
        logger.info("  an LDAP server, and strict names")
        yield _ldap(mq, password)
        yield _strict(testbed, mq, password)


def _parameters(console: Console, name: str, user_info: str) -> AbstractContextManager[None]:
    """Make a shovel and a federation upstream of that name in the running broker."""
    uri = f"amqps://{user_info}other.example.com:5671/%2f"
    shovel = {"src-uri": uri, "src-queue": "from", "dest-uri": [uri], "dest-queue": "to"}
    return console.temporary(
        {
            f"/api/parameters/federation-upstream/%2F/{name}": {"value": {"uri": uri}},
            f"/api/parameters/shovel/%2F/{name}": {"value": shovel},
        }
    )


@contextmanager
def _configuration(mq: Any, user_info: str) -> Iterator[str]:
    """Create a configuration with a network connector."""
    name = f"urls-{secrets.token_hex(3)}"
    identity = mq.create_configuration(Name=name, EngineType="ACTIVEMQ")["Id"]
    try:
        mq.update_configuration(ConfigurationId=identity, Data=_encoded(_XML, user_info))
        yield identity
    finally:
        mq.delete_configuration(ConfigurationId=identity)


def _encoded(template: str, user_info: str) -> str:
    return base64.b64encode(template.format(user_info).encode()).decode()


def _reported(
    subject: str, advice: Advised, with_them: tuple[str, str], without: tuple[str, str]
) -> Finding:
    """Judge that a URL with credentials is reported; the control's has none."""
    found, control = (advice.on(*where, URL_SENTENCE) for where in (with_them, without))
    failing = Finding("P3", "the same without", Verdict.of(control.yes), (control.evidence,))
    return Finding("P3", subject, Verdict.of(found.yes), (found.evidence,), failing)


def _unrepeated(
    testbed: Testbed, broker: Broker, advice: Advised, password: str, stored: str
) -> Finding:
    """Judge that nothing repeats the password; the control is where the broker keeps it."""
    trail = json.dumps(list(events(testbed.trail, USER_ACCOUNT, region=testbed.region)))
    log = b"".join(testbed.containers.logs(broker.nodes[0].container_id)).decode(errors="replace")
    places = {"`testbed advise`": advice.output, "CloudTrail": trail, "the broker's log": log}
    repeated = [place for place, text in places.items() if password in text]
    sizes = ", ".join(f"{len(text):,} characters of {place}" for place, text in places.items())
    return Finding(
        "P3",
        "the password in reports, records and logs",
        Verdict.of(not repeated and all(places.values())),
        (f"it is in {' and '.join(repeated) or 'none'} of {sizes}",),
        Finding(
            "P3",
            "the management interface's own list of shovels",
            Verdict.of(password not in stored),
            (f"it is {'in' if password in stored else 'not in'} {len(stored):,} characters of it",),
        ),
    )


def _ldap(mq: Any, password: str) -> Finding:
    """Judge that an LDAP server is refused without repeating its URL, as the testbed has none."""
    sent = f"orders:{password}@"
    message = _update(mq, "RABBITMQ", _encoded(_LDAP, sent))
    # The refusal of an unknown setting names it.
    control = _update(mq, "RABBITMQ", _encoded("{}.x = 1", password))
    return Finding(
        "P3",
        "an LDAP server of a configuration",
        Verdict.of("server outside of the broker" in message and password not in message),
        (f"refused: {message}",),
        Finding(
            "P3",
            "a setting's name, which a refusal repeats",
            Verdict.of(password not in control),
            (f"refused, and the name {'is' if password in control else 'is not'} repeated",),
        ),
    )


def _update(mq: Any, engine_type: str, data: str) -> str:
    """Update a new configuration; return the refusal's message, empty if there is none."""
    name = f"urls-{secrets.token_hex(3)}"
    identity = mq.create_configuration(Name=name, EngineType=engine_type)["Id"]
    try:
        mq.update_configuration(ConfigurationId=identity, Data=data)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    finally:
        mq.delete_configuration(ConfigurationId=identity)
    return ""


def _strict(testbed: Testbed, mq: Any, password: str) -> Finding:
    """Judge what `up --strict-names` refuses; the control is the testbed without it."""
    data = _encoded(_XML, f"orders:{password}@")
    accepted, answer = with_strict_names(testbed.state, lambda: _update(mq, "ACTIVEMQ", data))

    def refused(message: str) -> tuple[Verdict, tuple[str, ...]]:
        by_rule = URL_SENTENCE in message and password not in message
        return Verdict.of(by_rule), (f"refused: {message}" if message else "it is accepted",)

    subject = "the uri of a network connector, with strict names"
    control = Finding("P3", "without them", *refused(accepted))
    return Finding("P3", subject, *refused(answer), control)


if __name__ == "__main__":
    run_file(__file__)
