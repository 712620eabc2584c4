"""The testbed's own endpoint, asked for every TLS version, every suite and plaintext."""

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.aws.endpoint import HOST, serve
from testbed.cli.scenario import run_file
from testbed.documented.tls import API
from testbed.evidence import Observation, contrast
from testbed.https.server import HttpsServer, Response, context
from testbed.pki import Authority
from testbed.results import Finding
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
    newer, as_documented = _looks(scan)
    older, _ = _looks(control)
    yield contrast(
        "P6",
        "the endpoint for AWS API clients",
        (newer,),
        "an endpoint that takes TLS 1.0 and 1.1",
        (older,),
        also=(as_documented,),
    )
    yield f"the endpoint: {scan.handshakes} handshakes in {scan.seconds:.1f} s"


def _looks(scan: ListenerScan) -> tuple[Observation, Observation]:
    """Return whether older versions are refused, and whether the rest is as documented.

    The control has more suites, too, since TLS 1.1 has none of the documented ones: only the first
    look is what it has to answer with no.
    """
    differences = (*judge(scan, API), *judge_certificate(scan, (HOST,)))
    versions = [str(found) for found in differences if found.kind == "extra version"]
    rest = [str(found) for found in differences if found.kind != "extra version"]
    return (
        Observation(not versions, "; ".join(versions) or "no older version is accepted"),
        Observation(not rest, "; ".join((*rest, *observed(scan)))),
    )


@contextmanager
def _old_endpoint(authority: Authority) -> Iterator[int]:
    """Serve as the endpoint does, but from TLS 1.0 on, at the port that it yields."""
    old = context(authority.issue(names=[HOST]))
    old.minimum_version = ssl.TLSVersion.TLSv1
    # OpenSSL signs nothing of TLS 1.1 above this level: its signatures are over SHA-1.
    old.set_ciphers("ECDHE+AESGCM:ECDHE+AES:@SECLEVEL=0")
    with HttpsServer(0, old, lambda _: Response(404)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


if __name__ == "__main__":
    run_file(__file__)
