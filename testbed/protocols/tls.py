"""TLS for asking a server, where a client of the broker would verify it."""

import ssl
from contextlib import suppress

_END = b"-----END CERTIFICATE-----"


def permissive_context() -> ssl.SSLContext:
    """Return a context that offers all that the local OpenSSL has and verifies nothing.

    For asking a server questions, never for trusting one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def client_hello(server_name: str) -> bytes:
    """Return the first bytes of a client that opens a connection to ``server_name``."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = permissive_context().wrap_bio(incoming, outgoing, server_hostname=server_name)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def leaf(chain_pem: bytes) -> bytes:
    """Return the first certificate of a PEM chain, in DER."""
    return ssl.PEM_cert_to_DER_cert((chain_pem.split(_END)[0] + _END).decode())
