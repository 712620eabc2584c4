"""What the state of a KMS key allows (KEYSTATE).

The page's table has a row for each operation on an existing key, and a footnote where the state
refuses it. Where it leaves a choice ("[2] or [3]" for a key pending deletion) AWS answers
KMSInvalidStateException, and GetPublicKey of a disabled key, which the table refuses, is answered
(LocalStack's recordings of AWS). The operations on imported material and on rotation also depend
on the key's origin; that is the operations' own business.
"""

from collections.abc import Mapping

# The refusal of each state: the code, and what is said of the key's ARN.
REFUSALS: Mapping[str, tuple[str, str]] = {
    "Disabled": ("DisabledException", "is disabled."),
    "PendingImport": ("KMSInvalidStateException", "is pending import."),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion."),
    "PendingReplicaDeletion": ("KMSInvalidStateException", "is pending replica deletion."),
    "Unavailable": ("KMSInvalidStateException", "is unavailable."),
    "Creating": ("KMSInvalidStateException", "is creating."),
    "Updating": ("KMSInvalidStateException", "is updating."),
}
STATES = ("Enabled", *REFUSALS)

CRYPTOGRAPHIC = (
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
)
# These go by the state in effect, all others by the one that the key's account last asked for.
USES = frozenset((*CRYPTOGRAPHIC, "CreateGrant"))

DYING = {"PendingDeletion", "PendingReplicaDeletion"}
_USE = {"Enabled", "Updating"}
_CHANGE = {"Enabled", "Disabled", "PendingImport", "Unavailable"}
_LABEL = _CHANGE | {"Updating"}
_IMPORT = {"Enabled", "Disabled", "PendingImport"}
# An imported key cannot be rotated by the clock, which is refused before its state is looked at.
_ROTATE = {"Enabled", "PendingImport", "Unavailable"}

# The states in which an operation is answered. Operations that are not listed are answered in all.
ALLOWED: Mapping[str, frozenset[str]] = {
    operation: frozenset(states)
    for operations, states in (
        (CRYPTOGRAPHIC, _USE),
        (("CreateGrant",), _USE | {"Unavailable"}),
        (("GetPublicKey",), _USE | {"Disabled"}),
        (("CreateAlias", "UpdateAlias"), _LABEL),
        (("TagResource", "UntagResource", "UpdateKeyDescription"), _LABEL),
        (("EnableKey", "DisableKey"), _CHANGE - {"PendingImport"}),
        (("ScheduleKeyDeletion",), _CHANGE),
        (("CancelKeyDeletion",), DYING),
        (("EnableKeyRotation", "DisableKeyRotation"), _ROTATE),
        (("RotateKeyOnDemand", "ReplicateKey", "UpdatePrimaryRegion"), {"Enabled"}),
        (("GetParametersForImport", "ImportKeyMaterial"), _IMPORT),
        # The API reference has it, against the page.
        (("DeleteImportedKeyMaterial",), _IMPORT | {"PendingDeletion"}),
    )
    for operation in operations
}
