"""Debian packages that the engine and the images need."""

import fcntl
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from testbed.errors import TestbedError
from testbed.runtime import commands

logger = logging.getLogger(__name__)

_LOCK = Path("/var/log/testbed-apt.lock")  # apt itself gives up at once when another one is at work
_PATIENCE = 300  # seconds that apt waits for one that is not ours
_CONFIGURE = ["dpkg", "--configure", "-a"]  # what apt asks for after an interrupted installation


def can_install() -> bool:
    """Return whether packages can be installed from here: by root, with apt."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], why: str) -> None:
    """Install ``packages`` with apt, one process after the other.

    Raises ``TestbedError`` with the end of apt's output.
    """
    names = " ".join(packages)
    logger.info("installing Debian packages %s: %s", names, why)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    patient = ["apt-get", "-qq", "-o", f"DPkg::Lock::Timeout={_PATIENCE}"]
    command = [*patient, "install", "-y", "--no-install-recommends", *packages]
    with _LOCK.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _run([*patient, "update"], environment, names)
        try:
            _run(command, environment, names)
        except TestbedError as error:
            if " ".join(_CONFIGURE) not in str(error):
                raise
            logger.info("finishing an installation that was interrupted")
            _run(_CONFIGURE, environment, names)
            _run(command, environment, names)


def _run(command: list[str], environment: dict[str, str], names: str) -> None:
    code, output = commands.run(command, environment)
    if code:
        last = " ".join(output.strip().splitlines()[-3:])
        raise TestbedError(
            f"`{' '.join(command)}` failed: {last}",
            hint=f"Install {names} by hand and run the command again.",
        )
