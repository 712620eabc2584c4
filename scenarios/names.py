"""Names and tags: what the API takes, what `testbed advise` says, what strict names refuse."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError

from testbed.advice.personal import mask
from testbed.aws.endpoint import serve
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients.console import Console
from testbed.documented.names import BROKER_NAME, PII_SENTENCE, TAGS_SENTENCE, USERNAME
from testbed.errors import TestbedError
from testbed.evidence import Observation, advised, contrast, with_strict_names
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "Names, user names and tags: accepted, advised against, and refused where that was asked"
CLAIMS = ("P1", "P2")

_PATIENCE = 180.0  # seconds for a broker to start
_GUEST = "guest as a valid user name"
_NO_KEY = "00000000-0000-0000-0000-000000000000"
_PRIVATE_TAGS = {
    "contact": "jane.doe@example.com",
    "on-call": "+49 171 2345678",
    "access": "AKIAIOSFODNN7EXAMPLE",
}
_CLEAN_TAGS = {
    "contact": "1234abcd-12ab-34cd-56ef-1234567890ab",
    "on-call": "arn:aws:sns:us-east-1:123456789012:pager",
    "access": "10.0.0.0/16",
    "account": "123456789012",
}


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Name a new broker and things in the default ones; the control of each has a clean name."""
    rabbitmq, activemq = map(testbed.default_broker, ("RABBITMQ", "ACTIVEMQ"))
    with serve(testbed) as endpoint, ExitStack() as undo:
        mq = boto3.client("mq", **endpoint.client())
        logger.info("  private names beside clean ones")
        private = undo.enter_context(_private_broker(testbed, mq, rabbitmq))
        undo.enter_context(_tags(mq, rabbitmq, _CLEAN_TAGS))
        names = {"private": _phone("fax"), "clean": f"orders-{secrets.token_hex(3)}"}
        for name in names.values():
            undo.enter_context(_inside(testbed, rabbitmq, name))
            undo.enter_context(_user(mq, activemq, name))
        advice = advised(testbed.state.folder)

        def finding(
            claim: str, subject: str, things: Sequence[tuple[Broker, str]], rule: str
        ) -> Finding:
            """Judge that the first of two things is advised against; the other's name is clean."""
            found, control = (advice.on(broker.broker_id, what, rule) for broker, what in things)
            return contrast(claim, subject, (found,), "a clean one", (control,))

        what = "broker name"
        yield finding("P1", f"a {what}", [(private, what), (rabbitmq, what)], PII_SENTENCE)
        for tag in _PRIVATE_TAGS:
            what = f"tag {tag}"
            yield finding("P1", f"the {what}", [(private, what), (rabbitmq, what)], TAGS_SENTENCE)
        shown = {kind: mask(name) for kind, name in names.items()}
        queues = [(rabbitmq, f"queue {name}") for name in shown.values()]
        yield finding("P1", "a queue's name", queues, TAGS_SENTENCE)
        created = [
            (broker, f"user name {mask(broker.users[0].username)}")
            for broker in (private, rabbitmq)
        ]
        yield finding("P2", "RABBITMQ: a user of CreateBroker", created, PII_SENTENCE)
        for broker, origin in ((rabbitmq, "made in the broker"), (activemq, "of CreateUser")):
            users = [(broker, f"user name {name}") for name in shown.values()]
            yield finding("P2", f"{broker.engine_type}: a user {origin}", users, PII_SENTENCE)
        yield _spared(
            [advice.on(rabbitmq.broker_id, f"tag {tag}", TAGS_SENTENCE) for tag in _CLEAN_TAGS],
            [advice.on(private.broker_id, f"tag {tag}", TAGS_SENTENCE) for tag in _PRIVATE_TAGS],
        )
        logger.info("  the API's own rules, and strict names")
        yield from _rules(mq, rabbitmq, activemq)
        yield from _strict(testbed, mq, rabbitmq)


def _phone(word: str) -> str:
    return f"{word}-030{secrets.randbelow(10**7):07}"


@contextmanager
def _private_broker(testbed: Testbed, mq: Any, like: Broker) -> Iterator[Broker]:
    """Create a broker like ``like`` but for its names and tags, and wait until it runs."""
    request = _request(like, BrokerName=_phone("call"), Tags=_PRIVATE_TAGS, user=_phone("tel"))
    identity = mq.create_broker(**request)["BrokerId"]
    try:
        end = time.monotonic() + _PATIENCE
        while mq.describe_broker(BrokerId=identity)["BrokerState"] != "RUNNING":
            if time.monotonic() > end:
                raise TestbedError(f"The broker {identity} does not start.")
            time.sleep(0.5)
        yield testbed.brokers.peek(identity)
    finally:
        testbed.brokers.delete(identity)


def _request(like: Broker, *, user: str = "orders", **members: Any) -> dict[str, Any]:
    return {
        "BrokerName": f"names-{secrets.token_hex(3)}",
        "EngineType": like.engine_type,
        "EngineVersion": like.engine_version,
        "HostInstanceType": "mq.m7g.large",
        "DeploymentMode": "SINGLE_INSTANCE",
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": True,
        "EncryptionOptions": {"UseAwsOwnedKey": False, "KmsKeyId": like.key_arn},
        "Users": [{"Username": user, "Password": secrets.token_urlsafe(18)}],
        **members,
    }


@contextmanager
def _tags(mq: Any, broker: Broker, tags: Mapping[str, str]) -> Iterator[None]:
    mq.create_tags(ResourceArn=broker.arn, Tags=dict(tags))
    try:
        yield
    finally:
        mq.delete_tags(ResourceArn=broker.arn, TagKeys=list(tags))


def _inside(testbed: Testbed, broker: Broker, name: str) -> AbstractContextManager[None]:
    """Make a user and a queue of that name in a running RabbitMQ broker."""
    return Console(testbed.brokers.address(broker, "management")).temporary(
        {
            f"/api/users/{quote(name)}": {"password": secrets.token_urlsafe(18), "tags": ""},
            f"/api/queues/%2F/{quote(name)}": {"durable": True},
        }
    )


@contextmanager
def _user(mq: Any, broker: Broker, username: str) -> Iterator[None]:
    """Create a user of ActiveMQ, who waits for a reboot."""
    identity = {"BrokerId": broker.broker_id, "Username": username}
    mq.create_user(**identity, Password=secrets.token_urlsafe(18))
    try:
        yield
    finally:
        mq.delete_user(**identity)


def _spared(clean: list[Observation], private: list[Observation]) -> Finding:
    """Judge that clean tags get no advice; the control's tags are private."""
    spared, control = (
        (not any(look.yes for look in looks), tuple(look.evidence for look in looks))
        for looks in (clean, private)
    )
    failing = Finding("P1", "the same tags with private values", Verdict.of(control[0]), control[1])
    subject = "tags with a UUID, an ARN, a CIDR block and an account id"
    return Finding("P1", subject, Verdict.of(spared[0]), spared[1], failing)


def _rules(mq: Any, rabbitmq: Broker, activemq: Broker) -> Iterator[Finding]:
    """Judge that the API's own rules refuse a name; in the control the name keeps them.

    No key is like the requests', so that none creates a broker.
    """

    def create(rule: str, **named: str) -> Observation:
        request = _request(rabbitmq, **named)
        request["EncryptionOptions"]["KmsKeyId"] = _NO_KEY
        return _refused(lambda: mq.create_broker(**request), rule, *named.values())

    def create_user(name: str) -> Observation:
        identity = {"BrokerId": activemq.broker_id, "Username": name}
        password = secrets.token_urlsafe(18)
        refused = _refused(
            lambda: mq.create_user(**identity, Password=password), USERNAME["ACTIVEMQ"].sentence
        )
        if not refused.yes:
            mq.delete_user(**identity)
        return refused

    names = {"two words": "two-words", "a.b": "a-b", "x" * 51: "x" * 50, "": "x"}
    yield contrast(
        "P1",
        "broker names outside of the API's rule",
        [create(BROKER_NAME.sentence, BrokerName=name) for name in names],
        "names inside of it",
        [create(BROKER_NAME.sentence, BrokerName=name) for name in names.values()],
    )
    names = {"a:b": "a-b", "x": "xx", "x" * 101: "x" * 100, "a~b": "a.b", "guest": "guests"}
    rules = dict.fromkeys(names, USERNAME["RABBITMQ"].sentence) | {"guest": _GUEST}
    yield contrast(
        "P2",
        "RABBITMQ: user names outside of its rule, and guest",
        [create(rule, user=name) for name, rule in rules.items()],
        "names inside of it",
        [create(rule, user=names[name]) for name, rule in rules.items()],
    )
    names = {"a:b": "a~b", "x": "xx", "x" * 101: "x" * 100}
    yield contrast(
        "P2",
        "ACTIVEMQ: user names outside of its rule",
        [create_user(name) for name in names],
        "names inside of it",
        [create_user(name) for name in names.values()],
    )


def _strict(testbed: Testbed, mq: Any, rabbitmq: Broker) -> Iterator[Finding]:
    """Judge what `up --strict-names` refuses; the control is the testbed without it."""
    requests: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
        ("P1", "a broker's name"): ({"BrokerName": _phone("call")}, PII_SENTENCE),
        ("P1", "a tag"): ({"Tags": {"contact": _PRIVATE_TAGS["contact"]}}, TAGS_SENTENCE),
        ("P2", "a user name"): ({"user": _phone("tel")}, PII_SENTENCE),
    }

    def create(members: dict[str, Any], rule: str) -> Observation:
        request = _request(rabbitmq, **members)
        request["EncryptionOptions"]["KmsKeyId"] = _NO_KEY
        values = [str(value) for value in members.values() if isinstance(value, str)]
        return _refused(lambda: mq.create_broker(**request), rule, *values)

    without, with_them = with_strict_names(
        testbed.state, lambda: [create(*request) for request in requests.values()]
    )
    for (claim, subject), refused, accepted in zip(requests, with_them, without, strict=True):
        yield contrast(
            claim, f"{subject}, with strict names", [refused], "without them", [accepted]
        )


def _refused(attempt: Callable[[], object], rule: str, *values: str) -> Observation:
    """Make a request; ``yes`` if it is refused by ``rule``, and the refusal repeats no value."""
    try:
        attempt()
    except ClientError as error:
        message = error.response["Error"]["Message"]
        repeated = any(len(value) > 5 and value in message for value in values)
        return Observation(
            rule in message and not repeated,
            f"refused: {message}{' It repeats what it refuses.' if repeated else ''}",
        )
    return Observation(yes=False, evidence="it is carried out")


if __name__ == "__main__":
    run_file(__file__)
