"""TLS for asking a server, where a client of the broker would verify it."""

import ssl

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


def leaf(chain_pem: bytes) -> bytes:
    """Return the first certificate of a PEM chain, in DER."""
    return ssl.PEM_cert_to_DER_cert((chain_pem.split(_END)[0] + _END).decode())
