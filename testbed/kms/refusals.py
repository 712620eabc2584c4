"""KMS's refusals: one function for each sentence, in AWS's words where they are known.

Sources: the key-state page of the KMS developer guide (its footnotes are the sentences of the key
states); answers recorded from AWS in LocalStack's
``tests/aws/services/kms/test_kms.snapshot.json`` (Apache-2.0); AccessDeniedException as users
quote it. A sentence that is the testbed's own has a comment saying so.
"""

from testbed.documented.key_states import REFUSALS
from testbed.errors import KmsError
from testbed.policy.evaluate import not_authorized


def refusal(code: str, sentence: str = "", hint: str = "") -> KmsError:
    return KmsError(sentence, code=code, hint=hint)


def throttled() -> KmsError:
    # Quoted by the developer guide, "Throttling AWS KMS requests".
    return refusal(
        "ThrottlingException",
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    )


# Keys and aliases


def no_such_key(arn: str) -> KmsError:
    return refusal("NotFoundException", f"Key '{arn}' does not exist")


def invalid_key_id(key_id: str) -> KmsError:
    return refusal("NotFoundException", f"Invalid keyId '{key_id}'")


def other_region(region: str) -> KmsError:
    return refusal("NotFoundException", f"Invalid arn {region}")


def no_such_alias(arn: str) -> KmsError:
    return refusal("NotFoundException", f"Alias {arn} is not found.")


def alias_of_alias() -> KmsError:
    return refusal("ValidationException", "Aliases must refer to keys. Not aliases")  # as in moto


def alias_of_another_kind(alias: str) -> KmsError:
    # The testbed's own sentence; AWS's code for this is not documented either.
    return invalid(f"{alias} can only be given to a key of the same type and usage as its own.")


def invalid_arn(text: str) -> KmsError:
    return refusal("InvalidArnException", f"Invalid arn {text}")


# Key states


def wrong_state(arn: str, state: str) -> KmsError:
    code, sentence = REFUSALS[state]
    return refusal(code, f"{arn} {sentence}")


def not_pending_deletion(arn: str) -> KmsError:
    return refusal("KMSInvalidStateException", f"{arn} is not pending deletion.")


# Permissions


def access_denied(
    principal: str, action: str, arn: str, *, other_account: bool, reason: str = ""
) -> KmsError:
    """Return the refusal of an action; without ``reason``, no policy or grant allows it.

    Across accounts AWS does not say whether the key exists.
    """
    if other_account:
        resource, reason = "this resource", UNSEEN
    else:
        resource = f"resource: {arn}"
        reason = reason or f"because no resource-based policy allows the {action} action"
    return refusal(
        "AccessDeniedException",
        not_authorized(principal, action, resource, reason),
    )


def denied_for_ciphertext(error: KmsError, arn: str) -> KmsError:
    """Return the same refusal without the ARN, for a caller who did not name the key."""
    ciphertext = "the resource associated with this ciphertext"
    return refusal(
        error.code,
        error.message.replace(f"resource: {arn}", ciphertext).replace(
            "this resource because", f"{ciphertext} because"
        ),
    )


UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def malformed_policy(sentence: str = "", hint: str = "") -> KmsError:
    """Return the refusal of a key policy.

    AWS gives no sentence for what is not a policy at all (aws/aws-sdk-ruby#1784).
    """
    return refusal("MalformedPolicyDocumentException", sentence, hint)


# Grants


def no_such_grant(grant_id: str) -> KmsError:
    """Return AWS's code (getmoto/moto#5411) with moto's sentence."""
    return refusal("NotFoundException", f"Grant ID {grant_id} not found")


def invalid_grant_token() -> KmsError:
    # The testbed's own sentence.
    return refusal("InvalidGrantTokenException", "The grant token is not valid.")


# Requests


def invalid_ciphertext() -> KmsError:
    return refusal("InvalidCiphertextException")  # recorded with an empty message


def invalid_origin(arn: str, origin: str) -> KmsError:
    return unsupported(f"{arn} origin is {origin} which is not valid for this operation.")


def another_pending_rotation(arn: str, new: str, pending: str) -> KmsError:
    return refusal(
        "KMSInvalidStateException",
        f"New key material (id: {new}) cannot be imported into KMS key {arn}, because another key "
        f"material (id: {pending}) is pending rotation.",
    )


def nothing_pending_rotation(arn: str) -> KmsError:
    return refusal(
        "KMSInvalidStateException",
        f"No available key material pending rotation for the key: {arn}.",
    )


def no_such_material(arn: str, material: str) -> KmsError:
    # The testbed's own sentence.
    return refusal("NotFoundException", f"Key material {material} of {arn} is not found.")


def incorrect_key_material(sentence: str) -> KmsError:
    return refusal("IncorrectKeyMaterialException", sentence)  # the testbed's own sentences


def incorrect_key() -> KmsError:
    return refusal(
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def invalid_usage(arn: str, usage: str, operation: str) -> KmsError:
    return refusal(
        "InvalidKeyUsageException",
        f"{arn} key usage is {usage} which is not valid for {operation}.",
    )


def incompatible(algorithm: str, spec: str) -> KmsError:
    return refusal(
        "InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {spec}."
    )


def unsupported(sentence: str = "") -> KmsError:
    return refusal("UnsupportedOperationException", sentence)


def no_such_key_store() -> KmsError:
    return refusal("CustomKeyStoreNotFoundException")


def unattested() -> KmsError:
    # The testbed's own sentence; AWS's code for this is not known either.
    return invalid(
        "The attestation document in Recipient is not signed by AWS Nitro. Only documents of Nitro "
        "enclaves and NitroTPM are, and none exist outside of AWS."
    )


def invalid(sentence: str) -> KmsError:
    return refusal("ValidationException", sentence)


def missing(member: str) -> KmsError:
    return invalid(
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null"
    )


def internal(sentence: str) -> KmsError:
    return KmsError(sentence, code="KMSInternalException", status=500)


def dry_run() -> KmsError:
    return refusal(
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    )
