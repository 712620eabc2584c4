"""Which wrappings suit which key material (API reference, GetParametersForImport)."""

import pytest

from testbed import api_models
from testbed.documented.key_material import can_wrap

OAEP, KEY_WRAP = (
    {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
    {
        "RSA_AES_KEY_WRAP_SHA_1",
        "RSA_AES_KEY_WRAP_SHA_256",
    },
)


@pytest.mark.parametrize(
    ("spec", "by_short_keys", "by_long_keys"),
    [
        ("SYMMETRIC_DEFAULT", OAEP, OAEP),
        ("HMAC_512", OAEP, OAEP),
        ("RSA_2048", KEY_WRAP, KEY_WRAP),
        ("RSA_4096", KEY_WRAP, KEY_WRAP),
        ("ECC_NIST_P256", OAEP | KEY_WRAP, OAEP | KEY_WRAP),
        ("ECC_NIST_P521", KEY_WRAP, OAEP | KEY_WRAP),
    ],
)
def test_wrappings(spec: str, by_short_keys: set[str], by_long_keys: set[str]) -> None:
    kms = api_models.service("kms")
    algorithms = kms.shape_for("AlgorithmSpec").enum
    by_wrapping_key = {"RSA_2048": by_short_keys, "RSA_3072": by_long_keys, "SM2": set[str]()}
    by_wrapping_key["RSA_4096"] = by_long_keys
    assert set(by_wrapping_key) == set(kms.shape_for("WrappingKeySpec").enum)
    for wrapping_key, expected in by_wrapping_key.items():
        suited = {each for each in algorithms if can_wrap(spec, each, wrapping_key)}
        assert suited == expected, wrapping_key
