"""Requests to the console, as a browser sends them or as one never would."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from testbed.kms.grant import Grant
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.testbed import Testbed
from tests.support.aws_endpoint import Answer, Served


def send(
    served: Served,
    path: str,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] = {},
) -> Answer:
    connection = served.connect()
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read(), dict(response.getheaders()))
    finally:
        connection.close()


def store(testbed: Testbed, *stored: Key | Grant) -> None:
    """Put keys and grants into the ledger, without KMS."""
    ledger = Ledger(testbed.state)
    with ledger.change() as change:
        for each in stored:
            (change.put_key if isinstance(each, Key) else change.put_grant)(each)  # type: ignore[arg-type]
    ledger.close()


def token(served: Served) -> str:
    """Return the token that a browser finds in the page."""
    found = re.search(
        r'name="console-token" content="([^"]+)"', send(served, "/console").body.decode()
    )
    assert found
    return found[1]


def call(
    served: Served, operation: str, *, region: str = "us-east-1", **parameters: Any
) -> dict[str, Any]:
    """Make a call as a button does, and return its outcome."""
    answer = post(served, {"operation": operation, "region": region, "parameters": parameters})
    assert answer.status == 200, answer.body
    outcome: dict[str, Any] = answer.document
    return outcome


def post(served: Served, document: object, **headers: str | None) -> Answer:
    """Send a call; ``headers`` replace those of the page, None leaves one out."""
    sent = {
        "Origin": served.endpoint.url,
        "Content-Type": "application/json",
        "X-Console-Token": headers.pop("token") if "token" in headers else token(served),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    present = {name: value for name, value in sent.items() if value is not None}
    return send(served, "/console/call", "POST", json.dumps(document).encode(), present)


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what a console shows a moment later."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the console stayed as it was"
        time.sleep(0.05)
