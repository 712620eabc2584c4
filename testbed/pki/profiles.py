"""The profiles in ``certs/``: the contents of sound certificates, and the defects of bad ones."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from testbed import paths
from testbed.documented import regions
from testbed.documented.regions import DEFAULT_REGION
from testbed.errors import TestbedError


@dataclass(frozen=True)
class Profile:
    """One file of ``certs/``, with the domain of a Region's brokers for ``{mq}``.

    ``valid`` is in days from the time of issue. ``sends`` is what a server sends after its own
    certificate. ``path_length`` is None on all but authorities. ``refused_with`` is the OpenSSL
    verify code with which a client refuses it, 0 for a sound one.
    """

    name: str
    common_name: str
    rsa_bits: int
    valid: tuple[int, int]
    key_usage: tuple[str, ...]
    signed_by: Literal["itself", "authority", "intermediate", "stranger"]
    sends: tuple[Literal["intermediate", "authority"], ...]
    extended_key_usage: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    path_length: int | None = None
    refused_with: int = 0


def sound(name: str, region: str = DEFAULT_REGION) -> Profile:
    """Return the profile ``authority``, ``intermediate``, ``broker`` or ``client``.

    Raises ``TestbedError`` for an unknown name.
    """
    return _profile(_sound(), name, region)


def bad(name: str, region: str) -> Profile:
    """Return one of ``bad_names``. Raises ``TestbedError`` for an unknown name."""
    return _profile(_bad(), name, region)


def bad_names() -> tuple[str, ...]:
    """Return the names that ``Authority.issue_bad`` takes, one per defect."""
    return tuple(path.stem for path in sorted(_bad().glob("*.toml")))


def _sound() -> Path:
    return paths.data("certs")


def _bad() -> Path:
    return _sound() / "bad"


def _profile(folder: Path, name: str, region: str) -> Profile:
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise TestbedError(
            f"There is no certificate profile {name!r}.", hint=f"There are: {', '.join(known)}."
        )
    values = _read(folder / f"{name}.toml", region)
    return msgspec.convert({"name": name, **values}, Profile)


def _read(path: Path, region: str) -> dict[str, Any]:
    """Read a file; its values override those of the sound profile that it is ``like``."""
    values = tomllib.loads(path.read_text().replace("{mq}", regions.host("mq", region)))
    like = values.pop("like", None)
    return {**_read(_sound() / f"{like}.toml", region), **values} if like else values
