"""Real TLS listeners of every kind on 127.0.0.1, for the tests of what observes them."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAME = "b-1234.mq.us-east-1.amazonaws.com"
WILDCARD = "*.mq.us-east-1.amazonaws.com"


@dataclass(frozen=True)
class Pki:
    ca: Path
    chain: Path  # leaf and authority
    key: Path


def make_pki(folder: Path, *, expired: bool = False) -> Pki:
    """Create an authority and a certificate for ``WILDCARD``, localhost and 127.0.0.1."""
    now = datetime.now(UTC)
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, WILDCARD)])
    ca = (
        x509.CertificateBuilder(
            issuer,
            issuer,
            keys[0].public_key(),
            1,
            now - timedelta(days=9),
            now + timedelta(days=9),
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), critical=False
        )
        .sign(keys[0], hashes.SHA256())
    )
    names = [
        x509.DNSName(WILDCARD),
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
    ]
    end = now + timedelta(days=-1 if expired else 5, minutes=5)
    leaf = (
        x509.CertificateBuilder(
            issuer, subject, keys[1].public_key(), 2, now - timedelta(days=8), end
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Python 3.13 verifies strictly (RFC 5280): without this the certificate is refused.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False
        )
        .sign(keys[0], hashes.SHA256())
    )
    pki = Pki(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
    pki.ca.write_bytes(ca.public_bytes(Encoding.PEM))
    pki.chain.write_bytes(leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM))
    pki.key.write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pki


def _usage() -> x509.KeyUsage:
    """Return the key usage of an authority: it signs certificates and revocation lists."""
    others = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **others)


@contextmanager
def serving(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections, handle each in a thread, and yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as listening:

        def one(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(10)
                with suppress(OSError):  # the other side may leave at any point
                    handle(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def python_tls(
    pki: Pki,
    ciphers: str,
    low: str = "TLSv1_2",
    high: str = "TLSv1_2",
    *,
    client_order: bool = False,
) -> Iterator[int]:
    """Serve with Python's ``ssl``, with these suites and versions; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)  # first, since it may lower the level that the key has to meet
    context.load_cert_chain(pki.chain, pki.key)
    context.minimum_version, context.maximum_version = ssl.TLSVersion[low], ssl.TLSVersion[high]
    if client_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with serving(handle) as port:
        yield port


OPENSSL = shutil.which("openssl")


@contextmanager
def openssl_server(pki: Pki, *arguments: str) -> Iterator[int]:
    """Run ``openssl s_server`` with these arguments; yield the port once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [str(OPENSSL), "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", *arguments]
    if "-nocert" not in arguments:
        command += ["-cert", str(pki.chain), "-cert_chain", str(pki.ca), "-key", str(pki.key)]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, "openssl s_server stopped"
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.communicate(timeout=10)
