"""What a listener answered: frozen values, no I/O and no opinion."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from testbed.documented.tls import Suite

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
    its order of preference if it has one. ``refusal`` is its answer once none of those was offered
    any more. ``preference`` says whose order decides; empty when fewer than two suites are accepted.
    ``confirmed`` are those of ``accepted`` with which a complete, verified handshake succeeded, and
    ``unconfirmed`` the others with the reason. ``compression`` and ``secure_renegotiation`` (RFC 5746)
    are None where no handshake told.
    """

    version: str
    accepted: tuple[Suite, ...]
    refusal: Refusal
    preference: Literal["server", "client", ""] = ""
    confirmed: tuple[Suite, ...] = ()
    unconfirmed: tuple[tuple[Suite, str], ...] = ()
    compression: bool | None = None
    secure_renegotiation: bool | None = None


@dataclass(frozen=True)
class PlaintextAnswer:
    """What a client that speaks ``protocol`` without TLS gets. Any answer but TLS is being served."""

    protocol: str
    answer: Refusal

    @property
    def served(self) -> bool:
        return self.answer.kind == "bytes"


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
    not_before: datetime
    not_after: datetime
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

    def version(self, version: str) -> VersionScan | None:
        return next((each for each in self.versions if each.version == version), None)
