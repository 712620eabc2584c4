"""Complete handshakes by the interpreter's OpenSSL, for what cannot be asked with a ClientHello alone."""

import socket
import ssl

from testbed.wire.ask import Where


def permissive() -> ssl.SSLContext:
    """Offers all that the local OpenSSL has and checks nothing: for asking a listener, never for trusting one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def open_tls(
    where: Where, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """A connection with its handshake done, each step of it within ``where.timeout``; shows ``where.identity`` if it is asked for.

    Raises ``OSError`` (``ssl.SSLError`` is one), or ``ValueError`` for a name that is none.
    """
    if where.identity:
        context.load_cert_chain(*where.identity)
    plain = socket.create_connection((where.host, where.port), where.timeout)
    try:
        return context.wrap_socket(plain, server_hostname=where.server_name, session=session)
    except BaseException:
        plain.close()
        raise
