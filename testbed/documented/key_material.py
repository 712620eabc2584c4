"""Imported key material as KMS takes it (IMPORT)."""

from collections.abc import Mapping

# Bytes of binary material. Asymmetric key specs take a private key in DER-encoded PKCS #8.
LENGTHS: Mapping[str, int] = {
    "SYMMETRIC_DEFAULT": 32,
    "HMAC_224": 28,
    "HMAC_256": 32,
    "HMAC_384": 48,
    "HMAC_512": 64,
}
TOKEN_DAYS = 1  # an import token is valid for 24 hours
LONGEST_VALIDITY_DAYS = 365  # from the request to ValidTo

WRAPPING_KEY_SPECS = ("RSA_2048", "RSA_3072", "RSA_4096")  # SM2 is for Regions in China
DIRECT = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
KEY_WRAP = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")


def can_wrap(spec: str, algorithm: str, wrapping_key_spec: str) -> bool:
    """Return whether material for a key of ``spec`` can be wrapped so.

    RSAES_PKCS1_V1_5 is not supported since October 2023. RSA_2048 is too short for a private key on
    the largest curve.
    """
    if wrapping_key_spec not in WRAPPING_KEY_SPECS:
        return False
    if algorithm in KEY_WRAP:
        return spec.startswith(("RSA", "ECC"))
    too_long = (spec, wrapping_key_spec) == ("ECC_NIST_P521", "RSA_2048")
    return algorithm in DIRECT and not spec.startswith("RSA") and not too_long
