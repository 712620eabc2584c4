"""Amazon Resource Names, and the shapes of an account's number and a KMS key's id."""

import re
from dataclasses import dataclass
from functools import lru_cache

# A UUID, or the id of a multi-Region key (KMS, "Key identifiers").
KEY_ID = r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32})"

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)


def is_account(text: str) -> bool:
    """Return whether ``text`` has the form of an account's number."""
    return _ACCOUNT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Arn:
    """``arn:partition:service:region:account:resource``."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @staticmethod
    def parse(text: str) -> "Arn":
        """Return the parts of an ARN. Raises ``ValueError`` for anything else."""
        return _parse(text)

    @property
    def resource_id(self) -> str:
        """What follows the resource's type: the id in ``key/1234abcd-...``."""
        return self.resource.rpartition("/")[2]

    def __str__(self) -> str:
        place = f"{self.service}:{self.region}:{self.account}"
        return f"arn:{self.partition}:{place}:{self.resource}"


@lru_cache(maxsize=4096)
def _parse(text: str) -> Arn:
    prefix, *parts = text.split(":", 5)
    if prefix != "arn" or len(parts) != 5:
        raise ValueError(f"not an ARN: {text}")
    return Arn(*parts)
