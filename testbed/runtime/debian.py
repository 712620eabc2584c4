"""Debian packages that the engine and the images need."""

import logging
import os
import shutil
from collections.abc import Sequence

from testbed.errors import TestbedError
from testbed.runtime import commands

logger = logging.getLogger(__name__)


def can_install() -> bool:
    """Return whether packages can be installed from here: by root, with apt."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], why: str) -> None:
    """Install ``packages`` with apt. Raises ``TestbedError`` with the end of apt's output."""
    names = " ".join(packages)
    logger.info("installing Debian packages %s: %s", names, why)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environment, names)
    _run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        environment,
        names,
    )


def _run(command: list[str], environment: dict[str, str], names: str) -> None:
    code, output = commands.run(command, environment)
    if code:
        last = " ".join(output.strip().splitlines()[-3:])
        raise TestbedError(
            f"`{' '.join(command)}` failed: {last}",
            hint=f"Install {names} by hand and run the command again.",
        )
