"""What must not be in a name, a tag or a URL, and how the service refuses it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from testbed.broker.requests import Configuration, CreateBroker
from testbed.cli.scenario import run_file
from testbed.documented.activemq_elements import NAMESPACE
from testbed.documented.names import BROKER_NAME, PII_SENTENCE, USERNAME, NameRule
from testbed.engines.activemq.configuration import sanitize
from testbed.engines.base import NetworkConnector, User
from testbed.engines.rabbitmq.configuration import check_parameter
from testbed.errors import BadRequestException
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "Names, user names, tags and URLs without personal data or credentials"
CLAIMS = ("P1", "P2", "P3")

Attempt = Callable[[str], object]

# All of them follow the API's rules for length and characters: only their content is wrong.
_PRIVATE = {
    "a phone number": "orders-4930123456789",
    "an access key id": "AKIAIOSFODNN7EXAMPLE",
    "a KMS key id": "k-1234abcd-12ab-34cd-56ef-1234567890ab",
}
_EMAIL = {"an e-mail address": "jane.doe@example.com"}
_PASSWORD = "s3cret-of-the-url"  # noqa: S105 - to be found nowhere
_CREDENTIALS_RULE = "do not include credentials information in the URL"
_XML = f'<broker xmlns="{NAMESPACE}">{{}}</broker>'
_NETWORK = _XML.format(
    '<networkConnectors><networkConnector name="n" userName="u" uri="{}"/></networkConnectors>'
)


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Send CreateBroker with every kind of name. The control is a rule set without the check."""
    logger.info("  broker names and tags")
    named = _creating(testbed, "RABBITMQ", lambda name: {"broker_name": name})
    yield _finding(
        testbed,
        "P1",
        "broker names",
        named,
        _PRIVATE | _EMAIL,
        rule=PII_SENTENCE,
        blind=_pattern(BROKER_NAME),
    )
    invalid = {"a space": "two words", "a dot": "a.b", "200 characters": "x" * 200, "nothing": ""}
    yield _finding(
        testbed,
        "P1",
        "broker names outside of the API's rule",
        named,
        invalid,
        rule=BROKER_NAME.sentence,
        blind=_anything,
    )
    tagged = _creating(testbed, "RABBITMQ", lambda value: {"tags": {"contact": value}})
    yield _finding(
        testbed, "P1", "tags", tagged, _PRIVATE | _EMAIL, rule=PII_SENTENCE, blind=_anything
    )

    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        logger.info("  user names of %s", engine_type)
        used = _creating(
            testbed, engine_type, lambda name: {"users": (User(name, "a-long-password-1"),)}
        )
        rule = USERNAME[engine_type]
        yield _finding(
            testbed,
            "P2",
            f"{engine_type}: user names",
            used,
            _PRIVATE | _EMAIL,
            rule=PII_SENTENCE,
            blind=_pattern(rule),
        )
        invalid = {
            "a colon": "a:b",
            "one character": "x",
            "101 characters": "x" * 101,
            **({"a tilde": "a~b"} if engine_type == "RABBITMQ" else {}),
        }
        yield _finding(
            testbed,
            "P2",
            f"{engine_type}: user names outside of its rule",
            used,
            invalid,
            rule=rule.sentence,
            blind=_anything,
        )
    guest = _creating(
        testbed, "RABBITMQ", lambda name: {"users": (User(name, "a-long-password-1"),)}
    )
    yield _finding(
        testbed,
        "P2",
        "RABBITMQ: the user guest",
        guest,
        {"guest": "guest"},
        rule="guest as a valid user name",
        blind=_pattern(USERNAME["RABBITMQ"]),
    )

    logger.info("  URLs of other servers")
    for subject, (attempt, url) in _urls(testbed).items():
        credentials = {
            "user and password": f"orders:{_PASSWORD}@",
            "the same, encoded": f"orders%3A{_PASSWORD}@",
        }
        with_them = {what: url.format(credential) for what, credential in credentials.items()}
        yield _finding(
            testbed,
            "P3",
            subject,
            attempt,
            with_them,
            rule=_CREDENTIALS_RULE,
            blind=_any_url,
            secret=_PASSWORD,
        )

    logger.info("  clean ones")
    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        yield from _clean(testbed, engine_type)
    yield _clean_urls()


def _urls(testbed: Testbed) -> dict[str, tuple[Attempt, str]]:
    """Return by subject how to submit a URL, and a URL with a place for credentials."""

    def configured(engine_type: str, data: str) -> Attempt:
        return _creating(
            testbed,
            engine_type,
            lambda url: {"configuration": Configuration("c-1", 1, data.format(url))},
        )

    def connected(url: str) -> Mapping[str, Any]:
        return {"network_connectors": (NetworkConnector("to-others", url, "testbed"),)}

    ldap = _XML.format(
        "<plugins><authorizationPlugin><map>"
        '<cachedLDAPAuthorizationMap connectionURL="{}"/>'
        "</map></authorizationPlugin></plugins>"
    )
    return {
        "a network connector of CreateBroker": (
            _creating(testbed, "ACTIVEMQ", connected),
            "static:(ssl://{}other:61617)",
        ),
        "a network connector of a configuration": (
            configured("ACTIVEMQ", _NETWORK),
            "masterslave:(ssl://one:61617,ssl://{}other:61617)",
        ),
        "ActiveMQ: an LDAP server of a configuration": (
            configured("ACTIVEMQ", ldap),
            "ldaps://{}ldap.example.com:636",
        ),
        "RabbitMQ: an LDAP server of a configuration": (
            configured("RABBITMQ", "auth_ldap.servers.1 = {}"),
            "ldaps://{}ldap.example.com:636",
        ),
        "a shovel": (
            lambda url: check_parameter("shovel", {"src-uri": "amqps://", "dest-uri": [url]}),
            "amqps://{}other.example.com:5671/%2f",
        ),
        "a federation upstream": (
            lambda url: check_parameter("federation-upstream", {"uri": url}),
            "amqps://{}up.example.com",
        ),
    }


def _creating(
    testbed: Testbed, engine_type: str, members: Callable[[str], Mapping[str, Any]]
) -> Attempt:
    """Return an attempt that calls CreateBroker with the members made from a value."""

    def attempt(value: str) -> object:
        request: CreateBroker = replace(testbed.request(engine_type, "names"), **members(value))
        return testbed.brokers.create(request)

    return attempt


def _clean(testbed: Testbed, engine_type: str) -> Iterator[Finding]:
    """Accept the default broker's clean names; the control sends a private one."""
    broker = testbed.default_broker(engine_type)
    private = _PRIVATE["a phone number"]
    named = _refusal(_creating(testbed, engine_type, lambda name: {"broker_name": name}), private)
    yield _accepted(
        "P1",
        f"{engine_type}: a clean broker name",
        {broker.broker_name: ""},
        "a private one",
        named,
    )
    used = _refusal(
        _creating(testbed, engine_type, lambda name: {"users": (User(name, "a-long-password-1"),)}),
        private,
    )
    yield _accepted(
        "P2",
        f"{engine_type}: a clean user name",
        {user.username: "" for user in broker.users},
        "a private one",
        used,
    )


def _clean_urls() -> Finding:
    """Accept URLs without credentials; the control adds some to the first."""

    def shovel(url: str) -> None:
        check_parameter("shovel", {"src-uri": "amqps://", "dest-uri": url})

    def connector(url: str) -> None:
        sanitize(_NETWORK.format(url))

    refusals = {
        "a shovel to amqps://other:5671/%2f": _refusal(shovel, "amqps://other:5671/%2f"),
        "a connector to static:(ssl://other:61617)": _refusal(
            connector, "static:(ssl://other:61617)"
        ),
    }
    return _accepted(
        "P3",
        "URLs without credentials",
        refusals,
        "a URL with them",
        _refusal(shovel, f"amqps://orders:{_PASSWORD}@other:5671/%2f"),
    )


# Controls: rule sets without the check


def _pattern(rule: NameRule) -> Attempt:
    def attempt(name: str) -> None:
        if not rule.pattern.fullmatch(name):
            raise BadRequestException(rule.sentence)

    return attempt


def _any_url(url: str) -> None:
    if not urlsplit(url).scheme:
        raise BadRequestException("This is no URL.")


def _anything(value: str) -> None:
    """Accept every value."""


# Judging


def _finding(
    testbed: Testbed,
    claim: str,
    subject: str,
    attempt: Attempt,
    values: Mapping[str, str],
    *,
    rule: str,
    blind: Attempt,
    secret: str = "",
) -> Finding:
    """Check that every value is refused; the control is a rule set without the check."""
    holds, evidence = _all_refused(testbed, attempt, values, rule, secret)
    fails, control_evidence = _all_refused(testbed, blind, values, rule, secret)
    return Finding(
        claim,
        subject,
        Verdict.of(holds),
        evidence,
        Finding(
            claim, f"{subject}: a rule set that does not look", Verdict.of(fails), control_evidence
        ),
    )


def _accepted(
    claim: str, subject: str, refusals: Mapping[str, str], control: str, control_refusal: str
) -> Finding:
    """Expect no refusal: ``refusals`` has each attempt's message, empty if accepted."""
    evidence = tuple(
        f"{what}: {f'refused: {words}' if words else 'it is accepted'}"
        for what, words in refusals.items()
    )
    failed = Finding(
        claim,
        control,
        Verdict.of(not control_refusal),
        (f"refused: {control_refusal}" if control_refusal else "it is accepted",),
    )
    return Finding(claim, subject, Verdict.of(not any(refusals.values())), evidence, failed)


def _all_refused(
    testbed: Testbed, attempt: Attempt, values: Mapping[str, str], rule: str, secret: str
) -> tuple[bool, tuple[str, ...]]:
    """Check that the rule refuses every value without repeating it, and leaves nothing behind."""
    before = _present(testbed)
    refused, evidence = True, []
    for what, value in values.items():
        words = _refusal(attempt, value)
        quoted, repeated = (
            rule in words,
            bool(secret or len(value) > 5) and (secret or value) in words,
        )
        refused &= quoted and not repeated
        outcome = f"refused: {words}" if words else "it is accepted"
        evidence.append(f"{what}: {outcome}{' It repeats what it refuses.' if repeated else ''}")
    left = _present(testbed) - before
    return refused and not left, (*evidence, f"left behind: {', '.join(sorted(left)) or 'nothing'}")


def _refusal(attempt: Attempt, value: str) -> str:
    """Return the refusal's words as a log might have them; empty if there is none."""
    try:
        attempt(value)
    except BadRequestException as error:
        return f"{error.message} {error.hint}".strip()
    return ""


def _present(testbed: Testbed) -> set[str]:
    """Return the existing brokers and containers."""
    return {broker.broker_name for broker in testbed.brokers.peek_all()} | {
        str(row["name"]) for row in testbed.containers.find()
    }


if __name__ == "__main__":
    run_file(__file__)
