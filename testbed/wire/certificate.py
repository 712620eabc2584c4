"""A listener's certificate: its contents, and whether a client that verifies it accepts it."""

import ssl
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from testbed.documented.tls import Suite
from testbed.errors import ClientError
from testbed.protocols.tls import permissive_context
from testbed.state.clock import machine_datetime
from testbed.wire.connection import ListenerAddress, open_tls
from testbed.wire.scan import CertificateFacts, Verification

WRONG_NAME = "another-host.invalid"
_TLS_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def authority_pem(ca_file: Path) -> str:
    """Read the authority's certificate. Raises ``ClientError`` if there is none in that file."""
    try:
        pem = ca_file.read_text("ascii")
        ssl.create_default_context(cadata=pem)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ClientError(
            f"no authority certificate can be read from {ca_file}: {error}"
        ) from error
    return pem


@cache
def unrelated_authority() -> str:
    """Return the certificate (PEM) of an authority that has issued nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Unrelated authority")])
    now = machine_datetime()
    builder = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(hours=1),
        now + timedelta(days=1),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _complete(
    listener: ListenerAddress, context: ssl.SSLContext, server_name: str
) -> tuple[Verification, str, bytes]:
    """Complete a handshake: its outcome, the suite and the leaf in DER (empty if it failed)."""
    try:
        with open_tls(replace(listener, server_name=server_name), context) as secured:
            cipher = secured.cipher()
            return (
                Verification(accepted=True),
                cipher[0] if cipher else "",
                secured.getpeercert(binary_form=True) or b"",
            )
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or str(error)
        return Verification(accepted=False, reason=reason, rejected=True), "", b""
    except (OSError, ValueError) as error:  # ssl.SSLError; a malformed host name
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        return Verification(accepted=False, reason=reason), "", b""


def complete(listener: ListenerAddress, context: ssl.SSLContext) -> Verification:
    """How a whole handshake with ``context`` goes."""
    return _complete(listener, context, listener.server_name)[0]


def verify(listener: ListenerAddress, authority: str, server_name: str) -> Verification:
    """Let a client that trusts ``authority`` (PEM) verify the certificate for ``server_name``.

    It offers every suite with a certificate at OpenSSL's default security level.
    """
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:!aNULL:!eNULL")
    return _complete(listener, context, server_name)[0]


def confirm(listener: ListenerAddress, authority: str, version: str, suite: Suite) -> str:
    """Complete a verified handshake with this version and suite; empty, or the reason why not.

    In TLS 1.3 the interpreter's OpenSSL offers its suites together, so there it is the listener's
    first choice that can be confirmed.
    """
    if version not in _TLS_VERSIONS or not suite.openssl:
        return "the local OpenSSL does not speak it"
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = context.maximum_version = _TLS_VERSIONS[version]
    try:
        # Level 0 lets the client offer outdated algorithms.
        context.set_ciphers(
            "ALL:@SECLEVEL=0" if version == "TLSv1.3" else f"{suite.openssl}:@SECLEVEL=0"
        )
    except ssl.SSLError:
        return "the local OpenSSL does not speak it"
    verification, chosen, _ = _complete(listener, context, listener.server_name)
    if not verification.accepted:
        return verification.reason
    return "" if chosen == suite.openssl else f"the listener chose {chosen}"


def leaf(listener: ListenerAddress) -> bytes:
    """Return the unverified leaf in DER; empty if the handshake fails. Needed for TLS 1.3 only."""
    return _complete(listener, permissive_context(), listener.server_name)[2]


def facts(chain: tuple[bytes, ...], sent: int, now: datetime) -> CertificateFacts | None:
    """Read the leaf (DER); None if unreadable. ``sent`` is the number of certificates sent."""
    try:
        certificate = x509.load_der_x509_certificate(chain[0])
        names = _names(certificate)
        key = _key(certificate)
    except (IndexError, ValueError):
        return None
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=names,
        days_left=(certificate.not_valid_after_utc - now).days,
        key=key,
        chain_length=sent,
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in extension.value)


def _key(certificate: x509.Certificate) -> str:
    match certificate.public_key():
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey() as key:
            return f"EC {key.curve.name}"
        case dsa.DSAPublicKey() as key:
            return f"DSA {key.key_size}"
        case other:
            return type(other).__name__.removesuffix("PublicKey").lstrip("_")
