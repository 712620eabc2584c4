"""A certificate with its private key, in the forms that brokers and clients read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from testbed.documented.regions import DEFAULT_REGION
from testbed.pki import profiles
from testbed.pki.profiles import Profile
from testbed.private_files import write_private


class Written(NamedTuple):
    """The files of ``Certificate.write``; ``SSLContext.load_cert_chain`` takes the first two."""

    chain: Path
    key: Path
    ca: Path


@dataclass(frozen=True)
class Certificate:
    """An issued certificate.

    ``sent`` follows the leaf on the wire; ``ca`` is what a client has to trust.
    """

    profile: Profile
    leaf: x509.Certificate
    sent: tuple[x509.Certificate, ...]
    ca: x509.Certificate
    key: RSAPrivateKey = field(repr=False)

    @property
    def chain_pem(self) -> bytes:
        """The leaf, then what the profile says a server sends after it."""
        return b"".join(pem(certificate) for certificate in (self.leaf, *self.sent))

    @property
    def private_key_pem(self) -> bytes:
        """Unencrypted PKCS8: for a node's standard input or a file of ``write``, nowhere else."""
        return key_pem(self.key)

    @property
    def ca_pem(self) -> bytes:
        return pem(self.ca)

    def keystore_p12(self, password: str) -> bytes:
        """Return the key and the chain that Java sends.

        Raises ``ValueError`` for an empty password.
        """
        name = self.profile.name.encode()
        return pkcs12.serialize_key_and_certificates(
            name, self.key, self.leaf, self.sent, _encrypted(password)
        )

    def truststore_p12(self, password: str) -> bytes:
        """Return the authority for Java; see ``truststore_p12``."""
        return truststore_p12(self.ca, password)

    def to_document(self) -> dict[str, Any]:
        """Return everything, the key included, for the state folder."""
        return {
            "profile": self.profile.name,
            "chain": [pem(certificate).decode() for certificate in (self.leaf, *self.sent)],
            "ca": self.ca_pem.decode(),
            "key": self.private_key_pem.decode(),
        }

    @classmethod
    def from_document(
        cls, document: Mapping[str, Any], region: str = DEFAULT_REGION
    ) -> "Certificate":
        """Read a document of ``to_document``."""
        name = document["profile"]
        leaf, *sent = (x509.load_pem_x509_certificate(text.encode()) for text in document["chain"])
        ca = x509.load_pem_x509_certificate(document["ca"].encode())
        key = load_pem_private_key(document["key"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        profile = profiles.bad if name in profiles.bad_names() else profiles.sound
        return cls(profile(name, region), leaf, tuple(sent), ca, key)

    def write(self, folder: Path) -> Written:
        """Write ``chain.pem``, ``key.pem`` and ``ca.pem``, readable by the owner only.

        Raises ``StateBroken``.
        """
        written = Written(folder / "chain.pem", folder / "key.pem", folder / "ca.pem")
        for path, content in zip(
            written, (self.chain_pem, self.private_key_pem, self.ca_pem), strict=True
        ):
            write_private(path, content)
        return written


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def truststore_p12(certificate: x509.Certificate, password: str) -> bytes:
    """Return an authority's certificate for Java. Raises ``ValueError`` for an empty password.

    Java trusts a certificate in a PKCS12 file only if it has Oracle's attribute; without it the
    file is empty to Java.
    """
    authority = pkcs12.PKCS12Certificate(certificate, b"authority")
    return pkcs12.serialize_java_truststore([authority], _encrypted(password))


def _encrypted(password: str) -> BestAvailableEncryption:
    return BestAvailableEncryption(password.encode())
