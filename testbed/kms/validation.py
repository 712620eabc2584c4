"""The first check: KMS's refusal of a malformed request, before anything else is examined."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.model import OperationModel
from botocore.validate import ParamValidator

from testbed import api_models, api_validation
from testbed.kms.refusals import invalid, refusal


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise the ``KmsError`` that a malformed request gets.

    It is a ``ValidationException``, or ``UnknownOperationException`` for an unknown operation.
    Operations can rely on the model's types and limits afterwards.
    """
    shape = _model(operation).input_shape
    try:
        errors = [] if shape is None else list(api_validation.errors(shape, parameters))
    except (TypeError, AttributeError, KeyError):
        # Not even the right type: what AWS's own clients say then.
        raise invalid(ParamValidator().validate(parameters, shape).generate_report()) from None
    for name, value in parameters.items():
        # AWS's clients take more for a date, and send it as one.
        if shape.members[name].type_name == "timestamp" and not isinstance(value, datetime):
            raise invalid(f"Invalid type for parameter {name}, value: {value}: not a datetime")
    # The model does not require a ciphertext, because some dry runs omit it.
    if (
        operation in ("Decrypt", "ReEncrypt")
        and "CiphertextBlob" not in parameters
        and not (parameters.get("DryRun") and parameters.get("DryRunModifiers"))
    ):
        errors.append(api_validation.null("ciphertextBlob"))
    if errors:
        raise invalid(api_validation.sentence(errors))


@cache
def _model(operation: str) -> OperationModel:
    operations = api_models.operations("kms")
    if operation not in operations:
        raise refusal("UnknownOperationException")
    return operations[operation]
