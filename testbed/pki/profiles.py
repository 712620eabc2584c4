"""The profiles in ``certs/``: what each kind of certificate says, and what is wrong with each bad one."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from testbed import paths
from testbed.errors import TestbedError

_GOOD = {path.stem: path for path in sorted(paths.data("certs").glob("*.toml"))}
_BAD = {path.stem: path for path in sorted(paths.data("certs").glob("bad/*.toml"))}
# The names that ``Authority.issue_bad`` takes: one per defect.
BAD = tuple(_BAD)


@dataclass(frozen=True)
class Profile:
    """One file of ``certs/``, ``{region}`` filled in.

    ``valid`` is in days from the moment of issue. ``signed_by`` is ``itself``, ``authority``, ``intermediate`` or
    ``stranger``. ``sends`` is what a server sends after its own certificate. ``path_length`` is None on all but
    authorities. ``refused_with`` is the verify code of OpenSSL that a client refuses it with, 0 where it is sound.
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


def good(name: str, region: str) -> Profile:
    """A sound profile: ``authority``, ``intermediate``, ``broker`` or ``client``. Raises ``TestbedError`` for any other."""
    return _profile(_GOOD, name, region)


def bad(name: str, region: str) -> Profile:
    """One of ``BAD``. Raises ``TestbedError`` for any other."""
    return _profile(_BAD, name, region)


def _profile(known: dict[str, Path], name: str, region: str) -> Profile:
    if name not in known:
        raise TestbedError(
            f"There is no certificate profile {name!r} here.",
            hint=f"There are: {', '.join(known)}.",
        )
    fields = {key: _filled(value, region) for key, value in _read(known[name]).items()}
    return Profile(name=name, **fields)


def _read(path: Path) -> dict[str, Any]:
    """The file's values, over those of the sound profile that it is ``like``."""
    values = tomllib.loads(path.read_text())
    like = values.pop("like", None)
    return {**_read(_GOOD[like]), **values} if like else values


def _filled(value: Any, region: str) -> Any:
    if isinstance(value, list):
        return tuple(_filled(item, region) for item in value)
    return value.format(region=region) if isinstance(value, str) else value
