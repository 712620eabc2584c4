"""The CreateGrant events that the data-protection page shows for a RabbitMQ broker (DP), mended into valid JSON.

The page's own are not: ``responseElements`` is never closed, commas trail. Mending adds the brace after ``keyId`` and
takes the commas away, nothing else. The page shows one of a cluster's three events of EBS; here it stands three times.
"""

import json
from importlib import resources
from typing import Any, Literal


def samples(deployment: Literal["single_instance", "cluster"]) -> tuple[dict[str, Any], ...]:
    """Two records for a single instance, five for a cluster, in the page's order."""
    text = (resources.files("testbed.documented") / "samples" / f"{deployment}.json").read_text()
    return tuple(json.loads(text)["Records"])
