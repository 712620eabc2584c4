"""Interruptions at random moments: a plan from a seed, carried out on one testbed after the other.

A session starts a testbed and sends it a message, interrupts commands and the endpoint at work, a
third of them beside a second command, and removes the testbed. What is wrong are lines of text. The
plan is printed, and the same seed gives the same plan.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGINT, SIGKILL, SIGTERM
from typing import Any

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from testbed import cli, clients
from testbed.clients.base import Destination
from testbed.daemon import process
from testbed.kms.base import USER_ACCOUNT
from tests.support.command_line import CommandLine, Running

UP = ("up", "--engine", "rabbitmq")
# Commands with the seconds within which they are interrupted.
COMMANDS: dict[tuple[str, ...], float] = {
    UP: 8.0,
    ("up",): 15.0,
    ("down",): 4.0,
    ("reboot", "rabbitmq"): 10.0,
    ("status",): 1.5,
    ("endpoints",): 1.5,
    ("env",): 1.5,
    ("advise",): 2.0,
    ("logs", "rabbitmq", "--follow"): 2.0,
    ("serve",): 2.0,
    ("trail", "--follow"): 2.0,
    ("trail", "--export", "exported"): 1.5,
    ("images", "list"): 1.5,
    ("images", "build"): 1.5,
    ("scenario", "list"): 1.0,
    ("scenario", "run", "client_side", "names"): 15.0,
    ("scenario", "run", "api_tls", "--fresh"): 15.0,
    ("demo",): 20.0,
    ("bench", "list"): 1.0,
    ("bench", "run", "--driver", "rabbitmq", "--duration", "2"): 15.0,
}
# Few of them wait for anything, so a session has more of those that do.
WEIGHTS = [4.0 if span > 3 else 1.0 for span in COMMANDS.values()]
COMPANIONS = (UP, ("down",), ("reboot", "rabbitmq"), ("status",), ("env",), ("trail",))
API = "the endpoint"
SIGNALS: tuple[signal.Signals, ...] = (*cli.INTERRUPTIONS, SIGKILL)
# Not SIGHUP: it outlives the terminal.
ENDING_THE_ENDPOINT: tuple[signal.Signals, ...] = (SIGINT, SIGTERM, SIGKILL)
_ADVICE = "advise"  # has status 1 when there is some, or a broker cannot be asked
SOON = 60.0  # seconds
_STARTED = 1.0  # seconds until Python runs the command, which handles signals from then on
_NAME = "interrupted"
_ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=120)


def _calls(mq: Any, kms: Any, trail: Any) -> dict[str, Callable[[], Any]]:
    """Return a selection of the operations of the API, on the default broker and on new things."""

    def broker() -> str:
        return str(mq.list_brokers()["BrokerSummaries"][0]["BrokerId"])

    def key() -> str:
        return str(kms.create_key()["KeyMetadata"]["KeyId"])

    return {
        "CreateBroker": lambda: mq.create_broker(
            BrokerName=_NAME,
            EngineType="RABBITMQ",
            HostInstanceType="mq.m7g.large",
            DeploymentMode="SINGLE_INSTANCE",
            PubliclyAccessible=True,
            AutoMinorVersionUpgrade=True,
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": key()},
            Users=[{"Username": "someone", "Password": "correct-horse-battery"}],
        ),
        "DeleteBroker": lambda: mq.delete_broker(BrokerId=broker()),
        "RebootBroker": lambda: mq.reboot_broker(BrokerId=broker()),
        "DescribeBroker": lambda: mq.describe_broker(BrokerId=broker()),
        "CreateConfiguration": lambda: mq.create_configuration(
            Name=_NAME, EngineType="RABBITMQ", EngineVersion="4.2"
        ),
        "Encrypt": lambda: [kms.encrypt(KeyId=k, Plaintext=b"x") for k in [key()] for _ in "123"],
        "DisableKey": lambda: kms.disable_key(KeyId=key()),
        "ScheduleKeyDeletion": lambda: kms.schedule_key_deletion(KeyId=key()),
        "LookupEvents": lambda: trail.lookup_events(MaxResults=5),
    }


CALLS = tuple(_calls(None, None, None))


@dataclass(frozen=True)
class Interruption:
    """One interruption: of a command, or of the endpoint while it has a call to answer."""

    what: tuple[str, ...]
    how: signal.Signals
    after: float  # seconds
    beside: tuple[str, ...] = ()  # a second command

    def __str__(self) -> str:
        beside = f", beside `{' '.join(self.beside)}`" if self.beside else ""
        return f"{' '.join(self.what)}: {self.how.name} after {self.after:.2f} s{beside}"


def plan(seed: int, count: int) -> list[Interruption]:
    """Return the interruptions of a session."""
    chance = random.Random(seed)
    planned = []
    for _ in range(count):
        what: tuple[str, ...]
        what, span, signals = (API, chance.choice(CALLS)), 3.0, ENDING_THE_ENDPOINT
        if chance.random() < 0.75:
            [(what, span)] = chance.choices(list(COMMANDS.items()), WEIGHTS)
            signals = SIGNALS
        beside: tuple[str, ...] = chance.choice(COMPANIONS) if chance.random() < 1 / 3 else ()
        planned.append(Interruption(what, chance.choice(signals), chance.uniform(0, span), beside))
    return planned


def session(command: CommandLine, interruptions: list[Interruption]) -> Iterator[str]:
    """Carry out a session, and yield what is wrong."""
    yield from serves(command)
    for interruption in interruptions:
        print(f"  {interruption}", flush=True)
        for fault in _interrupted(command, interruption):
            yield f"{interruption}: {fault}"
        command.note()
    yield from removed(command)


def serves(command: CommandLine) -> Iterator[str]:
    """Bring the testbed up, and yield why it does not take a message and give it back."""
    done = command.run(*UP)
    if done.returncode:
        yield f"up: {done.returncode} {done.stderr[-1000:]}"
        return
    try:
        require_message(command)
    except Exception as error:
        yield f"up, and no message: {type(error).__name__}: {error}"


def removed(command: CommandLine) -> Iterator[str]:
    """Take the testbed down, and yield what is left of it."""
    done = command.run("down")
    if done.returncode:
        yield f"down: {done.returncode} {done.stderr[-1000:]}"
    if command.state.exists():
        yield f"down: the folder is left, with {[path.name for path in command.state.iterdir()]}"
    try:
        command.wait_until_nothing_is_left()
    except AssertionError as left:
        yield f"down: left are {left}"


def require_message(command: CommandLine) -> None:
    """Send a message to the default RabbitMQ broker, and receive it."""
    with clients.connect(command.rabbitmq()) as client:
        client.publish(Destination.queue("here"), b"here")


def _interrupted(command: CommandLine, interruption: Interruption) -> Iterator[str]:
    beside = command.start(*interruption.beside) if interruption.beside else None
    if interruption.what[0] == API:
        yield from _interrupt_endpoint(command, interruption)
    else:
        yield from _interrupt_command(command, interruption)
    if beside:
        try:
            beside.process.wait(240)
        except Exception as error:
            beside.end(SIGKILL)
            yield f"the second command: {type(error).__name__}"
        yield from _said(beside, "the second command")


def _interrupt_command(command: CommandLine, interruption: Interruption) -> Iterator[str]:
    running = command.start(*interruption.what)
    with suppress(Exception):  # it is still at work
        running.process.wait(interruption.after)
    status, seconds = running.end(interruption.how)
    if seconds > SOON:
        yield f"it took {seconds:.0f} s to end"
    if status == -interruption.how and interruption.after < _STARTED:
        return  # Python itself ended, in its own words
    if status not in (130, 0, 1) and (status, interruption.how) != (-SIGKILL, SIGKILL):
        yield f"exit status {status}: {running.lines[-5:]}"
    yield from _said(running, "it")


def _said(running: Running, who: str) -> Iterator[str]:
    """Yield what a command should not say, and that it failed without a reason."""
    text = "\n".join(running.lines)
    if "Traceback" in text or "Exception ignored" in text or "hanging up" in text:
        yield f"{who} said {text[-3000:]}"
    reason = "error: " in text or "broke off" in text or _ADVICE in str(running.process.args)
    if running.process.returncode == 1 and not reason:
        yield f"{who} failed without a reason: {text[-1000:]}"


def _interrupt_endpoint(command: CommandLine, interruption: Interruption) -> Iterator[str]:
    server = process.find(command.state)
    if not server or not server.port:
        command.run(*UP)
        server = process.find(command.state)
    if not server or not server.port:
        return  # the second command has removed it
    settings: Any = {
        "endpoint_url": f"https://localhost:{server.port}",
        "verify": str(command.state / "ca.pem"),
        "region_name": "us-east-1",
        "aws_access_key_id": USER_ACCOUNT,
        "aws_secret_access_key": "test",
        "config": _ONCE,
    }
    services = [boto3.client(name, **settings) for name in ("mq", "kms", "cloudtrail")]

    def call() -> None:
        with suppress(BotoCoreError, ClientError, OSError, IndexError):
            _calls(*services)[interruption.what[1]]()

    client = threading.Thread(target=call)
    client.start()
    time.sleep(interruption.after)
    with suppress(psutil.NoSuchProcess):
        running = psutil.Process(server.pid)
        running.send_signal(interruption.how)
        try:
            running.wait(SOON)
        except psutil.TimeoutExpired:
            yield "the endpoint did not end"
    client.join()
    with suppress(OSError):
        log = (command.state / process.LOG).read_text()
        if "Traceback" in log or "Exception ignored" in log:
            yield f"the endpoint said {log[-3000:]}"
