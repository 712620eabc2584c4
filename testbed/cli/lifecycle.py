"""`testbed up`, `down` and `reboot`."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.base import (
    STATE,
    JsonOption,
    StateOption,
    errors_shown,
    existing,
    finite,
    new_app,
    show,
)
from testbed.documented.engines import DEFAULT_VERSION, engine_type_of
from testbed.errors import TestbedError, VolumeRefused
from testbed.kms.base import DELAY
from testbed.report.text import counted
from testbed.storage.choice import DEFAULT, SCALE, VARIABLE, Wanted

if TYPE_CHECKING:
    from testbed.broker.default_broker import DefaultBrokerOptions
    from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

ENGINES = ("rabbitmq", "activemq")
app = new_app()


def _version_help(engine_type: str) -> str:
    return f"As CreateBroker takes it; {DEFAULT_VERSION[engine_type]} by default."


@app.command()
def up(
    engine: Annotated[
        list[str],
        typer.Option(help="rabbitmq or activemq; both by default. May be given twice."),
    ] = [],  # noqa: B006 - typer's way
    rabbitmq_version: Annotated[str, typer.Option(help=_version_help("RABBITMQ"))] = "",
    activemq_version: Annotated[str, typer.Option(help=_version_help("ACTIVEMQ"))] = "",
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
        typer.Option(help="The key that encrypts the brokers; by default each gets its own."),
    ] = "",
    delay: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Seconds until a disabled key or a revoked grant takes effect; "
            f"{DELAY:g} by default.",
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            help="The default brokers' Region, such as eu-central-1; by default the one that AWS's "
            "tools find in the environment or the AWS profile, or us-east-1. All are served."
        ),
    ] = "",
    fixed_ports: Annotated[
        bool,
        typer.Option(
            "--fixed-ports",
            help="Publish the documented ports of one engine, instead of free ones.",
        ),
    ] = False,
    strict_names: Annotated[
        bool | None,
        typer.Option(
            "--strict-names/--no-strict-names",
            help="Refuse what `testbed advise` finds, which Amazon MQ accepts; off by default.",
            show_default=False,
        ),
    ] = None,
    require_known_keys: Annotated[
        bool | None,
        typer.Option(
            "--require-known-keys/--no-require-known-keys",
            help="Refuse access keys that neither IAM nor STS issued; off by default.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            help="Serve only these of the services around Amazon MQ, such as mq,kms,ec2; `all` "
            "serves every one, and is the default."
        ),
    ] = "",
    volumes: Annotated[
        Wanted | None,
        typer.Option(
            help="What EBS volumes are made of, encrypted in both cases: block devices, files, or "
            f"auto, which is block devices where they work; {VARIABLE}, or {DEFAULT}, by default.",
            show_default=False,
        ),
    ] = None,
    volume_scale: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1,
            callback=finite,
            help=f"The share of the documented size that a block volume has; {SCALE:g} by default.",
            show_default=False,
        ),
    ] = None,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Start KMS and the brokers, and print where they are.

    What already runs stays as it is; what is missing or has stopped is started.
    """
    from testbed.account import chosen_services
    from testbed.broker import default_broker
    from testbed.broker.default_broker import DefaultBrokerOptions
    from testbed.cli.endpoints import describe_endpoints, render_endpoints
    from testbed.daemon import process
    from testbed.default_region import checked
    from testbed.state.locks import hold_folder
    from testbed.state.store import is_ours
    from testbed.testbed import Testbed

    with errors_shown(as_json):
        chosen = chosen_services.checked(only.split(",")) if only else None
        if region:
            checked(region)
        engine_types = list(dict.fromkeys(map(engine_type_of, engine or ENGINES)))
        if fixed_ports and len(engine_types) > 1:
            raise TestbedError(
                "Both engines have port 5671, so only one can have its documented ports.",
                hint="Add --engine rabbitmq or --engine activemq.",
            )
        versions = {"RABBITMQ": rabbitmq_version, "ACTIVEMQ": activemq_version}
        images = {"RABBITMQ": rabbitmq_image, "ACTIVEMQ": activemq_image}
        wishes = {
            engine_type: DefaultBrokerOptions(
                versions[engine_type], images[engine_type], fixed_ports, kms_key_id
            )
            for engine_type in engine_types
        }
        with hold_folder(state, create=True), _all_or_nothing(state):
            if not is_ours(state):
                for engine_type, options in wishes.items():
                    default_broker.check(engine_type, options)
            testbed = Testbed(
                state,
                kms_image=kms_image,
                delay=delay,
                region=region,
                strict_names=strict_names,
                require_known_keys=require_known_keys,
                only=chosen,
                volumes=volumes,
                volume_scale=volume_scale,
            )
            if testbed.has_new_settings:  # what serves has read the former ones
                process.stop(state)
            starts = [
                partial(_start, testbed, engine_type, options)
                for engine_type, options in wishes.items()
            ]
            bring_up(testbed, starts)
            document = describe_endpoints(testbed)
        show(document, as_json, render_endpoints)
        testbed.close()


def _start(testbed: "Testbed", engine_type: str, options: "DefaultBrokerOptions") -> None:
    """Start a default broker. One that waits for its key is no error, unless it is new."""
    from testbed.broker.default_broker import NAMES

    existing = {broker.broker_name for broker in testbed.brokers.peek_all(testbed.user)}
    with keys_waited_for() if NAMES[engine_type] in existing else nullcontext():
        testbed.default_broker(engine_type, options)


@contextmanager
def keys_waited_for() -> Iterator[None]:
    """Warn of a node that its key keeps down, instead of failing: EnableKey needs the endpoint."""
    try:
        yield
    except VolumeRefused as error:
        logger.warning("%s %s", error, error.hint)


def bring_up(testbed: "Testbed", starts: Sequence[Callable[[], object]]) -> None:
    """Start brokers side by side, and the endpoint. Give everything up when one fails."""
    from testbed.daemon import process
    from testbed.faults.running import Faults
    from testbed.runtime.tasks import run_concurrently

    try:
        with keys_waited_for():
            Faults(testbed).undo_all(abandoned=True)
        with process.launch(testbed.state.folder) as server:  # it gets ready while the brokers do
            run_concurrently(starts, testbed.stop)
            testbed.kms_container.wait_until_ready()  # brokers that run do not wait for it
            server.serve()
    except BaseException:
        testbed.stop()
        raise


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Remove a testbed that did not exist before when it does not come up. Hold the folder."""
    from testbed.daemon import process
    from testbed.state.store import is_ours
    from testbed.testbed import down as take_down

    is_new = not is_ours(folder)
    try:
        yield
    except BaseException:
        if is_new:
            logger.info("removing what was started")
            process.stop(folder)
            take_down(folder, quiet_for=1.0)  # the engine may still be making something
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

    Harmless when there is nothing. Keys and messages are removed as well; images stay
    (`testbed images remove`).
    """
    from testbed.daemon import process
    from testbed.state.locks import hold_folder
    from testbed.testbed import down as take_down

    with errors_shown(as_json), hold_folder(state, create=False):
        process.stop(state)
        show(take_down(state, everything), as_json, _render_removed)


@app.command()
def reboot(
    broker: Annotated[str, typer.Argument(help="A broker's name or id.")],
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """Reboot a broker and wait until it is back.

    As RebootBroker: refused while the broker's key is invalid. Ports and confirmed messages stay.
    """
    from testbed.broker.describe import describe

    with errors_shown(as_json), existing(state) as testbed:
        known = testbed.brokers.peek(broker)
        show(
            describe(testbed.brokers.reboot(known.broker_id, known.owner)),
            as_json,
            lambda answer: f"{answer['BrokerName']}: {answer['BrokerState']}",
        )


def _render_removed(counts: dict[str, int]) -> str:
    if not any(counts.values()):
        return "There was nothing to remove."
    parts = [counted(count, kind.removesuffix("s")) for kind, count in counts.items()]
    return f"Removed {', '.join(parts)}."
