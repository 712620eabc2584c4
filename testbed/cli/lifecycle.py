"""`testbed up`, `down`, `reboot`, `status`, `endpoints`, `env` and `logs`."""

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from testbed.aws import process
from testbed.aws.endpoint import Endpoint
from testbed.broker.default_broker import DefaultBrokerOptions
from testbed.broker.describe import describe
from testbed.broker.model import Broker
from testbed.cli import app
from testbed.cli.base import STATE, JsonOption, StateOption, existing, show, translated
from testbed.documented.engines import DEFAULT_VERSION
from testbed.errors import TestbedError
from testbed.runtime.tasks import run_concurrently
from testbed.state.store import is_ours
from testbed.testbed import Testbed
from testbed.testbed import down as take_down

logger = logging.getLogger(__name__)

_ENGINES = {"rabbitmq": "RABBITMQ", "activemq": "ACTIVEMQ"}
BrokerArgument = Annotated[str, typer.Argument(help="A broker's name or id.")]


@app.command()
def up(
    engine: Annotated[
        list[str],
        typer.Option(help="rabbitmq or activemq; both when left out. May be given twice."),
    ] = [],  # noqa: B006 - typer's way
    rabbitmq_version: Annotated[
        str,
        typer.Option(
            help=f"As CreateBroker takes it; {DEFAULT_VERSION['RABBITMQ']} when left out."
        ),
    ] = "",
    activemq_version: Annotated[
        str,
        typer.Option(
            help=f"As CreateBroker takes it; {DEFAULT_VERSION['ACTIVEMQ']} when left out."
        ),
    ] = "",
    rabbitmq_image: Annotated[
        str, typer.Option(help="An image of your own, such as rabbitmq:4.2-management.")
    ] = "",
    activemq_image: Annotated[
        str, typer.Option(help="An image of your own, such as apache/activemq-classic:5.19.1.")
    ] = "",
    kms_image: Annotated[
        str,
        typer.Option(help="A LocalStack image of your own, such as localstack/localstack:4.14.0."),
    ] = "",
    kms_key_id: Annotated[
        str,
        typer.Option(
            help="The key that encrypts the brokers; each gets one of its own when left out."
        ),
    ] = "",
    delay: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds until a disabled key or a revoked grant is felt; 3 when left out."
        ),
    ] = None,
    fixed_ports: Annotated[
        bool,
        typer.Option(
            "--fixed-ports",
            help="Publish the documented ports of one engine, instead of free ones.",
        ),
    ] = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Start KMS and the brokers, and print where they are.

    What runs already is left as it is; what is missing or has stopped is started.
    """
    with translated(as_json):
        wanted = [_engine(name) for name in engine or _ENGINES]
        if fixed_ports and len(wanted) > 1:
            raise TestbedError(
                "Both engines have port 5671, so only one can have its documented ports.",
                hint="Add --engine rabbitmq or --engine activemq.",
            )
        wishes = {
            "RABBITMQ": DefaultBrokerOptions(
                rabbitmq_version, rabbitmq_image, fixed_ports, kms_key_id
            ),
            "ACTIVEMQ": DefaultBrokerOptions(
                activemq_version, activemq_image, fixed_ports, kms_key_id
            ),
        }
        with _all_or_nothing(state):
            testbed = Testbed.open(state, kms_image=kms_image, delay=delay)
            try:
                with process.launched(testbed) as launch:  # gets ready while the brokers do
                    run_concurrently(
                        [
                            partial(testbed.default_broker, each, wishes[each])
                            for each in dict.fromkeys(wanted)
                        ],
                        testbed.stop,
                    )
                    launch.go()
                document = _endpoints(testbed)
            except BaseException:
                testbed.stop()
                raise
        show(document, as_json, _endpoint_text)
        testbed.close()


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Where there was no testbed before, none is left when it does not come up."""
    new = not is_ours(folder)
    try:
        yield
    except BaseException:
        if new:
            logger.info("removing what was started")
            process.stop(folder)
            take_down(folder, quiet_for=1.0)  # what was on its way to the engine may still come
        raise


@app.command()
def down(
    everything: Annotated[
        bool, typer.Option("--all", help="Remove what any testbed has left on this engine.")
    ] = False,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Remove containers, volumes, network and state folder.

    Harmless when there is nothing. Keys and messages are gone with it; images stay (`testbed images remove`).
    """
    with translated(as_json):
        process.stop(state)
        counts = take_down(state, everything)
        show(counts, as_json, _removed_text)


@app.command()
def reboot(broker: BrokerArgument, state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Reboot a broker and wait until it is back.

    As RebootBroker: refused while the broker's key is invalid. Ports and confirmed messages stay.
    """
    with translated(as_json), existing(state) as testbed:
        show(
            describe(testbed.brokers.reboot(broker)),
            as_json,
            lambda answer: f"{answer['BrokerName']}: {answer['BrokerState']}",
        )


@app.command()
def status(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Each broker as DescribeBroker has it, and what runs."""
    with translated(as_json), existing(state) as testbed:
        document = {
            "folder": str(testbed.state.folder),
            "aws": _url(testbed),
            "kms": {"url": testbed.kms_container.url, "status": _kms_status(testbed)},
            "brokers": [
                {**describe(broker), "nodes": _nodes(testbed, broker)}
                for broker in testbed.brokers.peek_all()
            ],
        }
        show(document, as_json, _status_text)


@app.command()
def endpoints(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Where clients connect, as whom, and which CA to trust."""
    with translated(as_json), existing(state) as testbed:
        show(_endpoints(testbed), as_json, _endpoint_text)


@app.command()
def env(state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """Settings for shell and AWS tools: eval "$(testbed env)".

    The brokers' passwords are among them.
    """
    with translated(as_json), existing(state) as testbed:
        endpoint = _served(testbed)
        if endpoint is None:
            logger.info("the endpoint for AWS tools does not run: `testbed up` starts it")
        variables = {
            **(endpoint.environment() if endpoint else {}),
            "TESTBED_CA_FILE": str(testbed.ca_file),
        }
        for broker in testbed.brokers.peek_all():
            prefix = f"TESTBED_{broker.broker_name.upper().replace('-', '_')}"
            variables |= {
                f"{prefix}_{endpoint.name.upper().replace('-', '_')}": endpoint.url
                for endpoint in broker.endpoints
                if endpoint.tls
            }
            variables |= {
                f"{prefix}_USERNAME": broker.users[0].username,
                f"{prefix}_PASSWORD": broker.users[0].password,
            }
        show(
            variables,
            as_json,
            lambda each: "\n".join(
                f"export {name}={shlex.quote(value)}" for name, value in each.items()
            ),
        )


@app.command()
def logs(
    broker: Annotated[str, typer.Argument(help="A broker's name or id, or `kms`.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it stops.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="So many lines from the end; all when 0.")] = 0,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """What a broker's nodes, or KMS, have written to their logs."""
    with translated(as_json), existing(state) as testbed:
        if broker == "kms":
            containers = [row["id"] for row in testbed.containers.find("kms")]
        else:
            containers = [node.container_id for node in testbed.brokers.peek(broker).nodes]
        if as_json:
            show(
                {
                    identity: b"".join(testbed.containers.logs(identity, tail or None)).decode(
                        errors="replace"
                    )
                    for identity in containers
                },
                True,
                str,
            )
            return
        for identity in containers:
            for piece in testbed.containers.logs(identity, tail or None, follow):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()


def _removed_text(counts: dict[str, int]) -> str:
    if not any(counts.values()):
        return "Nothing was there."
    return (
        "Removed "
        + ", ".join(
            f"{count} {what if count != 1 else what.removesuffix('s')}"
            for what, count in counts.items()
        )
        + "."
    )


def _served(testbed: Testbed) -> Endpoint | None:
    found = process.running(testbed.state.folder)
    return Endpoint(found.port, testbed.ca_file) if found and found.port else None


def _url(testbed: Testbed) -> str:
    endpoint = _served(testbed)
    return endpoint.url if endpoint else ""


def _engine(name: str) -> str:
    if name not in _ENGINES:
        raise TestbedError(
            f"There is no engine {name!r}.", hint=f"There are: {', '.join(_ENGINES)}."
        )
    return _ENGINES[name]


def _kms_status(testbed: Testbed) -> str:
    return next((row["status"] for row in testbed.containers.find("kms")), "missing")


def _nodes(testbed: Testbed, broker: Broker) -> list[dict[str, Any]]:
    return [
        {
            "name": node.name,
            "container": testbed.containers.state(node.container_id).status,
            "volume": node.volume.volume_id,
        }
        for node in broker.nodes
    ]


def _status_text(document: dict[str, Any]) -> str:
    lines = [
        f"endpoint   {document['aws'] or 'does not run'}",
        f"KMS        {document['kms']['status']}  {document['kms']['url']}",
    ]
    for broker in document["brokers"]:
        nodes = ", ".join(
            f"node {node['name']} {node['container']} on {node['volume']}"
            for node in broker["nodes"]
        )
        lines.append(
            f"{broker['BrokerName']:<10} {broker['BrokerState']}  {broker['EngineType']} {broker['EngineVersion']}  {nodes}"
        )
        lines.append(f"           key {broker['EncryptionOptions'].get('KmsKeyId', 'of AWS')}")
        lines += [
            f"           {action['ActionRequiredCode']}: {action['ActionRequiredInfo']}"
            for action in broker["ActionsRequired"]
        ]
    return "\n".join(lines)


def _endpoints(testbed: Testbed) -> dict[str, Any]:
    return {
        "ca_file": str(testbed.ca_file),
        "aws": _url(testbed),
        "brokers": [
            {
                "name": broker.broker_name,
                "engine": f"{broker.engine_type} {broker.running_version or broker.image}",
                "username": broker.users[0].username,
                "endpoints": [
                    {
                        "url": endpoint.url,
                        "protocols": list(endpoint.protocols),
                        "documented_port": endpoint.documented_port,
                    }
                    for endpoint in broker.endpoints
                    if endpoint.tls
                ],
            }
            for broker in testbed.brokers.peek_all()
        ],
    }


def _endpoint_text(document: dict[str, Any]) -> str:
    lines = (
        [
            f"AWS tools  {document['aws']}  KMS, Amazon MQ, CloudTrail and STS (settings: testbed env)"
        ]
        if document["aws"]
        else []
    )
    for broker in document["brokers"]:
        lines.append(
            f"{broker['name']}  {broker['engine']}, user {broker['username']} (its password: testbed env)"
        )
        for endpoint in broker["endpoints"]:
            lines.append(
                f"  {endpoint['url']:<32} {' and '.join(endpoint['protocols'])} (documented port {endpoint['documented_port']})"
            )
    lines.append(f"Clients trust {document['ca_file']}")
    return "\n".join(lines)
