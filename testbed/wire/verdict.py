"""Compare what a listener does with what it should do. Pure: a scan in, differences out."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from testbed.documented.tls import Suite, TlsProfile
from testbed.wire.protocol_greetings import SPOKEN_BY
from testbed.wire.scan import ListenerScan, ProtocolAnswer, VersionScan


@dataclass(frozen=True)
class Difference:
    """One way in which a listener is not as documented. ``subject`` names the suite, version or protocol."""

    kind: Literal[
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
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}" + (f" ({self.detail})" if self.detail else "")


def judge(
    scan: ListenerScan, profile: TlsProfile, *, mutual: bool = False
) -> tuple[Difference, ...]:
    """Every difference from ``profile``, none if the listener accepts exactly that and no plaintext.

    A documented suite counts as accepted only when a complete handshake confirmed it. A version
    that should be refused has to be refused: silence is not a refusal. Suites are judged within the
    profile's versions; a version outside it is one difference, whatever its suites, and one that is
    unstated is none. Clients are asked for a certificate where that is ``mutual``, and nowhere else.
    """
    found: list[Difference] = []
    for version in profile.versions:
        found += _wanted(version, scan.version(version), profile)
    for each in scan.versions:
        if each.version in profile.versions or each.version in profile.unstated:
            continue
        if each.accepted:
            found.append(
                Difference(
                    "extra version", each.version, ", ".join(suite.iana for suite in each.accepted)
                )
            )
        elif not each.refusal.conclusive:
            found.append(Difference("no answer", each.version, str(each.refusal)))
    if scan.session_features.renegotiation == "accepted" and not any(
        each.secure_renegotiation for each in scan.versions
    ):
        found.append(Difference("insecure renegotiation", "accepted without RFC 5746"))
    if (
        scan.session_features.asks_certificate is not None
        and scan.session_features.asks_certificate != mutual
    ):
        found.append(Difference("client certificate", "not asked for" if mutual else "asked for"))
    for answer in scan.plaintext:
        if answer.served:
            found.append(Difference("plaintext served", answer.protocol, answer.answer.detail))
        elif answer.answer.kind == "unreachable":
            found.append(Difference("no answer", answer.protocol, str(answer.answer)))
    return tuple(found)


def usable(suite: Suite, version: str) -> bool:
    """TLS 1.3 has suites of its own, and those with GCM or SHA-2 came with TLS 1.2 (RFC 5246, RFC 8446)."""
    if version == "TLSv1.3" or suite.code >> 8 == 0x13:
        return version == "TLSv1.3" and suite.code >> 8 == 0x13
    return version == "TLSv1.2" or suite.iana.endswith(("_SHA", "_MD5"))


def agreed_suites(scan: VersionScan) -> set[int]:
    """The codes of the suites that count as accepted: those of a complete handshake.

    In TLS 1.3 a client offers all its suites at once, so there one complete handshake stands for the others.
    """
    agreed = {suite.code for suite in scan.confirmed}
    return (
        agreed | {suite.code for suite in scan.accepted}
        if scan.version == "TLSv1.3" and agreed
        else agreed
    )


def _wanted(version: str, scan: VersionScan | None, profile: TlsProfile) -> list[Difference]:
    if scan is None:
        return [Difference("not asked", version)]
    if not scan.accepted:
        return [Difference("missing version", version, str(scan.refusal))]
    wanted = {suite.code: suite for suite in profile.suites if usable(suite, version)}
    agreed = agreed_suites(scan)
    reasons = {suite.code: reason for suite, reason in scan.unconfirmed}
    found = [
        Difference("missing suite", suite.iana, f"{version}: {reasons.get(code, scan.refusal)}")
        for code, suite in wanted.items()
        if code not in agreed
    ]
    found += [
        Difference("extra suite", suite.iana, version)
        for suite in scan.accepted
        if suite.code not in wanted
    ]
    if not scan.refusal.conclusive:
        found.append(
            Difference("no answer", version, f"{scan.refusal} before the last suite was refused")
        )
    if scan.compression:
        found.append(Difference("compression", version))
    return found


def judge_certificate(scan: ListenerScan, names: Collection[str] = ()) -> tuple[Difference, ...]:
    """Every way in which the certificate is not accepted by those who should, or by others.

    ``names`` are those it has to carry, e.g. the service's wildcard.
    """
    found = []
    if not scan.verified.accepted:
        found.append(Difference("certificate refused", scan.server_name, scan.verified.reason))
    for verification, accepted, subject in (
        (scan.wrong_name, "wrong name accepted", "a host name it does not carry"),
        (scan.wrong_authority, "wrong authority accepted", "an unrelated authority"),
    ):
        if verification.accepted:
            found.append(Difference(accepted, subject))
        elif not verification.rejected:
            found.append(Difference("no answer", subject, verification.reason))
    carried = scan.certificate.names if scan.certificate else ()
    found += [
        Difference("missing name", name, "carries " + (", ".join(carried) or "none"))
        for name in names
        if name not in carried
    ]
    return tuple(found)


def judge_protocols(
    answers: Sequence[ProtocolAnswer], protocols: Sequence[str]
) -> tuple[Difference, ...]:
    """Every protocol that is served and should not be, or the reverse; ``protocols`` are the ids of ``documented/listeners.py``."""
    wanted = set().union(*(SPOKEN_BY[protocol] for protocol in protocols))
    served = {answer.protocol for answer in answers if answer.served}
    told = {answer.protocol: answer.words for answer in answers}
    found = [
        Difference("wrong protocol", protocol, told[protocol])
        for protocol in told
        if protocol in served - wanted
    ]
    return tuple(
        found
        + [
            Difference("missing protocol", protocol, told.get(protocol, "not asked"))
            for protocol in sorted(wanted - served)
        ]
    )


def observed(scan: ListenerScan) -> tuple[str, ...]:
    """What was seen, a sentence for each version and one for the plaintext clients: evidence for a finding."""
    lines = []
    for each in scan.versions:
        if each.accepted:
            order = f", the {each.preference}'s order decides" if each.preference else ""
            lines.append(
                f"{each.version}: {len(each.accepted)} suites accepted, {len(each.confirmed)} confirmed by a complete handshake{order}; then {each.refusal}"
            )
        else:
            lines.append(f"{each.version}: refused ({each.refusal})")
    lines.append(
        "plaintext: "
        + ", ".join(
            f"{each.protocol} {'SERVED' if each.served else each.answer}" for each in scan.plaintext
        )
    )
    return tuple(lines)


def observed_session_features(scan: ListenerScan) -> tuple[str, ...]:
    """What was seen beyond suites, a sentence each; nothing of what could not be tried."""
    lines, features = [], scan.session_features
    for each in scan.versions:
        kinds = Counter(
            f"{exchange.group.iana}{f' signed by {exchange.signature.iana}' if exchange.signature else ''}"
            if exchange
            else "RSA key transport"
            for exchange in each.exchanges
            if each.version != "TLSv1.3"
        )
        if kinds:
            lines.append(
                f"{each.version}: "
                + ", ".join(f"{count} suites with {kind}" for kind, count in kinds.items())
            )
        if each.groups:
            lines.append(
                f"{each.version}: curves " + ", ".join(group.iana for group in each.groups)
            )
        if each.extended_master_secret is not None and each.version != "TLSv1.3":
            lines.append(
                f"{each.version}: extended master secret {'yes' if each.extended_master_secret else 'no'}"
            )
    for what, resumed in (("session id", features.session_id), ("ticket", features.ticket)):
        if resumed is not None:
            lines.append(f"a session is {'' if resumed else 'not '}resumed by its {what}")
    if features.renegotiation is not None:
        lines.append(
            f"renegotiation by the client: {'accepted' if features.renegotiation == 'accepted' else f'refused ({features.renegotiation})'}"
        )
    if features.asks_certificate is not None:
        lines.append(
            f"a client certificate is {'' if features.asks_certificate else 'not '}asked for"
        )
    if features.unsolicited_certificate is not None:
        lines.append(
            f"an unasked client certificate is answered with {features.unsolicited_certificate}"
        )
    return tuple(lines)
