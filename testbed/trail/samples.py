"""The CreateGrant events that the data-protection page shows for a RabbitMQ broker (DP).

They are repaired into valid JSON, and not changed otherwise: the page never closes
``responseElements`` and has trailing commas. The page shows one of a cluster's three events of
EBS; here it stands three times.
"""

import json
from importlib import resources
from typing import Any, Literal


def samples(deployment: Literal["single_instance", "cluster"]) -> tuple[dict[str, Any], ...]:
    """Return two records for a single instance, five for a cluster, in the page's order."""
    text = (resources.files("testbed.documented") / "samples" / f"{deployment}.json").read_text()
    return tuple(json.loads(text)["Records"])
