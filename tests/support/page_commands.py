"""The environment in which commands of the documentation are run."""

import os
from pathlib import Path


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a shell in the checkout, with a state folder in ``folder``."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name == "TESTBED_PORTS" or not name.startswith(("AWS_", "TESTBED_"))
    }
    return {**clean, "TESTBED_STATE": str(folder / "state")}
