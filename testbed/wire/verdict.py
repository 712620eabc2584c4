"""Compares a listener with its documentation. Pure: a scan in, differences out."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from testbed.documented.tls import Suite, TlsProfile
from testbed.report.text import counted
from testbed.wire.key_exchange import KeyExchange
from testbed.wire.protocol_greetings import SPOKEN_BY
from testbed.wire.scan import ListenerScan, ProtocolAnswer, Refusal, Verification, VersionScan

Kind = Literal[
    "missing suite",
    "extra suite",
    "missing version",
    "extra version",
    "not asked",
    "no answer",
    "plaintext served",
    "compression",
    "certificate refused",
    "wrong name accepted",
    "wrong authority accepted",
    "missing name",
    "insecure renegotiation",
    "client certificate",
    "wrong protocol",
    "missing protocol",
]


@dataclass(frozen=True)
class Difference:
    """One way in which a listener differs; ``subject`` is a suite, a version or a protocol."""

    kind: Kind
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}" + (f" ({self.detail})" if self.detail else "")


def judge(
    scan: ListenerScan, profile: TlsProfile, *, mutual: bool = False
) -> tuple[Difference, ...]:
    """Return every difference from ``profile``, and plaintext if it is served.

    A documented suite counts as accepted only if a complete handshake confirmed it. Other versions
    have to be refused, and silence is not a refusal. Suites are judged within the profile's
    versions; any other version is one difference, whatever its suites, and an unstated one is none.
    Clients have to be asked for a certificate if ``mutual``, and otherwise not.
    """
    differences: list[Difference] = []
    for version in profile.versions:
        differences += _suite_differences(version, scan.version(version), profile)
    expected = {*profile.versions, *profile.unstated}
    differences += _extra_versions(
        [version for version in scan.versions if version.version not in expected]
    )
    differences += _features(scan, mutual=mutual)
    for answer in scan.plaintext:
        if answer.served:
            differences.append(
                Difference("plaintext served", answer.protocol, answer.answer.detail)
            )
        elif answer.answer.kind == "unreachable":
            differences.append(Difference("no answer", answer.protocol, str(answer.answer)))
    return tuple(differences)


def usable(suite: Suite, version: str) -> bool:
    """Say whether a version has this suite.

    TLS 1.3 has its own suites; GCM and SHA-2 came with TLS 1.2 (RFC 5246, RFC 8446).
    """
    if version == "TLSv1.3" or suite.code >> 8 == 0x13:
        return version == "TLSv1.3" and suite.code >> 8 == 0x13
    return version == "TLSv1.2" or suite.iana.endswith(("_SHA", "_MD5"))


def agreed_suites(scan: VersionScan) -> set[int]:
    """Return the codes of the suites that count as accepted: those of a complete handshake.

    In TLS 1.3 a client offers all its suites at once, so one handshake confirms all of them.
    """
    agreed = {suite.code for suite in scan.confirmed}
    if agreed and scan.version == "TLSv1.3":
        agreed |= {suite.code for suite in scan.accepted}
    return agreed


def _extra_versions(scans: Iterable[VersionScan]) -> Iterator[Difference]:
    for scan in scans:
        if scan.accepted:
            suites = ", ".join(suite.iana for suite in scan.accepted)
            yield Difference("extra version", scan.version, suites)
        elif not scan.refusal.conclusive:
            yield Difference("no answer", scan.version, str(scan.refusal))


def _features(scan: ListenerScan, *, mutual: bool) -> Iterator[Difference]:
    features = scan.session_features
    secure = any(version.secure_renegotiation for version in scan.versions)
    if features.renegotiation == "accepted" and not secure:
        yield Difference("insecure renegotiation", "accepted without RFC 5746")
    if features.asks_certificate is not None and features.asks_certificate != mutual:
        yield Difference("client certificate", "not asked for" if mutual else "asked for")


def _suite_differences(
    version: str, scan: VersionScan | None, profile: TlsProfile
) -> list[Difference]:
    if scan is None:
        return [Difference("not asked", version)]
    if not scan.accepted:
        return [Difference("missing version", version, str(scan.refusal))]
    expected = {suite.code: suite for suite in profile.suites if usable(suite, version)}
    agreed = agreed_suites(scan)
    reasons = {suite.code: reason for suite, reason in scan.unconfirmed}
    differences = [
        Difference("missing suite", suite.iana, f"{version}: {reasons.get(code, scan.refusal)}")
        for code, suite in expected.items()
        if code not in agreed
    ]
    differences += [
        Difference("extra suite", suite.iana, version)
        for suite in scan.accepted
        if suite.code not in expected
    ]
    if not scan.refusal.conclusive:
        differences.append(
            Difference("no answer", version, f"{scan.refusal} before the last suite was refused")
        )
    if scan.compression:
        differences.append(Difference("compression", version))
    return differences


def judge_certificate(scan: ListenerScan, names: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return every way in which the right clients refuse the certificate, or others accept it.

    ``names`` are those that it has to carry, e.g. the service's wildcard.
    """
    differences = []
    if not scan.verified.accepted:
        differences.append(
            Difference("certificate refused", scan.server_name, scan.verified.reason)
        )
    wrong: tuple[tuple[Verification, Kind, str], ...] = (
        (scan.wrong_name, "wrong name accepted", "a host name it does not carry"),
        (scan.wrong_authority, "wrong authority accepted", "an unrelated authority"),
    )
    for verification, kind, subject in wrong:
        if verification.accepted:
            differences.append(Difference(kind, subject))
        elif not verification.rejected:
            differences.append(Difference("no answer", subject, verification.reason))
    carried = scan.certificate.names if scan.certificate else ()
    differences += [
        Difference("missing name", name, "carries " + (", ".join(carried) or "none"))
        for name in names
        if name not in carried
    ]
    return tuple(differences)


def judge_protocols(
    answers: Sequence[ProtocolAnswer], protocols: Sequence[str]
) -> tuple[Difference, ...]:
    """Return every protocol that is served and should not be, or the reverse.

    ``protocols`` are ids of ``documented/listeners.py``.
    """
    expected = set().union(*(SPOKEN_BY[protocol] for protocol in protocols))
    words = {answer.protocol: answer.words for answer in answers}
    served = [answer.protocol for answer in answers if answer.served]
    return (
        *(
            Difference("wrong protocol", protocol, words[protocol])
            for protocol in served
            if protocol not in expected
        ),
        *(
            Difference("missing protocol", protocol, words.get(protocol, "not asked"))
            for protocol in sorted(expected.difference(served))
        ),
    )


def observed(scan: ListenerScan) -> tuple[str, ...]:
    """Describe the scan as evidence: a sentence per version, and one for plaintext clients."""
    plaintext = ", ".join(
        f"{answer.protocol} {'SERVED' if answer.served else answer.answer}"
        for answer in scan.plaintext
    )
    return (*map(_observed_version, scan.versions), f"plaintext: {plaintext}")


def _observed_version(scan: VersionScan) -> str:
    if not scan.accepted:
        return f"{scan.version}: refused ({scan.refusal})"
    order = f", the {scan.preference}'s order decides" if scan.preference else ""
    return (
        f"{scan.version}: {counted(len(scan.accepted), 'suite')} accepted, "
        f"{len(scan.confirmed)} confirmed by a complete handshake{order}; then {scan.refusal}"
    )


def observed_session_features(scan: ListenerScan) -> tuple[str, ...]:
    """Describe everything beyond suites, a sentence each, as far as it could be tried."""
    features = scan.session_features
    lines = [line for version in scan.versions for line in _observed_exchanges(version)]
    for name, resumed in (("session id", features.session_id), ("ticket", features.ticket)):
        if resumed is not None:
            lines.append(f"a session is {'' if resumed else 'not '}resumed by its {name}")
    if isinstance(features.renegotiation, Refusal):
        lines.append(f"renegotiation by the client: refused ({features.renegotiation})")
    elif features.renegotiation:
        lines.append("renegotiation by the client: accepted")
    if features.asks_certificate is not None:
        no = "" if features.asks_certificate else "not "
        lines.append(f"a client certificate is {no}asked for")
    if features.unsolicited_certificate is not None:
        answer = features.unsolicited_certificate
        lines.append(f"an unsolicited client certificate is answered with {answer}")
    return tuple(lines)


def _observed_exchanges(scan: VersionScan) -> Iterator[str]:
    if scan.version != "TLSv1.3":
        kinds = Counter(map(_described, scan.exchanges))
        if kinds:
            counts = ", ".join(f"{count} suites with {kind}" for kind, count in kinds.items())
            yield f"{scan.version}: {counts}"
    if scan.groups:
        yield f"{scan.version}: curves {', '.join(group.iana for group in scan.groups)}"
    if scan.extended_master_secret is not None and scan.version != "TLSv1.3":
        present = "yes" if scan.extended_master_secret else "no"
        yield f"{scan.version}: extended master secret {present}"


def _described(exchange: KeyExchange | None) -> str:
    if exchange is None:
        return "RSA key transport"
    signature = f" signed by {exchange.signature.iana}" if exchange.signature else ""
    return f"{exchange.group.iana}{signature}"
