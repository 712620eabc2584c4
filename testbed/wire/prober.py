"""Finds out what a TLS listener accepts, one handshake per question.

Suites: offer all, the listener chooses one, offer the rest, and so on until it refuses. That takes
one handshake more than it accepts suites, however many are offered, and reveals its order of
preference.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from testbed.state.clock import machine_datetime
from testbed.wire import certificate, session_features
from testbed.wire.connection import Agreed, ListenerAddress, Offer, handshake
from testbed.wire.key_exchange import CURVES, Group
from testbed.wire.protocol_greetings import GREETINGS, plaintext
from testbed.wire.scan import (
    VERSIONS,
    CertificateFacts,
    ListenerScan,
    PlaintextAnswer,
    Refusal,
    SessionFeatures,
    VersionScan,
)
from testbed.wire.tls_messages import offered, suite

# A listener that hangs up on the full list may only dislike its length: ask again with lists that
# a browser might send.
_SHORT = 60
_AT_ONCE = 4  # listeners of one broker: more would only wait for its processor


class _Probe:
    """One scan in progress."""

    def __init__(self, listener: ListenerAddress, authority: str) -> None:
        self.listener, self.authority = listener, authority
        self.handshakes = 0
        self.chain: tuple[bytes, ...] = ()

    def ask(self, version: str, suites: Sequence[int], **offer: Unpack[Offer]) -> Agreed | Refusal:
        self.handshakes += 1
        return handshake(self.listener, version, suites, **offer)

    def accepted(self, version: str, codes: Sequence[int]) -> tuple[list[Agreed], Refusal]:
        left = list(codes)
        agreed: list[Agreed] = []
        while left:
            answer = self.ask(version, left)
            if isinstance(answer, Refusal):
                return agreed, answer
            agreed.append(answer)
            left.remove(answer.server_hello.suite)
        return agreed, Refusal("closed", "nothing left to offer")

    def version(self, version: str) -> VersionScan:
        codes = offered(version)
        agreed, refusal = self.accepted(version, codes)
        if not agreed and refusal.kind == "closed":
            for start in range(0, len(codes), _SHORT):
                agreed += self.accepted(version, codes[start : start + _SHORT])[0]
        if not agreed:
            return VersionScan(version, (), refusal)
        self.chain = self.chain or agreed[0].chain
        scan = VersionScan(
            version,
            tuple(suite(answer.server_hello.suite) for answer in agreed),
            refusal,
            extended_master_secret=version == "TLSv1.3"
            or agreed[0].server_hello.extended_master_secret,
            exchanges=tuple(answer.exchange for answer in agreed),
            groups=tuple(self.groups(version, [answer.server_hello.suite for answer in agreed])),
        )
        return self.order(scan, [answer.server_hello.suite for answer in agreed])

    def order(self, scan: VersionScan, codes: list[int]) -> VersionScan:
        """Find out whose order decides, by offering the suites reversed; and offer compression."""
        answer = self.ask(scan.version, codes[::-1], compression=scan.version != "TLSv1.3")
        if isinstance(answer, Refusal):
            return scan
        if len(codes) > 1:
            scan = replace(
                scan, preference="server" if answer.server_hello.suite == codes[0] else "client"
            )
        if scan.version == "TLSv1.3":  # it has neither compression nor renegotiation
            return replace(scan, compression=False)
        return replace(
            scan,
            compression=answer.server_hello.compression != 0,
            secure_renegotiation=answer.server_hello.secure_renegotiation,
        )

    def groups(self, version: str, codes: Sequence[int]) -> Iterator[Group]:
        """Offer all curves, then all but the one that was chosen, and so on."""
        suites = [code for code in codes if version == "TLSv1.3" or "_ECDHE_" in suite(code).iana]
        left = list(CURVES) if version != "SSLv3" and suites else []  # SSL 3.0 cannot name one
        while left:
            answer = self.ask(version, suites, groups=left)
            group = None if isinstance(answer, Refusal) else answer.group
            if group is None or group.code not in left:
                return
            yield group
            left.remove(group.code)

    def session_features(self, scans: Sequence[VersionScan]) -> SessionFeatures:
        """Try them on the newest version that has them."""
        for scan in reversed(scans):
            if scan.accepted and scan.version != "TLSv1.3":
                self.handshakes += session_features.CONNECTIONS
                return session_features.ask(
                    self.listener, scan.version, [suite.code for suite in scan.accepted]
                )
        return SessionFeatures()

    def confirm(self, scan: VersionScan) -> VersionScan:
        reasons = {
            suite: certificate.confirm(self.listener, self.authority, scan.version, suite)
            for suite in scan.accepted
        }
        self.handshakes += len(reasons)
        return replace(
            scan,
            confirmed=tuple(suite for suite, reason in reasons.items() if not reason),
            unconfirmed=tuple(item for item in reasons.items() if item[1]),
        )

    def certificate(self, scans: Iterable[VersionScan]) -> CertificateFacts | None:
        now = machine_datetime()
        if self.chain:
            return certificate.facts(self.chain, len(self.chain), now)
        if any(scan.accepted for scan in scans):
            self.handshakes += 1
            return certificate.facts((certificate.leaf(self.listener),), 0, now)
        return None


def probe(
    host: str,
    port: int,
    *,
    server_name: str,
    ca_file: Path,
    timeout: float = 5.0,
    versions: Sequence[str] = VERSIONS,
    identity: tuple[Path, Path] | None = None,
) -> ListenerScan:
    """Ask one listener everything; see ``ListenerScan``.

    ``server_name`` is the name that a client asks for and the certificate has to carry, ``ca_file``
    the authority to trust, ``identity`` a client certificate for a listener that asks for one
    (chain and key as PEM files). ``timeout`` is in seconds and for one answer: a listener that
    never answers takes about ``len(versions) + 4`` times that. No connection, silence and garbage
    are answers, too: they are in the scan.

    Raises ``ClientError`` when ``ca_file`` cannot be read.
    """
    authority = certificate.authority_pem(Path(ca_file))
    listener, started = (
        ListenerAddress(host, port, server_name, timeout, identity),
        time.monotonic(),
    )
    scanning = _Probe(listener, authority)
    scans = [scanning.version(version) for version in versions]
    features = scanning.session_features(scans)
    # Last, so that it also shows that the listener was still there after the refusals.
    scans = [scanning.confirm(scan) for scan in scans]
    with ThreadPoolExecutor(len(GREETINGS)) as pool:
        answers = list(pool.map(lambda greeting: plaintext(listener, greeting), GREETINGS.values()))
    return ListenerScan(
        host=host,
        port=port,
        server_name=server_name,
        versions=tuple(scans),
        plaintext=tuple(map(PlaintextAnswer, GREETINGS, answers)),
        certificate=scanning.certificate(scans),
        verified=certificate.verify(listener, authority, server_name),
        wrong_name=certificate.verify(listener, authority, certificate.WRONG_NAME),
        wrong_authority=certificate.verify(
            listener, certificate.unrelated_authority(), server_name
        ),
        handshakes=scanning.handshakes + 3,
        seconds=time.monotonic() - started,
        session_features=features,
    )


def accepted_all(
    addresses: Mapping[str, tuple[str, int]],
    *,
    server_name: str,
    timeout: float = 5.0,
    versions: Sequence[str] = VERSIONS,
) -> dict[str, tuple[VersionScan, ...]]:
    """Scan several listeners (name -> host, port) for versions, suites, groups and compression.

    That is as much as a scanner finds. No handshake is completed, no certificate is verified, and
    nothing else is asked; see ``probe``. Never raises for what a listener does.
    """

    def one(address: tuple[str, int]) -> tuple[VersionScan, ...]:
        scanning = _Probe(ListenerAddress(*address, server_name, timeout), "")
        return tuple(scanning.version(version) for version in versions)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(addresses, pool.map(one, addresses.values()), strict=True))


def probe_all(
    addresses: Mapping[str, tuple[str, int]],
    *,
    server_name: str,
    ca_file: Path,
    timeout: float = 5.0,
    identity: tuple[Path, Path] | None = None,
) -> dict[str, ListenerScan]:
    """Probe several listeners (name -> host, port) in parallel. Raises as ``probe`` does."""

    def one(address: tuple[str, int]) -> ListenerScan:
        return probe(
            *address, server_name=server_name, ca_file=ca_file, timeout=timeout, identity=identity
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(addresses, pool.map(one, addresses.values()), strict=True))
