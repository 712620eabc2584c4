"""The operations of KMS, one line each; the ones that are not listed are LocalStack's as they are.

An operation may rely on everything in front of it: the request has the right shape, keys are named
by ARN, the caller may, and, unless it checks by itself, the key's state allows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.kms import refusals
from testbed.kms.call import Handler, KmsCall, KmsServices
from testbed.kms.key import check_state
from testbed.kms.operations import (
    aliases,
    cryptography,
    grants,
    imports,
    key_states,
    key_stores,
    keys,
    last_usage,
    multi_region,
    policies,
    rotation,
    signing,
    tags,
)


@dataclass(frozen=True)
class Operation:
    """``checks_state``: the operation itself checks the key's state, in its own order."""

    run: Handler
    checks_state: bool = False


OPERATIONS: Mapping[str, Operation] = {
    "CreateKey": Operation(keys.create),
    "DescribeKey": Operation(keys.describe),
    "ListKeys": Operation(keys.list_keys),
    "GetKeyLastUsage": Operation(last_usage.get),
    "TagResource": Operation(tags.tag),
    "UntagResource": Operation(tags.untag),
    "ListResourceTags": Operation(tags.list_tags),
    "DescribeCustomKeyStores": Operation(key_stores.describe),
    "CreateCustomKeyStore": Operation(key_stores.create),
    "UpdateCustomKeyStore": Operation(key_stores.change),
    "DeleteCustomKeyStore": Operation(key_stores.change),
    "ConnectCustomKeyStore": Operation(key_stores.change),
    "DisconnectCustomKeyStore": Operation(key_stores.change),
    "ReplicateKey": Operation(multi_region.replicate, checks_state=True),
    "UpdatePrimaryRegion": Operation(multi_region.update_primary, checks_state=True),
    "PutKeyPolicy": Operation(policies.put),
    "GetKeyPolicy": Operation(policies.get),
    "ListKeyPolicies": Operation(policies.list_names),
    "CreateAlias": Operation(aliases.change),
    "UpdateAlias": Operation(aliases.change),
    "DeleteAlias": Operation(aliases.change),
    "ListAliases": Operation(aliases.list_aliases),
    "DisableKey": Operation(key_states.disable, checks_state=True),
    "EnableKey": Operation(key_states.enable, checks_state=True),
    "ScheduleKeyDeletion": Operation(key_states.schedule_deletion, checks_state=True),
    "CancelKeyDeletion": Operation(key_states.cancel_deletion, checks_state=True),
    "CreateGrant": Operation(grants.create, checks_state=True),
    "ListGrants": Operation(grants.list_of_key),
    "ListRetirableGrants": Operation(grants.list_retirable),
    "RevokeGrant": Operation(grants.revoke),
    "RetireGrant": Operation(grants.retire),
    "EnableKeyRotation": Operation(rotation.enable),
    "DisableKeyRotation": Operation(rotation.disable),
    "GetKeyRotationStatus": Operation(rotation.status),
    "RotateKeyOnDemand": Operation(rotation.rotate_on_demand),
    "ListKeyRotations": Operation(rotation.list_rotations),
    "GetParametersForImport": Operation(imports.parameters),
    "ImportKeyMaterial": Operation(imports.import_material),
    "DeleteImportedKeyMaterial": Operation(imports.delete_material),
    "Encrypt": Operation(cryptography.encrypt),
    "Decrypt": Operation(cryptography.decrypt),
    "ReEncrypt": Operation(cryptography.re_encrypt),
    "GenerateDataKey": Operation(cryptography.data_key),
    "GenerateDataKeyWithoutPlaintext": Operation(cryptography.data_key),
    "GenerateDataKeyPair": Operation(cryptography.data_key_pair),
    "GenerateDataKeyPairWithoutPlaintext": Operation(cryptography.data_key_pair),
    "GetPublicKey": Operation(cryptography.public_key),
    "GenerateRandom": Operation(cryptography.random),
    "Sign": Operation(signing.sign),
    "Verify": Operation(signing.sign),
    "GenerateMac": Operation(signing.mac),
    "VerifyMac": Operation(signing.mac),
    "DeriveSharedSecret": Operation(signing.shared_secret),
    "Encapsulate": Operation(signing.encapsulate),
    "Decapsulate": Operation(signing.encapsulate),
}


def execute(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    """Carry out an authorised call. Raises ``KmsError``, for a dry run always."""
    operation = OPERATIONS.get(call.operation, _FORWARDED)
    if not operation.checks_state:
        for key in call.keys.values():
            check_state(key, call.operation, call.now)
    if "Recipient" in call.parameters:
        raise refusals.unattested()
    dry_run = call.parameters.get("DryRun", False)
    if dry_run and "IGNORE_CIPHERTEXT" in call.parameters.get("DryRunModifiers", ()):
        raise refusals.dry_run()
    answer = operation.run(services, call)
    if dry_run:
        raise refusals.dry_run()
    return answer


def _forward(services: KmsServices, call: KmsCall) -> dict[str, Any]:
    return services.backend.call(call.caller, call.operation, call.parameters)


_FORWARDED = Operation(_forward)
