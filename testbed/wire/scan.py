"""What a listener answered: frozen values, no I/O and no opinion."""

from dataclasses import dataclass
from typing import Literal

from testbed.documented.tls import Suite
from testbed.wire.key_exchange import Group, KeyExchange

VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class Refusal:
    """How a listener said no.

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

    ``accepted`` are the suites the listener chose when offered, in the order it chose them, which is
    its order of preference if it has one; ``exchanges`` says for each of them which group and signature
    came with it, None where keys are exchanged without (RSA key transport) or the listener did not get
    that far. ``refusal`` is its answer once none of those was offered any more. ``preference`` says whose
    order decides; empty when fewer than two suites are accepted. ``groups`` are the curves it agrees on,
    in the order it chose them. ``confirmed`` are those of ``accepted`` with which a complete, verified
    handshake succeeded, and ``unconfirmed`` the others with the reason. ``compression``,
    ``secure_renegotiation`` (RFC 5746) and ``extended_master_secret`` (RFC 7627) are None where no
    handshake told.
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
        """The group and signature that came with ``suite``."""
        return dict(zip(self.accepted, self.exchanges)).get(suite)


@dataclass(frozen=True)
class SessionFeatures:
    """What a listener does beyond suites, up to TLS 1.2. None where it could not be tried.

    ``session_id`` and ``ticket`` say whether a session is resumed by its id and by a ticket (RFC 5077).
    ``renegotiation`` is what a client gets that asks for a second handshake: ``accepted``, or how it is
    refused. ``asks_certificate`` says whether clients are asked for a certificate, and
    ``unsolicited_certificate`` is the answer to one that was not asked for.
    """

    session_id: bool | None = None
    ticket: bool | None = None
    renegotiation: Literal["accepted"] | Refusal | None = None
    asks_certificate: bool | None = None
    unsolicited_certificate: Refusal | None = None


@dataclass(frozen=True)
class PlaintextAnswer:
    """What a client that speaks ``protocol`` without TLS gets. Any answer but TLS is being served."""

    protocol: str
    answer: Refusal

    @property
    def served(self) -> bool:
        return self.answer.kind == "bytes"


@dataclass(frozen=True)
class ProtocolAnswer:
    """What a client that greets in ``protocol`` gets over TLS.

    ``spoken`` is the protocol of the answer, empty when it is none that is known; ``words`` are its first
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
    """A handshake that was begun and left alone.

    ``stage`` is how far it was begun, and ``answered`` whether the listener answered that. ``ended`` is
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
    """Everything that was asked of one listener. A part that could not be found out is None or empty."""

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
        return next((each for each in self.versions if each.version == version), None)
