"""Importing key material as a customer does."""

import secrets
from datetime import UTC, datetime
from typing import Any

from testbed.kms import material as materials
from testbed.kms.naming import owner
from tests.support.kms_authority import Authority

OAEP, KEY_WRAP = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"
MATERIAL, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def agreed(
    aws: Authority, key: str, algorithm: str = OAEP, spec: str = "RSA_2048"
) -> dict[str, Any]:
    """Return the answer of GetParametersForImport."""
    return aws.call(
        owner(key),
        "GetParametersForImport",
        KeyId=key,
        WrappingAlgorithm=algorithm,
        WrappingKeySpec=spec,
    )


def request(
    aws: Authority, key: str, material: bytes, algorithm: str = OAEP, **members: Any
) -> dict[str, Any]:
    """Return the parameters of ImportKeyMaterial; without expiry unless ``ValidTo`` is given."""
    parameters = agreed(aws, key, algorithm)
    return {
        "KeyId": key,
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": materials.wrap(material, parameters["PublicKey"], algorithm),
        **({} if "ValidTo" in members else FOREVER),
        **members,
    }


def imported(
    aws: Authority, key: str, material: bytes, algorithm: str = OAEP, **members: Any
) -> str:
    """Import material and return its id, empty for keys other than symmetric ones."""
    answer = aws.call(
        owner(key), "ImportKeyMaterial", **request(aws, key, material, algorithm, **members)
    )
    assert answer.pop("KeyId") == key
    identity: str = answer.pop("KeyMaterialId", "")
    assert answer == {}
    return identity


def in_seconds(aws: Authority, seconds: float) -> datetime:
    """Return a time by the testbed's clock."""
    return datetime.fromtimestamp(aws.clock.now() + seconds, UTC)


def external(aws: Authority, spec: str = "", usage: str = "") -> str:
    """Create a key without material and return its ARN."""
    kind: dict[str, Any] = {"KeySpec": spec, "KeyUsage": usage} if spec else {}
    return aws.key(Origin="EXTERNAL", **kind)


def metadata(aws: Authority, key: str) -> dict[str, Any]:
    """Return what DescribeKey shows of a key."""
    described: dict[str, Any] = aws.call(owner(key), "DescribeKey", KeyId=key)["KeyMetadata"]
    return described


def delete(aws: Authority, key: str, **members: Any) -> dict[str, Any]:
    """Delete imported material."""
    return aws.call(owner(key), "DeleteImportedKeyMaterial", KeyId=key, **members)


def listed(aws: Authority, key: str) -> list[dict[str, Any]]:
    """Return all materials of a key without its name and the dates of rotations."""
    answer = aws.call(
        owner(key), "ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL"
    )
    left_out = ("KeyId", "RotationDate", "RotationType")
    return [
        {name: value for name, value in entry.items() if name not in left_out}
        for entry in answer["Rotations"]
    ]


def refused(aws: Authority, key: str, material: bytes, **members: Any) -> str:
    """Return the code with which an import is refused, empty if it succeeds."""
    return aws.code(owner(key), "ImportKeyMaterial", **request(aws, key, material, **members))
