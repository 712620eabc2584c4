"""Amazon Resource Names, and the shape of a KMS key's id."""

from dataclasses import dataclass
from functools import lru_cache

# A UUID, or the id of a multi-Region key (KMS, "Key identifiers").
KEY_ID = r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|mrk-[0-9a-fA-F]{32})"


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
