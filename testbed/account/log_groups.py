"""What a request of CloudWatch Logs is about, in the one way in which moto reads it. Pure."""

from collections.abc import Mapping
from typing import Any

from testbed.documented import regions
from testbed.kms.base import Caller

ANY_END = "*"  # no name of a stream has it


def by_name(caller: Caller, sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request with the name of the caller's group that it identifies, by name or ARN.

    Streams by the beginning of their names become one name that ends in ``ANY_END``. Most requests
    are returned as they are.
    """
    meant = dict(sent)
    own = regions.arn("logs", caller.region, caller.account, "log-group:")
    name = str(sent.get("logGroupIdentifier", "")).removesuffix(":*").removeprefix(own)
    if name and not name.startswith("arn:") and "logGroupName" not in sent:
        del meant["logGroupIdentifier"]
        meant["logGroupName"] = name
    if "logStreamNamePrefix" in sent and "logStreamNames" not in sent:
        meant["logStreamNames"] = [f"{sent['logStreamNamePrefix']}{ANY_END}"]
    return sent if meant == sent else meant
