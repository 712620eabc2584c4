"""Let the imported material of a broker's key expire."""

import base64
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from testbed.faults.base import Options, Record, Target, broker_of
from testbed.faults.key import DisableKey, call_owner
from testbed.kms import material
from testbed.kms.ledger import Ledger

_WRAPPING = "RSAES_OAEP_SHA_256"
_SOON = 1.0  # seconds


class ExpireKeyMaterial(DisableKey):
    name = "expire-key-material"
    summary = "Let the imported material of the broker's key expire, which takes effect at once."
    in_aws = "Nobody has imported it again in time: CRITICAL_ACTION_REQUIRED until that is done."

    def refusal(self, target: Target) -> str:
        if refused := super().refusal(target):
            return refused
        key = call_owner(target, "DescribeKey", broker_of(target).key_arn)["KeyMetadata"]
        return "" if key["Origin"] == "EXTERNAL" else "The material of its key was not imported."

    def plan(self, target: Target, options: Options) -> Record:
        key = broker_of(target).key_arn
        metadata = call_owner(target, "DescribeKey", key)["KeyMetadata"]
        with closing(Ledger(target.testbed.state)) as ledger:
            secret = ledger.secret(key, metadata["CurrentKeyMaterialId"])
        expires = metadata.get("ValidTo")
        return {
            **super().plan(target, options),
            "material": base64.b64encode(secret or b"").decode(),  # what its owner has kept
            "expires": expires.isoformat() if expires else "",
        }

    def inject(self, target: Target, record: Record) -> None:
        """Import it again with a date that is over when this returns."""
        clock = target.testbed.clock
        expires = clock.datetime() + timedelta(seconds=_SOON)
        _import(target, record, ValidTo=expires)
        clock.turn(_SOON)

    def _restore(self, target: Target, record: Record) -> None:
        """Import it again, until the date that it had unless that is over."""
        expires = record["expires"] and datetime.fromisoformat(record["expires"])
        if expires and expires > target.testbed.clock.datetime():
            _import(target, record, ValidTo=expires)
        else:
            _import(target, record, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
        super()._restore(target, record)

    def describe(self, record: Record) -> str:
        return f"Let the imported material of the key {record['key']} expire."


def _import(target: Target, record: Record, **members: Any) -> None:
    key = record["key"]
    algorithm = {"WrappingAlgorithm": _WRAPPING}
    answer = call_owner(
        target, "GetParametersForImport", key, **algorithm, WrappingKeySpec="RSA_2048"
    )
    call_owner(
        target,
        "ImportKeyMaterial",
        key,
        ImportToken=answer["ImportToken"],
        EncryptedKeyMaterial=material.wrap(
            base64.b64decode(record["material"]), answer["PublicKey"], _WRAPPING
        ),
        **members,
    )
