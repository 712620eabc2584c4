"""Calls over TLS 1.2 and 1.3, and what their records say of the connection."""

import http.client
import logging
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import replace

from testbed.aws.endpoint import HOST, Endpoint, serve
from testbed.cli.scenario import run_file
from testbed.kms.base import Caller
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.trail.lookup import Attribute, events

logger = logging.getLogger(__name__)

TITLE = "The record of a call says over which TLS it came"
CLAIMS = ("P4",)
_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
Details = dict[str, str]


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Call ListKeys over each version, and as control within this process."""
    logger.info("  ListKeys over TLS 1.2, over TLS 1.3, and over no connection")
    with serve(testbed) as endpoint:
        for version in _VERSIONS:
            request_id, connection = _call(endpoint, testbed.user, version)
            within = replace(testbed.user, request_id=str(uuid.uuid4()))
            testbed.kms.call(within, "ListKeys", {})
            yield Finding(
                "P4",
                f"ListKeys over {connection['tlsVersion']}",
                *_judged(testbed, request_id, connection),
                Finding(
                    "P4",
                    "ListKeys over no connection",
                    *_judged(testbed, within.request_id, connection),
                ),
            )


def _call(endpoint: Endpoint, user: Caller, version: ssl.TLSVersion) -> tuple[str, Details]:
    """Return the id of a request for ListKeys, and the client's side of its connection."""
    trust = ssl.create_default_context(cafile=str(endpoint.ca_file))
    trust.minimum_version = trust.maximum_version = version
    client = http.client.HTTPSConnection(HOST, endpoint.port, context=trust, timeout=30)
    client.connect()
    assert isinstance(client.sock, ssl.SSLSocket)
    suite = client.sock.cipher()
    assert suite is not None, "the handshake is over"
    connection = {
        "tlsVersion": client.sock.version() or "",
        "cipherSuite": suite[0],
        "clientProvidedHostHeader": f"{HOST}:{endpoint.port}",
    }
    scope = f"{user.account}/20260101/{user.region}/kms/aws4_request"
    headers = {
        "X-Amz-Target": "TrentService.ListKeys",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    client.request("POST", "/", b"{}", headers)
    response = client.getresponse()
    response.read()
    client.close()
    return response.headers["X-Amzn-RequestId"], connection


def _judged(
    testbed: Testbed, request_id: str, connection: Details
) -> tuple[Verdict, tuple[str, ...]]:
    """Return whether the request's record has the details of the connection, and the evidence."""
    found = events(
        testbed.trail,
        testbed.user.account,
        region=testbed.region,
        attribute=Attribute("EventName", "ListKeys"),
    )
    record = next(record for record in found if record["requestID"] == request_id)
    details = record.get("tlsDetails")
    return Verdict.of(details == connection), (
        f"the client's connection: {', '.join(connection.values())}",
        f"the record: {', '.join(details.values()) if details else 'no tlsDetails'}",
    )


if __name__ == "__main__":
    run_file(__file__)
