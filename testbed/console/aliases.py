"""The aliases of keys, as LocalStack keeps them: asking it directly is recorded nowhere."""

from collections.abc import Mapping, Sequence

from testbed.errors import KmsError
from testbed.kms.backend import Backend
from testbed.kms.base import Kms, root
from testbed.kms.key import Key


def aliases(kms: Kms, keys: Sequence[Key]) -> Mapping[str, tuple[str, ...]]:
    """Return the aliases of each key by its ARN; none while ``kms`` does not answer."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    try:
        for account, region in {(key.account, key.region) for key in keys}:
            caller = root(account, region)
            for alias in Backend(kms).list_all(caller, "ListAliases", "Aliases"):
                place = (account, region, alias.get("TargetKeyId", ""))
                found[place] = (*found.get(place, ()), alias["AliasName"])
    except KmsError:
        return {}
    return {key.arn: found.get((key.account, key.region, key.key_id), ()) for key in keys}
