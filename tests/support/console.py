"""Requests to the console, as a browser sends them or as one never would."""

from collections.abc import Mapping

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
