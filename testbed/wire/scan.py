"""A listener's answers: frozen values, without I/O and without judgement."""

from dataclasses import dataclass
from typing import Literal

from testbed.documented.tls import Suite
from testbed.wire.key_exchange import Group, KeyExchange

VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class Refusal:
    """How a listener refused.

    ``alert``: a TLS alert, named in ``detail``; ``closed``: the connection ended without one;
    ``timeout``: nothing came in time; ``bytes``: something that is not TLS came (hexadecimal in
    ``detail``); ``version``: it agreed, but on another version; ``unreachable``: no connection.
    """

    kind: Literal["alert", "closed", "timeout", "bytes", "version", "unreachable"]
    detail: str = ""

    @property
    def conclusive(self) -> bool:
        """Whether the listener answered at all: silence and absence refuse nothing."""
        return self.kind not in ("timeout", "unreachable")

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True)
class VersionScan:
    """One protocol version.

    ``accepted`` are the suites that the listener chose, in that order, which is its order of
    preference if it has one. ``exchanges`` are the group and signature of each of them, None for
    RSA key transport or an incomplete flight. ``refusal`` is its answer when none was offered.
    ``preference`` says whose order decides; empty for fewer than two suites. ``groups`` are the
    curves it chose, in that order. ``confirmed`` are the suites with which a complete, verified
    handshake succeeded, ``unconfirmed`` the others with the reason. ``compression``,
    ``secure_renegotiation`` (RFC 5746) and ``extended_master_secret`` (RFC 7627) are None if
    unknown.
    """

    version: str
    accepted: tuple[Suite, ...]
    refusal: Refusal
    preference: Literal["server", "client", ""] = ""
    confirmed: tuple[Suite, ...] = ()
    unconfirmed: tuple[tuple[Suite, str], ...] = ()
    compression: bool | None = None
    secure_renegotiation: bool | None = None
    extended_master_secret: bool | None = None
    exchanges: tuple[KeyExchange | None, ...] = ()
    groups: tuple[Group, ...] = ()

    def exchange(self, suite: Suite) -> KeyExchange | None:
        """Return the group and signature of ``suite``, if known."""
        # A scan that was made without the exchanges has fewer of them.
        return dict(zip(self.accepted, self.exchanges, strict=False)).get(suite)


@dataclass(frozen=True)
class SessionFeatures:
    """What a listener does beyond suites, up to TLS 1.2. None if it could not be tried.

    ``session_id`` and ``ticket`` say whether a session is resumed by its id and by a ticket
    (RFC 5077). ``renegotiation`` is the answer to a client that asks for a second handshake.
    ``asks_certificate`` says whether clients are asked for a certificate, and
    ``unsolicited_certificate`` is the answer to one that was not asked for.
    """

    session_id: bool | None = None
    ticket: bool | None = None
    renegotiation: Literal["accepted"] | Refusal | None = None
    asks_certificate: bool | None = None
    unsolicited_certificate: Refusal | None = None


@dataclass(frozen=True)
class PlaintextAnswer:
    """The answer to a client of ``protocol`` without TLS. Any answer but TLS is service."""

    protocol: str
    answer: Refusal

    @property
    def served(self) -> bool:
        return self.answer.kind == "bytes"


@dataclass(frozen=True)
class ProtocolAnswer:
    """What a client that greets in ``protocol`` gets over TLS.

    ``spoken`` is the protocol of the answer, empty if unknown; ``words`` are its first
    ones as Python writes bytes; ``ended`` says whether the listener hung up within ``seconds``.
    """

    protocol: str
    spoken: str
    words: str
    ended: bool
    seconds: float

    @property
    def served(self) -> bool:
        return self.spoken == self.protocol


@dataclass(frozen=True)
class HalfOpen:
    """A handshake that the client abandoned.

    ``stage`` is how far it came, and ``answered`` whether the listener answered. ``ended`` is
    how it hung up after ``seconds``; kind ``timeout`` says that it still waited then.
    """

    stage: str
    answered: bool
    ended: Refusal
    seconds: float


@dataclass(frozen=True)
class Verification:
    """Whether a client accepted the certificate; ``reason`` is OpenSSL's where it did not.

    ``rejected`` tells a certificate that was refused from a handshake that never got that far.
    """

    accepted: bool
    reason: str = ""
    rejected: bool = False


@dataclass(frozen=True)
class CertificateFacts:
    """The certificate as sent, and how three clients took it.

    ``chain_length`` counts the certificates sent, the leaf included; 0 when the listener speaks
    TLS 1.3 alone, which encrypts them. ``days_left`` is negative after expiry.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    days_left: int
    key: str  # e.g. "RSA 2048"
    chain_length: int


@dataclass(frozen=True)
class ListenerScan:
    """All answers of one listener. A part that is unknown is None or empty."""

    host: str
    port: int
    server_name: str
    versions: tuple[VersionScan, ...]
    plaintext: tuple[PlaintextAnswer, ...]
    certificate: CertificateFacts | None
    verified: Verification  # right authority, right name
    wrong_name: Verification  # right authority, a name the certificate does not carry
    wrong_authority: Verification  # an authority made up for the occasion
    handshakes: int
    seconds: float
    session_features: SessionFeatures = SessionFeatures()

    def version(self, version: str) -> VersionScan | None:
        return next((scan for scan in self.versions if scan.version == version), None)
