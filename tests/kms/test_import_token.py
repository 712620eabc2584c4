"""What an import token tells: everything to KMS, nothing to anyone else."""

import pytest

from testbed.kms import material as materials
from testbed.kms.import_token import ImportToken

SECRET = b"s" * 32
TOKEN = ImportToken("arn:aws:kms:us-east-1:000000000000:key/k", "RSAES_OAEP_SHA_256", 1.5, b"priv")


def test_a_token_opens_with_its_secret_alone() -> None:
    sealed = TOKEN.seal(SECRET)
    assert ImportToken.unseal(sealed, SECRET) == TOKEN
    assert ImportToken.unseal(sealed, b"t" * 32) is None
    assert TOKEN.private_key not in sealed
    assert "priv" not in repr(TOKEN)


@pytest.mark.parametrize("garbage", [b"", b"x", b"x" * 12, b"x" * 100])
def test_garbage_is_no_token(garbage: bytes) -> None:
    assert ImportToken.unseal(garbage, SECRET) is None


def test_a_token_with_the_longest_key_fits_the_model() -> None:
    private = materials.private_der(materials.generate_pair("RSA_4096"))
    token = ImportToken(TOKEN.key_arn, "RSA_AES_KEY_WRAP_SHA_256", 1.5, private)
    assert len(token.seal(SECRET)) <= 6144
