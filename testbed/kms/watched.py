"""What KMS answers to one call, as a value with a sentence of evidence: for scenarios and tests, where a refusal is a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.errors import KmsError
from testbed.kms.base import USER, Caller, Kms


@dataclass(frozen=True)
class Answer:
    """``code`` is AWS's error code, empty where the call was carried out."""

    code: str
    evidence: str

    @property
    def refused(self) -> bool:
        return bool(self.code)

    @property
    def denied(self) -> bool:
        return self.code == "AccessDeniedException"


def ask(kms: Kms, operation: str, parameters: Mapping[str, Any], caller: Caller = USER) -> Answer:
    """Make the call. An outage is a refusal too, and says so."""
    try:
        kms.call(caller, operation, parameters)
    except KmsError as error:
        return Answer(error.code, f"{operation} by {caller.principal} is refused: {error}")
    return Answer("", f"{operation} by {caller.principal} is carried out")
