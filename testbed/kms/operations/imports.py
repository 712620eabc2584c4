"""Imported key material: import, expiry and deletion.

Material of symmetric keys is kept in the ledger and used by ``kms.symmetric``; that of Ed25519 keys
as well, by ``kms.edwards``. That of HMAC and other asymmetric keys is kept and used by LocalStack;
the ledger has its id, which tells whether the same material is imported again, and deleting it
there means putting random material in its place.

A symmetric key can have several materials (API reference, ImportKeyMaterial): the first is current
at once, a new one waits for RotateKeyOnDemand, and all that were ever current have to be there. New
material of a multi-Region key is imported into the primary first, then into each replica.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed.documented.key_material import LONGEST_VALIDITY_DAYS, TOKEN_DAYS, can_wrap
from testbed.kms import edwards, refusals
from testbed.kms import material as materials
from testbed.kms.backend import Backend
from testbed.kms.call import KmsCall, KmsServices
from testbed.kms.import_token import ImportToken
from testbed.kms.key import DAY, Key, check_state
from testbed.kms.ledger import Change, Ledger
from testbed.kms.material import Material
from testbed.kms.naming import owner

_TOKENS = "import tokens"
_EXPIRES, _DOES_NOT_EXPIRE = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"
_NEW, _EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"


def parameters(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """GetParametersForImport."""
    key, request = call.key, call.parameters
    _check_origin(key)
    algorithm, spec = request["WrappingAlgorithm"], request["WrappingKeySpec"]
    if not can_wrap(key.spec, algorithm, spec):
        raise refusals.unsupported(
            f"{algorithm} with {spec} is not supported for {key.spec} key material."
        )
    wrapping_key, expires = materials.generate_pair(spec), call.now + TOKEN_DAYS * DAY
    token = ImportToken(key.arn, algorithm, expires, materials.private_der(wrapping_key))
    return {
        "KeyId": key.arn,
        "ImportToken": token.seal(_token_secret(services.ledger)),
        "PublicKey": materials.public_der(wrapping_key),
        "ParametersValidTo": datetime.fromtimestamp(expires, UTC),
    }


def import_material(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """ImportKeyMaterial."""
    request = call.parameters
    _check_origin(call.key)
    _check_for_symmetric_keys(call.key, request)
    expires = _expiry(request, call.now)
    material = _unwrapped(services.ledger, call)
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        check_state(key, call.operation, call.now)
        identity = materials.id_of(key.key_id, material)
        known = next((candidate for candidate in key.materials if candidate.id == identity), None)
        _check_type(key, identity, _associated(change, key), request)
        description = request.get("KeyMaterialDescription", known.description if known else "")
        imported = Material(identity, expires, description)
        listed = tuple(imported if candidate is known else candidate for candidate in key.materials)
        if known is None:
            listed = (*listed, imported)
        if key.symmetric:
            change.put_secret(key.arn, identity, material)
        elif key.spec == edwards.SPEC:
            edwards.put(change, key, material)
        else:
            _put_on_localstack(services.backend, key, material)
        first = key.first_material or identity
        change.put_key(replace(key, first_material=first).with_materials(listed, call.now))
    return _answer(key, identity)


def delete_material(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """DeleteImportedKeyMaterial. Without a KeyMaterialId it deletes the current material."""
    request = call.parameters
    _check_origin(call.key)
    _check_for_symmetric_keys(call.key, request)
    with services.ledger.change() as change:
        key = change.existing_key(call.key.arn)
        identity = request.get("KeyMaterialId") or key.current_material
        known = next((candidate for candidate in key.materials if candidate.id == identity), None)
        if known is None and "KeyMaterialId" in request:
            raise refusals.no_such_material(key.arn, identity)
        if known and known.imported:
            change.put_key(forget(services.backend, change, key, known, call.now))
    return _answer(key, identity)


def forget(backend: Backend, change: Change, key: Key, material: Material, now: float) -> Key:
    """Destroy imported material and return the key without it, for the caller to keep."""
    if key.symmetric:
        change.drop_secret(key.arn, material.id)
    elif key.spec == edwards.SPEC:
        edwards.drop(change, key)
    else:
        _put_on_localstack(backend, key, materials.generate(key.spec))
    if material in key.belonging:
        gone = replace(material, imported=False, expires=None)
        listed = tuple(gone if candidate is material else candidate for candidate in key.materials)
    else:  # it was pending rotation, so nothing was encrypted with it
        listed = tuple(candidate for candidate in key.materials if candidate is not material)
        for replica in () if key.is_replica else change.related(key):
            same = replica.pending_rotation
            if replica.is_replica and same and same.id == material.id:
                change.put_key(forget(backend, change, replica, same, now))
    return key.with_materials(listed, now)


def expiration(imported: Iterable[Material]) -> dict[str, Any]:
    """Return ExpirationModel and ValidTo of materials, the earliest; neither if none is there."""
    present = [material for material in imported if material.imported]
    if not present:
        return {}
    expires = min(
        (candidate.expires for candidate in present if candidate.expires is not None), default=None
    )
    if expires is None:
        return {"ExpirationModel": _DOES_NOT_EXPIRE}
    return {"ExpirationModel": _EXPIRES, "ValidTo": datetime.fromtimestamp(expires, UTC)}


def entry(material: Material) -> dict[str, Any]:
    """Return what ListKeyRotations has of imported material alone."""
    state = "IMPORTED" if material.imported else "PENDING_IMPORT"
    described = {"KeyMaterialDescription": material.description} if material.description else {}
    return {"ImportState": state, **described, **expiration([material])}


def _unwrapped(ledger: Ledger, call: KmsCall) -> bytes:
    """Return the request's material. Raises KMS's refusals of token, wrapping and material."""
    token = ImportToken.unseal(call.parameters["ImportToken"], _token_secret(ledger))
    if token is None or token.key_arn != call.key.arn:
        raise refusals.refusal("InvalidImportTokenException")
    if token.expires <= call.now:
        raise refusals.refusal("ExpiredImportTokenException")
    wrapped = call.parameters["EncryptedKeyMaterial"]
    material = materials.unwrap(wrapped, token.private_key, token.algorithm)
    return materials.checked(call.key.spec, material)


def _associated(change: Change, key: Key) -> set[str]:
    """Return the ids of the materials of a key, and of the primary of which it is a replica."""
    keys = [
        candidate
        for candidate in change.related(key)
        if candidate.arn == key.arn or not candidate.is_replica
    ]
    return {
        *key.material_ids,
        *(material.id for candidate in keys for material in candidate.materials),
    }


def _check_type(
    key: Key, identity: str, associated: Collection[str], request: Mapping[str, Any]
) -> None:
    """Check the material against those that the key has (API reference, ImportType)."""
    default = _EXISTING if key.first_material or key.is_replica else _NEW
    if request.get("ImportType", default) == _EXISTING:
        if identity not in associated:
            raise refusals.incorrect_key_material(
                f"The key material has not been imported into {key.arn} before."
            )
        if request.get("KeyMaterialId", identity) != identity:
            raise refusals.incorrect_key_material(
                f"The key material is not {request['KeyMaterialId']}."
            )
        return
    if key.is_replica:
        raise refusals.unsupported(
            f"{key.arn} is a replica: new key material is imported into the primary key."
        )
    if "KeyMaterialId" in request:
        raise refusals.invalid(f"KeyMaterialId cannot be specified with ImportType {_NEW}.")
    if identity in associated:
        raise refusals.incorrect_key_material(
            f"The key material is already associated with {key.arn}."
        )
    if key.pending_rotation:
        raise refusals.another_pending_rotation(key.arn, identity, key.pending_rotation.id)


def _expiry(request: Mapping[str, Any], now: float) -> float | None:
    """Return when the request's material expires; None for never."""
    valid_to = request.get("ValidTo")
    if request.get("ExpirationModel", _EXPIRES) == _DOES_NOT_EXPIRE:
        if valid_to is not None:
            raise refusals.invalid(
                f"A validTo date must not be set if the ExpirationModel is {_DOES_NOT_EXPIRE}"
            )
        return None
    if valid_to is None:
        raise refusals.invalid(f"A validTo date must be set if the ExpirationModel is {_EXPIRES}")
    expires = float(valid_to.timestamp())
    if not now < expires <= now + LONGEST_VALIDITY_DAYS * DAY:
        raise refusals.invalid(
            "The validTo date must be in the future, and within "
            f"{LONGEST_VALIDITY_DAYS} days of the request"
        )
    return expires


def _check_origin(key: Key) -> None:
    if not key.external:
        raise refusals.invalid_origin(key.arn, key.origin)


def _check_for_symmetric_keys(key: Key, request: Mapping[str, Any]) -> None:
    for member in ("ImportType", "KeyMaterialDescription", "KeyMaterialId"):
        if member in request and not key.symmetric:
            raise refusals.invalid(f"{member} is for symmetric encryption keys only.")


def _put_on_localstack(backend: Backend, key: Key, material: bytes) -> None:
    algorithm, caller = "RSA_AES_KEY_WRAP_SHA_256", owner(key.arn)
    agreed = backend.call(
        caller,
        "GetParametersForImport",
        {"KeyId": key.arn, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"},
    )
    backend.call(
        caller,
        "ImportKeyMaterial",
        {
            "KeyId": key.arn,
            "ImportToken": agreed["ImportToken"],
            "EncryptedKeyMaterial": materials.wrap(material, agreed["PublicKey"], algorithm),
            "ExpirationModel": _DOES_NOT_EXPIRE,
        },
    )


def _answer(key: Key, identity: str) -> dict[str, Any]:
    """Return an answer; the id is present for symmetric keys alone."""
    answer = {"KeyId": key.arn}
    return {**answer, "KeyMaterialId": identity} if key.symmetric and identity else answer


def _token_secret(ledger: Ledger) -> bytes:
    """Return the secret that seals import tokens, made on first use."""
    secret = ledger.secret(_TOKENS, "")
    if secret is None:
        with ledger.change() as change:
            secret = change.secret(_TOKENS, "") or secrets.token_bytes(32)
            change.put_secret(_TOKENS, "", secret)
    return secret
