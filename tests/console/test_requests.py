"""Whatever is sent to the console: no fault of its own, no secret, no call without the token."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbed.console.calls import OPERATIONS
from testbed.console.site import Console
from testbed.https.server import Request
from testbed.trail.lookup import newest
from tests.support import console_content
from tests.support.aws_endpoint import Answer, Served
from tests.support.brokers_offline import KEY
from tests.support.console import send

PORT = 1
_SETTINGS = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_TEXT = st.text(max_size=30)
_HOSTS = st.sampled_from([f"localhost:{PORT}", f"127.0.0.1:{PORT}", "rebound.example", ""])
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "host": _HOSTS | _TEXT,
        "origin": st.sampled_from([f"https://localhost:{PORT}", "null", ""]) | _TEXT,
        "accept": st.sampled_from(["text/html", "*/*"]),
        "content-type": st.sampled_from(["application/json", "text/plain"]),
        "sec-fetch-site": st.sampled_from(["same-origin", "cross-site", "none"]),
        "sec-fetch-mode": st.sampled_from(["navigate", "cors"]),
        "x-console-token": _TEXT,
    },
)
_PATHS = st.sampled_from(
    [
        "/",
        "/console",
        "/console/",
        "/console/panels",
        "/console/call",
        "/console/ca.pem",
        "/console/report",
        "/console/benchmark",
        "/console/common.css",
        "/console/console.js",
        "/console/pages/page.html",
    ]
) | _TEXT.map(lambda text: f"/console/{text}")
_CHOSEN = _TEXT | st.sampled_from(["orders", "billing", "pika", "stomp.py", "curl"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_PARAMETERS = st.dictionaries(
    st.sampled_from(
        [
            "KeyId",
            "GrantId",
            "PendingWindowInDays",
            "BrokerId",
            "BrokerName",
            "EngineType",
            "Users",
            "EncryptionOptions",
            "Other",
        ]
    ),
    _JSON,
    max_size=4,
)
_CALLS = st.fixed_dictionaries(
    {
        "operation": st.sampled_from([*OPERATIONS, "ListKeys"]) | _JSON,
        "region": st.sampled_from(["us-east-1", "eu-west-1"]) | _JSON,
        "parameters": _PARAMETERS | _JSON,
    }
)


@pytest.fixture(scope="module")
def furnished(served: Served) -> Served:
    console_content.furnish(served.testbed)
    return served


@pytest.fixture(scope="module")
def console(furnished: Served) -> Console:
    """Return a console whose address is known; its calls go to the endpoint."""
    endpoint = furnished.endpoint
    return Console(furnished.testbed, PORT, endpoint.environment(), endpoint.client())


def secrets(served: Served) -> set[bytes]:
    brokers = served.testbed.brokers.peek_all()
    passwords = {secret for broker in brokers for secret in broker.secrets if secret}
    return {secret.encode() for secret in passwords} | {b"PRIVATE KEY", b"unspoken-secret-1"}


@_SETTINGS
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    path=_PATHS,
    query=st.dictionaries(
        st.sampled_from(["logs", "broker", "client", "other"]), st.lists(_CHOSEN), max_size=3
    ),
    headers=_HEADERS,
    body=st.binary(max_size=50) | _CALLS.map(lambda call: json.dumps(call).encode()),
)
def test_no_request_meets_a_fault_or_a_secret_or_changes_anything(
    console: Console, furnished: Served, **parts: Any
) -> None:
    before = newest(furnished.testbed.trail)
    answer = console.answer(Request(**parts))
    assert answer.status < 500
    assert not [secret for secret in secrets(furnished) if secret in answer.body]
    assert newest(furnished.testbed.trail) == before
    if parts["headers"].get("host", "").lower() not in (f"localhost:{PORT}", f"127.0.0.1:{PORT}"):
        assert answer.status == 421


def test_control_a_secret_is_known_when_it_is_seen(furnished: Served) -> None:
    [broker] = [b for b in furnished.testbed.brokers.peek_all() if b.broker_name == "billing"]
    assert broker.users[0].password.encode() in secrets(furnished)


@settings(_SETTINGS, max_examples=100)
@given(call=_CALLS)
def test_no_call_meets_a_fault(console: Console, furnished: Served, call: dict[str, Any]) -> None:
    headers = {
        "host": f"localhost:{PORT}",
        "origin": f"https://localhost:{PORT}",
        "content-type": "application/json",
        "x-console-token": console._token,
    }
    request = Request("POST", "/console/call", headers=headers, body=json.dumps(call).encode())
    answer = console.answer(request)
    assert answer.status in (200, 400), answer.body
    if answer.status == 200:
        assert json.loads(answer.body)["status"] < 500, answer.body


# What the page loads, and what it asks for every two seconds.
LOADED = ("", "/common.css", "/console.css", "/console.js", "/icon.svg", "/report")
POLLS = 5


def test_fifty_browsers_at_once_are_all_answered(furnished: Served) -> None:
    before, hidden = newest(furnished.testbed.trail), secrets(furnished)

    def browse(number: int) -> list[Answer]:
        chosen = ("", "?logs=orders", "?broker=orders&client=pika")[number % 3]
        paths = [*LOADED, *[f"/panels{chosen}"] * POLLS]
        return [send(furnished, f"/console{path}") for path in paths]

    with ThreadPoolExecutor(50) as browsers:
        answers = [answer for several in browsers.map(browse, range(50)) for answer in several]
    assert len(answers) == 50 * (len(LOADED) + POLLS)
    assert {answer.status for answer in answers} == {200}
    assert not [secret for secret in hidden for answer in answers if secret in answer.body]
    assert newest(furnished.testbed.trail) == before
