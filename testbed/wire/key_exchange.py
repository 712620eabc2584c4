"""How a server agrees on keys: the group and the signature of its ServerKeyExchange. No I/O.

Layouts: RFC 5246 (Diffie-Hellman), RFC 8422 (elliptic curves). Up to TLS 1.2 a Diffie-Hellman group
has no name on the wire, only its prime.
"""

import hashlib
from dataclasses import dataclass

from testbed.wire.byte_reader import NotTls, Reader


@dataclass(frozen=True)
class Group:
    """A curve or a finite-field group; ``code`` is 0 for a group without one.

    ``iana`` and ``openssl`` are its names there.
    """

    iana: str
    openssl: str
    bits: int
    code: int = 0


@dataclass(frozen=True)
class Signature:
    """A signature scheme; ``code`` is 0 before TLS 1.2, where the suite determines it.

    ``iana`` and ``openssl`` are its names there.
    """

    iana: str
    openssl: str
    code: int = 0


@dataclass(frozen=True)
class KeyExchange:
    """The contents of a ServerKeyExchange. ``signature`` is None for an anonymous suite."""

    group: Group
    signature: Signature | None


# TLS Supported Groups registry: those still in use, in the order in which they are offered.
GROUPS = {
    group.code: group
    for group in (
        Group("x25519", "X25519", 253, 0x001D),
        Group("secp256r1", "prime256v1", 256, 0x0017),
        Group("x448", "X448", 448, 0x001E),
        Group("secp384r1", "secp384r1", 384, 0x0018),
        Group("secp521r1", "secp521r1", 521, 0x0019),
        Group("brainpoolP256r1", "brainpoolP256r1", 256, 0x001A),
        Group("brainpoolP384r1", "brainpoolP384r1", 384, 0x001B),
        Group("brainpoolP512r1", "brainpoolP512r1", 512, 0x001C),
        Group("secp224r1", "secp224r1", 224, 0x0015),
        Group("secp192r1", "prime192v1", 192, 0x0013),
        Group("secp256k1", "secp256k1", 256, 0x0016),
        Group("sect283r1", "sect283r1", 282, 0x000A),
        Group("sect409r1", "sect409r1", 409, 0x000C),
        Group("sect571r1", "sect571r1", 570, 0x000E),
        Group("ffdhe2048", "ffdhe2048", 2048, 0x0100),
        Group("ffdhe3072", "ffdhe3072", 3072, 0x0101),
        Group("ffdhe4096", "ffdhe4096", 4096, 0x0102),
        Group("ffdhe6144", "ffdhe6144", 6144, 0x0103),
        Group("ffdhe8192", "ffdhe8192", 8192, 0x0104),
    )
}

CURVES = tuple(code for code in GROUPS if code < 0x0100)

# TLS SignatureScheme registry, and the pairs of hash and signature that TLS 1.2 had before it.
SIGNATURES = {
    signature.code: signature
    for signature in (
        Signature("ecdsa_secp256r1_sha256", "ECDSA+SHA256", 0x0403),
        Signature("ecdsa_secp384r1_sha384", "ECDSA+SHA384", 0x0503),
        Signature("ecdsa_secp521r1_sha512", "ECDSA+SHA512", 0x0603),
        Signature("ed25519", "ed25519", 0x0807),
        Signature("ed448", "ed448", 0x0808),
        Signature("rsa_pss_pss_sha256", "rsa_pss_pss_sha256", 0x0809),
        Signature("rsa_pss_pss_sha384", "rsa_pss_pss_sha384", 0x080A),
        Signature("rsa_pss_pss_sha512", "rsa_pss_pss_sha512", 0x080B),
        Signature("rsa_pss_rsae_sha256", "RSA-PSS+SHA256", 0x0804),
        Signature("rsa_pss_rsae_sha384", "RSA-PSS+SHA384", 0x0805),
        Signature("rsa_pss_rsae_sha512", "RSA-PSS+SHA512", 0x0806),
        Signature("rsa_pkcs1_sha256", "RSA+SHA256", 0x0401),
        Signature("rsa_pkcs1_sha384", "RSA+SHA384", 0x0501),
        Signature("rsa_pkcs1_sha512", "RSA+SHA512", 0x0601),
        Signature("ecdsa_sha224", "ECDSA+SHA224", 0x0303),
        Signature("rsa_pkcs1_sha224", "RSA+SHA224", 0x0301),
        Signature("ecdsa_sha1", "ECDSA+SHA1", 0x0203),
        Signature("rsa_pkcs1_sha1", "RSA+SHA1", 0x0201),
        Signature("dsa_sha256", "DSA+SHA256", 0x0402),
        Signature("dsa_sha384", "DSA+SHA384", 0x0502),
        Signature("dsa_sha512", "DSA+SHA512", 0x0602),
        Signature("dsa_sha1", "DSA+SHA1", 0x0202),
    )
}
_BEFORE_12 = {
    "_RSA_": Signature("rsa_pkcs1_md5_sha1", "RSA+MD5-SHA1"),
    "_DSS_": Signature("dsa_sha1", "DSA+SHA1"),
    "_ECDSA_": Signature("ecdsa_sha1", "ECDSA+SHA1"),
}
# The primes that have a name, by their SHA-256 digests (big-endian): RFC 7919, RFC 2409 (group 2)
# and RFC 3526 (the others).
_PRIMES = {
    "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966": GROUPS[0x0100],
    "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17": GROUPS[0x0101],
    "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e": GROUPS[0x0102],
    "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7": GROUPS[0x0103],
    "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833": GROUPS[0x0104],
    "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0": Group(
        "MODP group 2 (1024)", "modp_1024", 1024
    ),
    "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b": Group(
        "MODP group 5 (1536)", "modp_1536", 1536
    ),
    "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e": Group(
        "MODP group 14 (2048)", "modp_2048", 2048
    ),
    "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c": Group(
        "MODP group 15 (3072)", "modp_3072", 3072
    ),
    "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33": Group(
        "MODP group 16 (4096)", "modp_4096", 4096
    ),
    "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd": Group(
        "MODP group 17 (6144)", "modp_6144", 6144
    ),
    "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf": Group(
        "MODP group 18 (8192)", "modp_8192", 8192
    ),
}
_NAMED_CURVE = 3


def group_of(code: int) -> Group:
    """Return the group with this code; an unknown one is named by its number, of size 0."""
    return GROUPS.get(code) or Group(f"0x{code:04X}", "", 0, code)


def read(body: bytes, suite: str, version: str) -> KeyExchange | None:
    """Read a ServerKeyExchange of ``suite`` (IANA name).

    None for a kind that is neither Diffie-Hellman nor a curve. Raises ``NotTls``.
    """
    reader = Reader(body)
    if "_PSK_" in suite or "_SRP_" in suite:
        return None
    if "_ECDHE_" in suite or "_ECDH_anon_" in suite:
        kind = reader.number(1)
        if kind != _NAMED_CURVE:
            raise NotTls("a curve without a name")
        group = group_of(reader.number(2))
        reader.vector(1)
    elif "_DHE_" in suite or "_DH_anon_" in suite:
        group = _group_of_prime(reader.vector(2))
        reader.vector(2)
        reader.vector(2)
    else:
        return None
    return KeyExchange(group, None if "_anon_" in suite else _signature(reader, suite, version))


def _signature(reader: Reader, suite: str, version: str) -> Signature | None:
    if version != "TLSv1.2":
        return next((signature for part, signature in _BEFORE_12.items() if part in suite), None)
    code = reader.number(2)
    return SIGNATURES.get(code) or Signature(f"0x{code:04X}", "", code)


def _group_of_prime(prime: bytes) -> Group:
    prime = prime.lstrip(b"\0")
    bits = int.from_bytes(prime, "big").bit_length()
    return _PRIMES.get(hashlib.sha256(prime).hexdigest()) or Group(f"dh{bits}", "", bits)
