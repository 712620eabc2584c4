"""The authority that clients trust, and the intermediate that signs for it.

RSA throughout: the documented suites with RSA in their names never match an ECDSA key.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import StateBroken, TestbedError
from testbed.pki import profiles
from testbed.pki.certificate import Certificate, key_pem, pem, truststore_p12
from testbed.pki.profiles import Profile
from testbed.private_files import write_private
from testbed.state.clock import machine_datetime

# Java does not read a truststore without a password. What is in it is public.
TRUSTSTORE, TRUSTSTORE_PASSWORD = "truststore.p12", "changeit"
_EXTENDED = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Authority:
    """The root's certificate, and the intermediate with its key.

    The root's own key is discarded once it has signed.
    """

    root: x509.Certificate
    intermediate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def create(cls) -> "Authority":
        """Create an authority; its two RSA keys take a fraction of a second."""
        of_root, of_intermediate = profiles.sound("authority"), profiles.sound("intermediate")
        root_key, key = _new_key(of_root), _new_key(of_intermediate)
        root = _sign(of_root, root_key, None, root_key)
        return cls(root, _sign(of_intermediate, key, root, root_key), key)

    @property
    def ca_pem(self) -> bytes:
        """The one certificate that a client has to trust."""
        return pem(self.root)

    def write_ca(self, path: Path) -> None:
        """Write ``ca_pem`` to ``path``, and ``TRUSTSTORE`` beside it for Java.

        Each is written whole or not at all. Raises ``StateBroken``.
        """
        truststore = path.with_name(TRUSTSTORE)
        if truststore.exists() and path.exists() and path.read_bytes() == self.ca_pem:
            return
        write_private(path, self.ca_pem)
        write_private(truststore, truststore_p12(self.root, TRUSTSTORE_PASSWORD))

    def issue(
        self, name: str = "broker", *, names: Sequence[str] = (), region: str = DEFAULT_REGION
    ) -> Certificate:
        """Issue a certificate with a new key, of the profile ``broker`` or ``client``.

        ``names`` are further host names and addresses, beside those of brokers in ``region``.
        Raises ``TestbedError`` for another profile.
        """
        profile = profiles.sound(name, region)
        if profile.path_length is not None:
            raise TestbedError(f"The profile {name!r} is an authority's: it cannot be issued.")
        return self._issue(profile, names)

    def issue_bad(
        self, name: str, *, names: Sequence[str] = (), region: str = DEFAULT_REGION
    ) -> Certificate:
        """Issue a certificate with the defect ``name``, one of ``profiles.bad_names``.

        A client refuses it with ``profile.refused_with``.
        """
        return self._issue(profiles.bad(name, region), names)

    def to_document(self) -> dict[str, str]:
        """Return everything, the intermediate's key included, for the state folder."""
        return {
            "root": self.ca_pem.decode(),
            "intermediate": pem(self.intermediate).decode(),
            "key": key_pem(self.key).decode(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> "Authority":
        """Read a document of ``to_document``.

        Raises ``StateBroken`` when its parts are damaged or do not belong together.
        """
        try:
            root = x509.load_pem_x509_certificate(document["root"].encode())
            intermediate = x509.load_pem_x509_certificate(document["intermediate"].encode())
            key = load_pem_private_key(document["key"].encode(), None)
            intermediate.verify_directly_issued_by(root)
        except (KeyError, ValueError, TypeError, InvalidSignature) as error:
            # The error's own message may quote the key.
            raise _unusable(type(error).__name__) from None
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != intermediate.public_key():
            raise _unusable("the key is another's")
        return cls(root, intermediate, key)

    def _issue(self, profile: Profile, names: Sequence[str]) -> Certificate:
        key = _new_key(profile)
        # A stranger has the same names and other keys; clients trust this authority only.
        signer = Authority.create() if profile.signed_by == "stranger" else self
        issuer, issuer_key = (
            (None, key) if profile.signed_by == "itself" else (signer.intermediate, signer.key)
        )
        sent = {"intermediate": signer.intermediate, "authority": signer.root}
        return Certificate(
            profile=profile,
            leaf=_sign(profile, key, issuer, issuer_key, (*profile.names, *names)),
            sent=tuple(sent[which] for which in profile.sends),
            ca=self.root,
            key=key,
        )


def _unusable(reason: str) -> StateBroken:
    return StateBroken(
        f"The stored certificate authority cannot be used ({reason}).",
        hint="`testbed down` removes the state folder; a new broker gets a new authority.",
    )


def _new_key(profile: Profile) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=profile.rsa_bits)


def _sign(
    profile: Profile,
    key: rsa.RSAPrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: rsa.RSAPrivateKey,
    names: Sequence[str] = (),
) -> x509.Certificate:
    """Sign a certificate for ``key``; ``issuer`` is None for a self-signed one."""
    now = machine_datetime()
    begin, end = (now + timedelta(days=days) for days in profile.valid)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, profile.common_name)])
    usages = {usage: usage in profile.key_usage for usage in _USAGES}
    builder = (
        x509.CertificateBuilder(
            issuer.subject if issuer else subject,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            begin,
            end,
        )
        .add_extension(
            x509.BasicConstraints(profile.path_length is not None, profile.path_length),
            critical=True,
        )
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Tells authorities of the same name apart: each testbed has one.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if profile.extended_key_usage:
        extended = x509.ExtendedKeyUsage([_EXTENDED[usage] for usage in profile.extended_key_usage])
        builder = builder.add_extension(extended, critical=False)
    if names:
        # Not critical beside a subject (RFC 5280, 4.2.1.6): otherwise strict verifiers refuse it.
        alternatives = x509.SubjectAlternativeName(
            [_general_name(name) for name in dict.fromkeys(names)]
        )
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer_key, SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
