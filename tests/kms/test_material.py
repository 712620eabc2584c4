"""What each key spec requires of imported material, and that every wrapping is OpenSSL's."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from testbed.documented.key_material import LENGTHS
from testbed.errors import KmsError
from testbed.kms import material as materials

SPECS = (
    *LENGTHS,
    "RSA_2048",
    "RSA_3072",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
)
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def material() -> dict[str, bytes]:
    return {spec: materials.generate(spec) for spec in SPECS}


def is_refused(spec: str, material: bytes) -> bool:
    try:
        materials.checked(spec, material)
    except KmsError as error:
        return error.code == "IncorrectKeyMaterialException"
    return False


def test_each_spec_takes_its_own_material_alone(material: dict[str, bytes]) -> None:
    for spec in SPECS:
        for other in SPECS:
            suits = len(material[other]) == LENGTHS.get(spec) or spec == other
            assert is_refused(spec, material[other]) is not suits, (spec, other)


def test_private_keys_are_in_pkcs8() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pkcs1 = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert is_refused("RSA_2048", pkcs1)
    assert materials.checked("RSA_2048", materials.private_der(key))


def test_the_id_depends_on_key_and_material_alone() -> None:
    identity = materials.id_of(KEY_ID, b"m" * 32)
    assert identity == materials.id_of(KEY_ID, b"m" * 32)
    assert len(identity) == 64
    assert identity != materials.id_of(KEY_ID, b"n" * 32)
    assert identity != materials.id_of(KEY_ID[::-1], b"m" * 32)


@pytest.mark.parametrize("digest", ["1", "256"])
def test_every_wrapping_opens_with_its_own_key_and_digest(digest: str) -> None:
    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    for algorithm in (f"RSAES_OAEP_SHA_{digest}", f"RSA_AES_KEY_WRAP_SHA_{digest}"):
        wrapped = materials.wrap(b"material", materials.public_der(key), algorithm)
        assert materials.unwrap(wrapped, materials.private_der(key), algorithm) == b"material"
        wrong = algorithm.removesuffix(digest) + ("1" if digest == "256" else "256")
        for opener, by in ((other, algorithm), (key, wrong)):
            with pytest.raises(KmsError, match="InvalidCiphertextException"):
                materials.unwrap(wrapped, materials.private_der(opener), by)
        for garbage in (b"", wrapped[:-1], wrapped + b"x"):
            with pytest.raises(KmsError, match="InvalidCiphertextException"):
                materials.unwrap(garbage, materials.private_der(key), algorithm)


def test_what_openssl_wraps_is_unwrapped(tmp_path: Path) -> None:
    """With the command of the developer guide, "Encrypt the key material"."""
    key = rsa.generate_private_key(65537, 3072)
    (tmp_path / "public.der").write_bytes(materials.public_der(key))
    (tmp_path / "material").write_bytes(b"m" * 32)
    command = (
        "openssl pkeyutl -encrypt -in material -out wrapped -inkey public.der -keyform DER -pubin "
        "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    wrapped = (tmp_path / "wrapped").read_bytes()
    private = materials.private_der(key)
    assert materials.unwrap(wrapped, private, "RSAES_OAEP_SHA_256") == b"m" * 32
