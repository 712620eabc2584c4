"""The testbed's own endpoint, asked for every TLS version, every suite and plaintext."""

import logging
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_server, socket

from testbed.aws.endpoint import HOST, serve
from testbed.cli.scenario import run_file
from testbed.documented.tls import API
from testbed.pki import Authority
from testbed.results import Finding, Verdict
from testbed.runtime.ports import LOOPBACK
from testbed.testbed import Testbed
from testbed.wire.prober import probe
from testbed.wire.scan import ListenerScan
from testbed.wire.verdict import judge, judge_certificate, observed

logger = logging.getLogger(__name__)

TITLE = "The endpoint for AWS API clients takes TLS 1.2 and 1.3, and nothing older"
CLAIMS = ("P6",)
_PATIENCE = 5.0  # seconds that the control gives a client


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Scan the endpoint, and as control a listener that also accepts TLS 1.1."""
    with serve(testbed) as endpoint, _old_listener(testbed.authority) as old:
        logger.info("  asking the endpoint and a control that takes TLS 1.1")
        scan, control = (
            probe(HOST, port, server_name=HOST, ca_file=testbed.ca_file)
            for port in (endpoint.port, old)
        )
    yield Finding(
        "P6",
        "the endpoint for AWS API clients",
        *_judged(scan),
        Finding("P6", "a listener that takes TLS 1.1", *_judged(control)),
    )
    yield f"the endpoint: {scan.handshakes} handshakes in {scan.seconds:.1f} s"


def _judged(scan: ListenerScan) -> tuple[Verdict, tuple[str, ...]]:
    differences = (*judge(scan, API), *judge_certificate(scan, (HOST,)))
    return Verdict.of(not differences), (*map(str, differences), *observed(scan))


@contextmanager
def _old_listener(authority: Authority) -> Iterator[int]:
    """Accept TLS 1.0 to 1.3 at the port that it yields, and say nothing."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.minimum_version = ssl.TLSVersion.TLSv1
    # OpenSSL signs nothing of TLS 1.1 above this level: its signatures are over SHA-1.
    old.set_ciphers("ECDHE+AESGCM:ECDHE+AES:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:
        written = authority.issue(names=[HOST]).write(Path(folder))
        old.load_cert_chain(written.chain, written.key)
    with closing(create_server((LOOPBACK, 0), backlog=64)) as listening:
        threading.Thread(target=_accept, args=(listening, old), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(2)


def _accept(listening: socket, old: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # the block was left
            return
        threading.Thread(target=_handshake, args=(connection, old), daemon=True).start()


def _handshake(connection: socket, old: ssl.SSLContext) -> None:
    connection.settimeout(_PATIENCE)
    try:
        with old.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)
    except OSError:
        connection.close()


if __name__ == "__main__":
    run_file(__file__)
