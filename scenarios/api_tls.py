"""The testbed's own endpoint, asked for every TLS version, every suite and plaintext."""

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.aws import https
from testbed.aws.endpoint import HOST, serve
from testbed.cli.scenario import run_file
from testbed.documented.tls import API
from testbed.pki import Authority
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed
from testbed.wire.prober import probe
from testbed.wire.scan import ListenerScan
from testbed.wire.verdict import judge, judge_certificate, observed

logger = logging.getLogger(__name__)

TITLE = "The endpoint for AWS API clients takes TLS 1.2 and 1.3, and nothing older"
CLAIMS = ("P6",)


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Scan the endpoint, and as control one that accepts older versions as well."""
    with serve(testbed) as endpoint, _old_endpoint(testbed.authority) as old:
        logger.info("  asking the endpoint and a control that takes TLS 1.1")
        scan, control = (
            probe(HOST, port, server_name=HOST, ca_file=testbed.ca_file)
            for port in (endpoint.port, old)
        )
    yield Finding(
        "P6",
        "the endpoint for AWS API clients",
        *_judged(scan),
        Finding("P6", "an endpoint that takes TLS 1.0 and 1.1", *_judged(control)),
    )
    yield f"the endpoint: {scan.handshakes} handshakes in {scan.seconds:.1f} s"


def _judged(scan: ListenerScan) -> tuple[Verdict, tuple[str, ...]]:
    differences = (*judge(scan, API), *judge_certificate(scan, (HOST,)))
    return Verdict.of(not differences), (*map(str, differences), *observed(scan))


@contextmanager
def _old_endpoint(authority: Authority) -> Iterator[int]:
    """Serve as the endpoint does, but from TLS 1.0 on, at the port that it yields."""
    old = https.context(authority.issue(names=[HOST]))
    old.minimum_version = ssl.TLSVersion.TLSv1
    # OpenSSL signs nothing of TLS 1.1 above this level: its signatures are over SHA-1.
    old.set_ciphers("ECDHE+AESGCM:ECDHE+AES:@SECLEVEL=0")
    with https.HttpsServer(0, old, lambda _: https.Response(404)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


if __name__ == "__main__":
    run_file(__file__)
