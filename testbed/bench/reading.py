"""TOML into frozen dataclasses, with one line for whatever is wrong. Pure but for the reading itself."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from testbed.errors import TestbedError

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """The file as a ``kind``, named after the file. Raises ``TestbedError``: which file, which field, what it should be."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise TestbedError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TestbedError(f"{path} is no TOML: {error}.") from error
    return build({"name": path.stem, **values}, kind, str(path))


def build(values: Mapping[str, Any], kind: type[T], where: str) -> T:
    """``values`` as a ``kind``, whose own checks (``ValueError``) are told with ``where``."""
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise TestbedError(
                f"{where}: there is no field {name!r}; there are {', '.join(known)}."
            )
        wanted = known[name].type
        given = float(value) if wanted is float and type(value) is int else value
        if isinstance(wanted, type) and type(given) is not wanted:
            raise TestbedError(
                f"{where}: {name} should be {_NAMES.get(wanted, wanted.__name__)}, not {value!r}."
            )
    try:
        return kind(
            **{
                name: float(value) if known[name].type is float else value
                for name, value in values.items()
            }
        )
    except (TypeError, ValueError) as error:
        raise TestbedError(f"{where}: {error}.") from error


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ``ValueError`` with the choice there is."""
    if value not in allowed:
        raise ValueError(f"{name} should be one of {', '.join(allowed)}, not {value!r}")


def within(name: str, value: float, least: float, most: float) -> None:
    """Raises ``ValueError`` with the range there is."""
    if not least <= value <= most:
        raise ValueError(f"{name} should be from {least:.12g} to {most:.12g}, not {value!r}")
