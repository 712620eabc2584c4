"""A broker that is elsewhere, given by its URL: a real Amazon MQ endpoint, say."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from testbed.bench.encryption import Encryption
from testbed.bench.target import Target
from testbed.clients.base import Address
from testbed.documented.listeners import LISTENERS
from testbed.errors import TestbedError


def target(
    url: str, username: str, password: str, protocol: str, ca_file: Path | None = None
) -> Target:
    """The listener at ``url``, such as ``amqps://b-1234.mq.us-east-1.amazonaws.com:5671``, for ``protocol``.

    ``ca_file`` is what the certificate has to lead to, this machine's authorities by default. Raises ``TestbedError``.
    """
    parts = urlsplit(url)
    schemes = {
        listener.scheme: (engine, listener)
        for engine, listeners in LISTENERS.items()
        for listener in listeners
    }
    if parts.scheme not in schemes or not parts.hostname:
        raise TestbedError(
            f"{parts.scheme or url!r} is no endpoint of Amazon MQ.",
            hint=f"Endpoints begin with {', '.join(schemes)}.",
        )
    if parts.username or parts.password:
        raise TestbedError(
            "The URL has credentials in it, where others can read them.",
            hint="Give --username and --password-file.",
        )
    engine, listener = schemes[parts.scheme]
    if protocol not in listener.protocols:
        raise TestbedError(
            f"{parts.scheme} does not speak {protocol}.",
            hint=f"It speaks {', '.join(listener.protocols)}: choose such a driver.",
        )
    authorities = ca_file or _authorities()
    return Target(
        engine,
        Address(
            protocol, parts.hostname, parts.port or listener.port, username, password, authorities
        ),
        Encryption(volume="unknown"),
    )


def _authorities() -> Path:
    """This machine's certificate authorities in one file."""
    paths = ssl.get_default_verify_paths()
    for candidate in (paths.cafile, paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise TestbedError(
        "This machine's certificate authorities are not to be found.",
        hint="Name a file with --ca-file.",
    )
