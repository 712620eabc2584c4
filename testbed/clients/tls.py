"""One TLS policy for every client, and one wording of failures before a login."""

import socket
import ssl

from testbed.clients.base import Address
from testbed.errors import ClientError, ConnectionRefused

_PROBE_SECONDS = 5.0

# X.509 verification results (openssl/x509_vfy.h) that have a plainer name.
_UNTRUSTED = "it is signed by an authority that is not trusted"
_INCOMPLETE = f"an intermediate certificate is missing, or {_UNTRUSTED}"
_REASONS = {
    7: _UNTRUSTED,  # an authority of the same name is trusted
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: _UNTRUSTED,
    20: _INCOMPLETE,
    21: _INCOMPLETE,
    62: "it is made out to another host name",
    64: "it is made out to another address",
    66: "its key is too weak",
}


def context(address: Address) -> ssl.SSLContext | None:
    """Return a context that verifies chain and host name against ``ca_file``; None for plaintext.

    It offers TLS 1.2 and later. Raises ``ClientError`` when the file cannot be read.
    """
    if address.ca_file is None:
        return None
    try:
        verifying = ssl.create_default_context(cafile=str(address.ca_file))
    except OSError as error:  # includes ssl.SSLError: not a certificate
        raise ClientError(
            f"{address.ca_file} cannot be used as certificate authority: {error}"
        ) from error
    verifying.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.certificate:
        try:
            verifying.load_cert_chain(address.certificate, address.key)
        except OSError as error:
            raise ClientError(
                f"{address.certificate} and {address.key} cannot be used "
                f"as the client's certificate: {error}"
            ) from error
    return verifying


def where(address: Address) -> str:
    return f"{address.protocol} on {address.host}:{address.port}"


def open_socket(
    address: Address, timeout: float, *, server_name: str = "", suite: str = "", version: str = ""
) -> socket.socket:
    """Return a connected socket, with TLS established and verified.

    ``server_name`` is the name that the certificate has to carry; empty: the address's host.
    ``suite`` is the only TLS 1.2 suite to offer, by its OpenSSL name, and ``version`` the only
    version. Raises ``ConnectionRefused`` with the reason.
    """
    trusted = context(address)
    if trusted is not None and suite:
        version = "TLSv1.2"
        try:
            trusted.set_ciphers(suite)
        except ssl.SSLError as error:
            raise ClientError(f"unknown suite {suite}") from error
    if trusted is not None and version:
        trusted.minimum_version = trusted.maximum_version = ssl.TLSVersion[
            version.replace(".", "_")
        ]
    try:
        plain = socket.create_connection((address.host, address.port), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise ConnectionRefused(
            f"{where(address)}: no connection: {error.strerror or error}"
        ) from error
    if trusted is None:
        return plain
    try:
        return trusted.wrap_socket(plain, server_hostname=server_name or address.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        defect = _REASONS.get(error.verify_code, "it is not accepted")
        raise ConnectionRefused(
            f"{where(address)}: the certificate is refused: {defect} ({error.verify_message})"
        ) from error
    except TimeoutError as error:
        plain.close()
        raise ConnectionRefused(
            f"{where(address)}: no TLS: no answer within {timeout:g} s"
        ) from error
    except OSError as error:  # includes ssl.SSLError
        plain.close()
        reason = getattr(error, "reason", None) or error.strerror or error
        raise ConnectionRefused(f"{where(address)}: no TLS: {reason}") from error


def refusal(address: Address, reason: object) -> ClientError:
    """Explain why a library cannot connect, by trying ``open_socket``: libraries differ in that.

    ``reason`` is the library's own, for when TLS works.
    """
    try:
        open_socket(address, _PROBE_SECONDS).close()
    except ClientError as error:
        return error
    return ConnectionRefused(
        f"{where(address)}: no {address.protocol} connection: "
        f"{str(reason) or type(reason).__name__}"
    )
