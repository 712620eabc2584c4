"""Find out what a TLS listener accepts by asking it, one handshake a question.

Which suites: offer all there are, the listener picks one, offer the rest, and so on until it
refuses. That takes one handshake more than it accepts suites, whatever the number of suites asked
about, and tells its order of preference on the way.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from testbed.wire import certificate
from testbed.wire.ask import GREETINGS, Agreed, Where, handshake, plaintext
from testbed.wire.scan import VERSIONS, CertificateFacts, ListenerScan, PlaintextAnswer, Refusal, VersionScan
from testbed.wire.suites import offered, suite

# A listener that hangs up without a word on the full list may only dislike its length:
# ask again in lists a browser might send.
_SHORT = 60


class _Probe:
    """One scan in progress."""

    def __init__(self, where: Where, authority: str) -> None:
        self.where, self.authority = where, authority
        self.handshakes = 0

    def ask(self, version: str, suites: Sequence[int], **how: bool) -> Agreed | Refusal:
        self.handshakes += 1
        return handshake(self.where, version, suites, **how)

    def accepted(self, version: str, codes: Sequence[int]) -> tuple[list[int], Refusal]:
        left, found = list(codes), []
        while left:
            answer = self.ask(version, left)
            if isinstance(answer, Refusal):
                return found, answer
            found.append(answer.hello.suite)
            left.remove(answer.hello.suite)
        return found, Refusal("closed", "nothing left to offer")

    def version(self, version: str) -> VersionScan:
        codes = offered(version)
        found, refusal = self.accepted(version, codes)
        if not found and refusal.kind == "closed":
            for start in range(0, len(codes), _SHORT):
                found += self.accepted(version, codes[start : start + _SHORT])[0]
        scan = VersionScan(version, tuple(map(suite, found)), refusal)
        return self.manners(scan, found) if found else scan

    def manners(self, scan: VersionScan, found: list[int]) -> VersionScan:
        """Offer the accepted suites the other way round, and compression: who decides, and is it on?"""
        answer = self.ask(scan.version, found[::-1], compression=scan.version != "TLSv1.3")
        if isinstance(answer, Refusal):
            return scan
        if len(found) > 1:
            scan = replace(scan, preference="server" if answer.hello.suite == found[0] else "client")
        if scan.version == "TLSv1.3":  # it has neither compression nor renegotiation
            return replace(scan, compression=False)
        return replace(scan, compression=answer.hello.compression != 0, secure_renegotiation=answer.hello.secure_renegotiation)

    def confirm(self, scan: VersionScan) -> VersionScan:
        reasons = [(each, certificate.confirm(self.where, self.authority, scan.version, each)) for each in scan.accepted]
        self.handshakes += len(reasons)
        return replace(
            scan,
            confirmed=tuple(each for each, reason in reasons if not reason),
            unconfirmed=tuple((each, reason) for each, reason in reasons if reason),
        )

    def certificate(self, scans: Iterable[VersionScan]) -> CertificateFacts | None:
        now = datetime.now(UTC)
        for scan in scans:
            if scan.accepted and scan.version != "TLSv1.3":
                answer = self.ask(scan.version, [each.code for each in scan.accepted], chain=True)
                if isinstance(answer, Agreed) and answer.chain:
                    return certificate.facts(answer.chain, len(answer.chain), now)
        if any(scan.accepted for scan in scans):
            self.handshakes += 1
            return certificate.facts((certificate.leaf(self.where),), 0, now)
        return None


def probe(
    host: str,
    port: int,
    *,
    server_name: str,
    ca_file: Path,
    timeout: float = 5.0,
    versions: Sequence[str] = VERSIONS,
) -> ListenerScan:
    """Ask one listener everything; see ``ListenerScan``.

    ``server_name`` is the name a client asks for and its certificate has to carry, ``ca_file`` the
    authority to trust. ``timeout`` is in seconds and for one answer: a listener that never answers
    takes about ``len(versions) + 4`` times that. What the listener does is never an error here: no
    connection, silence and garbage are answers and stand in the scan.

    Raises ``ClientError`` when ``ca_file`` cannot be read.
    """
    authority = certificate.authority_pem(Path(ca_file))
    where, started = Where(host, port, server_name, timeout), time.monotonic()
    scanning = _Probe(where, authority)
    scans = [scanning.version(version) for version in versions]
    # Last, so that it also shows that the listener was still there after the refusals.
    scans = [scanning.confirm(scan) for scan in scans]
    with ThreadPoolExecutor(len(GREETINGS)) as side_by_side:
        answers = list(side_by_side.map(lambda greeting: plaintext(where, greeting), GREETINGS.values()))
    return ListenerScan(
        host=host,
        port=port,
        server_name=server_name,
        versions=tuple(scans),
        plaintext=tuple(map(PlaintextAnswer, GREETINGS, answers)),
        certificate=scanning.certificate(scans),
        verified=certificate.verify(where, authority, server_name),
        wrong_name=certificate.verify(where, authority, certificate.WRONG_NAME),
        wrong_authority=certificate.verify(where, certificate.unrelated_authority(), server_name),
        handshakes=scanning.handshakes + 3,
        seconds=time.monotonic() - started,
    )


def probe_all(addresses: dict[str, tuple[str, int]], *, server_name: str, ca_file: Path, timeout: float = 5.0) -> dict[str, ListenerScan]:
    """Probe several listeners (name -> host, port) side by side, four at a time. Raises as ``probe`` does."""

    def one(address: tuple[str, int]) -> ListenerScan:
        return probe(*address, server_name=server_name, ca_file=ca_file, timeout=timeout)

    with ThreadPoolExecutor(4) as side_by_side:
        return dict(zip(addresses, side_by_side.map(one, addresses.values()), strict=True))
