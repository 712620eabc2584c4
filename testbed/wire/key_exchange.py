"""How a server agrees on keys: the group and the signature of its ServerKeyExchange. No I/O.

Layouts: RFC 5246 (Diffie-Hellman), RFC 8422 (elliptic curves). A Diffie-Hellman group up to TLS 1.2 has no name on
the wire, only its prime: it is known again by computing the primes that have a name from their definitions.
"""

from dataclasses import dataclass
from functools import cache

from testbed.wire.reading import NotTls, Reader


@dataclass(frozen=True)
class Group:
    """A curve or a finite-field group under its IANA name, its OpenSSL name, and its size in bits; ``code`` is 0 where it has none."""

    iana: str
    openssl: str
    bits: int
    code: int = 0


@dataclass(frozen=True)
class Signature:
    """A signature scheme under its IANA name and the name OpenSSL gives it; ``code`` is 0 before TLS 1.2, which fixes it."""

    iana: str
    openssl: str
    code: int = 0


@dataclass(frozen=True)
class KeyExchange:
    """What a ServerKeyExchange says. ``signature`` is None where the suite is anonymous."""

    group: Group
    signature: Signature | None


# TLS Supported Groups registry; those that a client can still meet. The order is the one they are offered in.
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
_NAMED_CURVE = 3


def group_of(code: int) -> Group:
    """The group with this code; one that is not among ``GROUPS`` is named by its number, its size unknown (0)."""
    return GROUPS.get(code) or Group(f"0x{code:04X}", "", 0, code)


def read(body: bytes, suite: str, version: str) -> KeyExchange | None:
    """Read a ServerKeyExchange of ``suite`` (IANA name); None for a kind that is neither Diffie-Hellman nor a curve. Raises ``NotTls``."""
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
        prime = int.from_bytes(reader.vector(2), "big")
        reader.vector(2)
        reader.vector(2)
        group = _named_primes().get(prime) or Group(
            f"dh{prime.bit_length()}", "", prime.bit_length()
        )
    else:
        return None
    return KeyExchange(group, None if "_anon_" in suite else _signature(reader, suite, version))


def _signature(reader: Reader, suite: str, version: str) -> Signature | None:
    if version != "TLSv1.2":
        return next((signature for part, signature in _BEFORE_12.items() if part in suite), None)
    code = reader.number(2)
    return SIGNATURES.get(code) or Signature(f"0x{code:04X}", "", code)


@cache
def _named_primes() -> dict[int, Group]:
    """RFC 7919 (from e) and RFC 2409 and 3526 (from pi): 2^n - 2^(n-64) + 2^64 * ([2^(n-130) * c] + x) - 1."""
    named = {}
    for code, x in {
        0x0100: 560316,
        0x0101: 2625351,
        0x0102: 5736041,
        0x0103: 15705020,
        0x0104: 10965728,
    }.items():
        group = GROUPS[code]
        named[_prime(group.bits, _e(group.bits - 130), x)] = group
    for bits, number, x in (
        (1024, 2, 129093),
        (1536, 5, 741804),
        (2048, 14, 124476),
        (3072, 15, 1690314),
        (4096, 16, 240904),
        (6144, 17, 929484),
        (8192, 18, 4743158),
    ):
        named[_prime(bits, _pi(bits - 130), x)] = Group(
            f"MODP group {number} ({bits})", f"modp_{bits}", bits
        )
    return named


def _prime(bits: int, constant: int, x: int) -> int:
    return 2**bits - 2 ** (bits - 64) + ((constant + x) << 64) - 1


_GUARD = 64  # bits beyond those that count, for what the divisions cut off


def _e(bits: int) -> int:
    """E times 2^bits, rounded down."""
    total = term = 1 << bits + _GUARD
    divisor = 1
    while term:
        term //= divisor
        total += term
        divisor += 1
    return total >> _GUARD


def _pi(bits: int) -> int:
    """Pi times 2^bits, rounded down, by Machin's formula."""
    one = 1 << bits + _GUARD

    def inverse_tangent(of: int) -> int:
        power = total = one // of
        divisor, sign = 1, 1
        while power:
            power //= of * of
            divisor, sign = divisor + 2, -sign
            total += sign * (power // divisor)
        return total

    return 4 * (4 * inverse_tangent(5) - inverse_tangent(239)) >> _GUARD
