"""Which kind of volumes new brokers get, and how large they are.

EBS is a block device, and so is its stand-in where the engine and its kernel have loop devices and
encryption in ext4; elsewhere it is files. EFS is files. All are encrypted.
"""

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from testbed.errors import TestbedError
from testbed.state.store import State
from testbed.storage.volumes import Kind

Wanted = Literal["auto", "block", "files"]
DEFAULT: Wanted = "files"
VARIABLE = "TESTBED_VOLUMES"  # of the environment: another default
SCALE = 0.02  # so that 200 GB are an image of 4 GB, which takes the disk that is written
_GB = 10**9
_UNIT = 2**20  # bytes; sizes are multiples of it
_KIND, _KEY = "settings", "volumes"


@dataclass(frozen=True)
class VolumeChoice:
    """What is ``wanted`` for EBS, and why block volumes do not attach here: "" if they do.

    ``lacking`` is None before it was tried. Block volumes have ``scale`` of the documented size.
    """

    wanted: Wanted = DEFAULT
    scale: float = SCALE
    lacking: str | None = None

    @property
    def kind(self) -> Kind | None:
        """The kind of a volume of EBS's, None before the trial."""
        if self.wanted != "auto":
            return self.wanted
        if self.lacking is None:
            return None
        return "files" if self.lacking else "block"

    def __str__(self) -> str:
        if self.wanted != "auto":
            return self.wanted
        if self.lacking is None:
            return "block or files, not tried yet"
        if self.lacking:
            return f"files, since block volumes do not attach: {self.lacking}"
        return "block"


def choose(state: State, *, wanted: Wanted | None = None, scale: float | None = None) -> None:
    """Say for the life of the folder what new volumes are like; ``auto`` is tried once more.

    Raises ``TestbedError`` for a ``scale`` that is no share.
    """
    if scale is not None and not 0 < scale <= 1:
        raise TestbedError(f"{scale!r} is not a share of a volume's size: above 0, and 1 at most.")
    known = chosen(state)
    if wanted is not None:
        known = replace(known, wanted=wanted, lacking=None)
    if scale is not None:
        known = replace(known, scale=scale)
    state.put(_KIND, _KEY, asdict(known))


def chosen(state: State) -> VolumeChoice:
    """Return what was chosen, and found. Raises ``TestbedError`` for an unknown ``VARIABLE``."""
    document = state.get(_KIND, _KEY)
    return VolumeChoice(**document) if document else VolumeChoice(_default())


def _default() -> Wanted:
    named = os.environ.get(VARIABLE) or DEFAULT
    known: dict[str, Wanted] = {wanted: wanted for wanted in get_args(Wanted)}
    if named not in known:
        raise TestbedError(f"{VARIABLE} is {named!r}.", hint=f"It may be {', '.join(known)}.")
    return known[named]


def kind(state: State, attempt: Callable[[], str]) -> Kind:
    """Return the kind of EBS's volumes. ``attempt`` attaches a block volume and says what failed.

    It is called once in the life of the folder; nothing is kept of one that raises. Hold a lock.
    """
    known = chosen(state)
    if known.kind is None:
        lacking = attempt()
        known = replace(chosen(state), lacking=lacking)  # another choice may have been made since
    state.put(_KIND, _KEY, asdict(known))
    assert known.kind
    return known.kind


def image_size(gigabytes: int, scale: float) -> int:
    """Return the bytes of the image that stands for a volume of so many gigabytes."""
    return math.ceil(gigabytes * _GB * scale / _UNIT) * _UNIT
