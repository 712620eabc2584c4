"""The first messages of a TLS handshake: writes a ClientHello, reads the answers. No I/O.

A TLS library offers only what it was built with; these bytes can offer any version and any suite.
Layouts: RFC 6101 (SSL 3.0), RFC 5246 (TLS 1.2), RFC 8446 (TLS 1.3).
"""

import ipaddress
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from testbed.documented.tls import Suite
from testbed.wire.byte_reader import NotTls, Reader
from testbed.wire.key_exchange import GROUPS, SIGNATURES, Group, group_of

CODES = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_NAMES = {code: name for name, code in CODES.items()}

ALERT, HANDSHAKE = 21, 22
SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = (
    2,
    11,
    12,
    13,
    14,
)

# RFC 8446 section 6 and the TLS Alerts registry.
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}

_SERVER_NAME, _SUPPORTED_GROUPS, _POINT_FORMATS, _SIGNATURE_ALGORITHMS = 0, 10, 11, 13
_EXTENDED_MASTER_SECRET, _SESSION_TICKET, _SUPPORTED_VERSIONS, _KEY_SHARE, _RENEGOTIATION_INFO = (
    23,
    35,
    43,
    51,
    0xFF01,
)

# Suites of TLS 1.3 name no key exchange and cannot be used before it; the reverse holds for all
# others (RFC 8446 appendix B.4; RFC 8998, RFC 9150 and RFC 9367 add the last three rows).
_TLS13 = frozenset({*range(0x1301, 0x1308), 0x00C6, 0x00C7, 0xC0B4, 0xC0B5, *range(0xC103, 0xC107)})

# A client's alert before it disconnects, as the protocol requires: warning, user_canceled.
FAREWELL = b"\x15\x03\x01\x00\x02\x01\x5a"


@dataclass(frozen=True)
class Alert:
    """An alert, its parts under their registered names."""

    level: str
    description: str

    def __str__(self) -> str:
        return f"{self.level} {self.description}"


@dataclass(frozen=True)
class ServerHello:
    """What the server chose; ``version`` is the negotiated one, also for TLS 1.3."""

    version: str
    suite: int
    compression: int
    extensions: dict[int, bytes]

    @property
    def secure_renegotiation(self) -> bool:
        """RFC 5746."""
        return _RENEGOTIATION_INFO in self.extensions

    @property
    def extended_master_secret(self) -> bool:
        """RFC 7627."""
        return _EXTENDED_MASTER_SECRET in self.extensions

    @property
    def group(self) -> Group | None:
        """The group of TLS 1.3's key exchange; before, it is in a separate message."""
        share = self.extensions.get(_KEY_SHARE, b"")
        return group_of(int.from_bytes(share[:2], "big")) if len(share) >= 2 else None


@cache
def registry() -> dict[int, Suite]:
    """Return every suite that was registered by 2024, or widely deployed without, by its code.

    ``openssl`` is empty where OpenSSL has no name for one.
    """
    lines = files("testbed.wire").joinpath("suites.tsv").read_text("ascii").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {
        int(code, 16): Suite(name, "" if openssl == "-" else openssl, int(code, 16))
        for code, name, openssl in rows
    }


def suite(code: int) -> Suite:
    """Return the suite with this code; an unregistered one is named by its number: ``0xFF42``."""
    return registry().get(code) or Suite(f"0x{code:04X}", "", code)


@cache
def offered(version: str) -> tuple[int, ...]:
    """Return the codes that a client of ``version`` (``SSLv3`` to ``TLSv1.3``) can offer."""
    return tuple(code for code in registry() if (code in _TLS13) == (version == "TLSv1.3"))


def _vector(body: bytes, width: int) -> bytes:
    return len(body).to_bytes(width, "big") + body


def _shorts(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


@cache
def _key_shares() -> dict[int, bytes]:
    """Return two real public keys by group; nobody derives a secret from them."""
    first = (
        x25519.X25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    second = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return {
        group: _shorts([group]) + _vector(key, 2)
        for group, key in ((0x001D, first), (0x0017, second))
    }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _extensions(
    version: str, server_name: str, groups: Sequence[int], signatures: Sequence[int]
) -> bytes:
    parts: list[tuple[int, bytes]] = []
    if server_name and not _is_address(server_name):  # RFC 6066: no addresses
        parts.append((_SERVER_NAME, _vector(b"\0" + _vector(server_name.encode("idna"), 2), 2)))
    parts.append((_SUPPORTED_GROUPS, _vector(_shorts(groups), 2)))
    parts.append((_POINT_FORMATS, _vector(b"\0", 1)))
    if version in ("TLSv1.2", "TLSv1.3"):
        parts.append((_SIGNATURE_ALGORITHMS, _vector(_shorts(signatures), 2)))
    parts.append((_EXTENDED_MASTER_SECRET, b""))
    parts.append((_SESSION_TICKET, b""))
    parts.append((_RENEGOTIATION_INFO, b"\0"))
    if version == "TLSv1.3":
        parts.append((_SUPPORTED_VERSIONS, _vector(_shorts([CODES[version]]), 1)))
        # For a group without a share the server asks again (HelloRetryRequest): an answer, too.
        parts.append(
            (
                _KEY_SHARE,
                _vector(
                    b"".join(share for group, share in _key_shares().items() if group in groups), 2
                ),
            )
        )
    return b"".join(_shorts([kind]) + _vector(body, 2) for kind, body in parts)


def client_hello(
    version: str,
    suites: Sequence[int],
    server_name: str,
    *,
    compression: bool = False,
    groups: Sequence[int] = tuple(GROUPS),
    signatures: Sequence[int] = tuple(SIGNATURES),
) -> bytes:
    """Return a record with a ClientHello of exactly this version and these suites, in this order.

    ``compression`` offers DEFLATE as well as none. ``groups`` and ``signatures`` are codes, by
    default all that a server might require. SSL 3.0 has no extensions.
    """
    legacy = CODES["TLSv1.2"] if version == "TLSv1.3" else CODES[version]
    session = (
        os.urandom(32) if version == "TLSv1.3" else b""
    )  # RFC 8446 appendix D.4: look like a resumption
    body = _shorts([legacy]) + os.urandom(32) + _vector(session, 1) + _vector(_shorts(suites), 2)
    body += _vector(b"\1\0" if compression else b"\0", 1)
    if version != "SSLv3":
        body += _vector(_extensions(version, server_name, groups, signatures), 2)
    # The record's own version is the lowest that carries the message (RFC 8446 section 5.1).
    return b"\x16" + _shorts([min(legacy, CODES["TLSv1"])]) + _vector(b"\1" + _vector(body, 3), 2)


def record(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Split off the first record of ``data``: its type, its content, the rest. None if incomplete.

    Raises ``NotTls`` as soon as the first bytes rule a record out.
    """
    if (data[:1] and not 20 <= data[0] <= 24) or data[1:2] not in (b"", b"\x03"):
        raise NotTls("no TLS record")
    if len(data) < 5:
        return None
    length = int.from_bytes(data[3:5], "big")
    if data[2] > 4 or not 0 < length <= 2**14 + 2048:
        raise NotTls("no TLS record")
    return None if len(data) < 5 + length else (data[0], data[5 : 5 + length], data[5 + length :])


def messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the complete messages (type, body) in the joined content of handshake records."""
    while len(content) >= 4 and len(content) >= 4 + (length := int.from_bytes(content[1:4], "big")):
        yield content[0], content[4 : 4 + length]
        content = content[4 + length :]


def alert(content: bytes) -> Alert:
    """Read the content of an alert record."""
    if len(content) != 2:
        raise NotTls("an alert of the wrong size")
    level = {1: "warning", 2: "fatal"}.get(content[0], f"level {content[0]}")
    return Alert(level, _ALERTS.get(content[1], f"alert {content[1]}"))


def server_hello(body: bytes) -> ServerHello:
    """Read a ServerHello or a HelloRetryRequest, which has the same layout. Raises ``NotTls``."""
    reader = Reader(body)
    version = reader.number(2)
    reader.take(32)
    reader.vector(1)
    chosen, compression = reader.number(2), reader.number(1)
    extensions: dict[int, bytes] = {}
    if reader.rest:
        block = Reader(reader.vector(2))
        while block.rest:
            kind = block.number(2)
            extensions[kind] = block.vector(2)
    if _SUPPORTED_VERSIONS in extensions:
        version = int.from_bytes(extensions[_SUPPORTED_VERSIONS], "big")
    return ServerHello(_NAMES.get(version, f"0x{version:04X}"), chosen, compression, extensions)


def certificates(body: bytes) -> tuple[bytes, ...]:
    """Read a Certificate message up to TLS 1.2: DER, the leaf first. Raises ``NotTls``."""
    reader, certificates = Reader(Reader(body).vector(3)), []
    while reader.rest:
        certificates.append(reader.vector(3))
    return tuple(certificates)
