"""What must not be in a name, a tag or a URL, and how the service refuses it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from testbed.broker.model import CreateBroker
from testbed.broker.names import check_tag, check_username
from testbed.documented.names import BROKER_NAME, USERNAME
from testbed.engines.base import NetworkConnector, User
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import BadRequestException
from testbed.results import Finding, Verdict
from testbed.scenario import Say, main
from testbed.testbed import Testbed

TITLE = "Names, user names, tags and URLs without personal data or credentials"
CLAIMS = ("P1", "P2", "P3")

_PRIVATE = {"a phone number": "orders-4930123456789", "an access key id": "AKIAIOSFODNN7EXAMPLE", "a KMS key id": "k-1234abcd-12ab-34cd-56ef-1234567890ab"}
_SECRET = "s3cret-of-the-url"
_URLS = {
    "an LDAP server": f"ldaps://cn=admin:{_SECRET}@ldap.example.com:636",
    "a shovel": f"amqps://orders:{_SECRET}@other.example.com:5671/%2f",
    "a federation upstream": f"amqps://orders:{_SECRET}@up.example.com",
}


def run(testbed: Testbed, say: Say) -> Iterator[Finding | str]:
    """CreateBroker with each; the control is what the rules of length and characters alone would let through."""
    for what, name in _PRIVATE.items():
        refused = _refused(lambda name=name: testbed.brokers.create(_request(testbed, broker_name=name)), name)
        control = bool(BROKER_NAME.pattern.fullmatch(name))
        yield _finding("P1", f"a broker name with {what}", refused, "the API's pattern alone", not control)
    refused = _refused(lambda: check_tag("contact", "jane.doe@example.com"), "jane.doe@example.com")
    yield _finding("P1", "a tag with an e-mail address", refused, "a tag without one", bool(_refused(lambda: check_tag("team", "orders"), "")[0]))
    refused = _refused(lambda: testbed.brokers.create(_request(testbed, broker_name="a name with spaces")), "")
    yield _finding("P1", "a broker name with characters that are not allowed", refused, "a clean name", not BROKER_NAME.pattern.fullmatch("orders_1-a"))

    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        for what, name in {"a phone number": "u.4930123456789", "an access key id": "AKIAIOSFODNN7EXAMPLE"}.items():
            users = (User(name, "a-long-password-1"),)
            refused = _refused(lambda users=users: testbed.brokers.create(_request(testbed, engine_type, users=users)), name)
            yield _finding("P2", f"{engine_type}: a user name with {what}", refused, "the API's pattern alone", not USERNAME[engine_type].pattern.fullmatch(name))
    refused = _refused(lambda: check_username("RABBITMQ", "guest"), "")
    yield _finding("P2", "RABBITMQ: the user guest", refused, "the API's pattern alone", not USERNAME["RABBITMQ"].pattern.fullmatch("guest"))

    connector = NetworkConnector("to-others", f"static:(ssl://orders:{_SECRET}@other:61617)", "testbed")
    refused = _refused(lambda: testbed.brokers.create(_request(testbed, "ACTIVEMQ", network_connectors=(connector,))), _SECRET)
    clean = bool(_refused(lambda: check_no_credentials_in_url("static:(ssl://other:61617)"), "")[0])
    yield _finding("P3", "a network connector with user and password", refused, "one without", clean)
    for what, url in _URLS.items():
        refused = _refused(lambda url=url: check_no_credentials_in_url(url), _SECRET)
        yield _finding("P3", f"the URL of {what} with user and password", refused, "one without", clean)


def _request(testbed: Testbed, engine_type: str = "RABBITMQ", **members: Any) -> CreateBroker:
    return replace(testbed.request(engine_type, "names"), **members)


def _refused(attempt: Callable[[], object], secret: str) -> tuple[str, bool]:
    """The refusal's words, empty where there is none, and whether they repeat what was refused."""
    try:
        attempt()
    except BadRequestException as error:
        return str(error), bool(secret) and secret in str(error)
    return "", False


def _finding(claim: str, subject: str, refused: tuple[str, bool], control: str, control_refused: bool) -> Finding:
    said, repeated = refused
    evidence = f"refused: {said}" if said else "it is taken"
    return Finding(
        claim,
        subject,
        Verdict.of(bool(said) and not repeated),
        (evidence, "the refusal repeats it" if repeated else "the refusal does not repeat it"),
        Finding(claim, control, Verdict.of(control_refused), ("refused" if control_refused else "it is taken",)),
    )


if __name__ == "__main__":
    main(__file__)
