"""Wildcards and policy variables.

A pattern is a tuple of literal strings and wildcards, so that no character of a variable's value
ever becomes a wildcard. A ``Template`` is a pattern in which variables are still open.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Literal

Values = Mapping[str, Sequence[str]]
"""A request's context: condition keys in lower case, each with its values."""


class Wildcard(Enum):
    """The two wildcards of the language."""

    ANY = "*"  # any number of characters
    ONE = "?"  # exactly one character


Part = str | Wildcard
Pattern = tuple[Part, ...]

Reach = Literal["text", "arn", "resource"]
"""What a pattern is matched with, and so how far a wildcard reaches.

In a text it reaches over everything. In a condition's ARN it stays within its segment (OPERATORS);
a pattern of fewer than six segments matches no ARN, except for ``*`` alone. In the Resource element
it stays within its segment unless it is a ``*`` that ends one (RESOURCE).
"""

_COLONS = 5  # in an ARN, before the part that names the resource; that part may have more
_VARIABLE = re.compile(
    r"""\$\{(?:
        (?P<character>[*?$])
      | (?P<key>[\w.:/=+@\ -]+)(?:,\s*'(?P<default>[^']*)'\s*)?
    )\}""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``; ``key`` is in lower case."""

    key: str
    default: str | None = None

    def value(self, values: Values) -> str | None:
        """Return the key's value, or the default. Several values are as good as none (MULTI)."""
        found = values.get(self.key, ())
        return found[0] if len(found) == 1 else self.default


@dataclass(frozen=True, slots=True)
class Template:
    """A pattern with variables, and how to match it. ``fixed`` is compiled if there are none."""

    parts: tuple[Part | Variable, ...]
    reach: Reach
    ignore_case: bool
    fixed: re.Pattern[str] | None = field(compare=False, repr=False)

    def matches(self, text: str, values: Values) -> bool | None:
        """Return whether the whole of ``text`` matches; None if a variable has no value."""
        if self.fixed is not None:
            return self.fixed.fullmatch(text) is not None
        pattern = self.resolve(values)
        if pattern is None:
            return None
        return _compile(pattern, self.reach, self.ignore_case).fullmatch(text) is not None

    def resolve(self, values: Values) -> Pattern | None:
        """Return the pattern for a request; None if a variable has no value (VARIABLES)."""
        resolved: list[Part] = []
        for part in self.parts:
            if not isinstance(part, Variable):
                resolved.append(part)
            elif (value := part.value(values)) is not None:
                resolved.append(value)
            else:
                return None
        return tuple(resolved)


def template(
    text: str,
    *,
    variables: bool,
    wildcards: bool = True,
    reach: Reach = "text",
    ignore_case: bool = False,
) -> Template:
    """Parse ``text``. Without ``variables``, as in Version 2008-10-17, ``${x}`` is plain text.

    In the Resource element variables stand after the fifth colon only (VARIABLES).
    """
    head = ""
    if reach == "resource" and variables:
        head = ":".join(text.split(":", _COLONS)[:_COLONS])
    parts = (
        *_parts(head, variables=False, wildcards=wildcards),
        *_parts(text[len(head) :], variables=variables, wildcards=wildcards),
    )
    pattern = tuple(part for part in parts if not isinstance(part, Variable))
    fixed = _compile(pattern, reach, ignore_case) if len(pattern) == len(parts) else None
    return Template(parts, reach, ignore_case, fixed)


def _parts(text: str, *, variables: bool, wildcards: bool) -> Iterator[Part | Variable]:
    start = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        yield from _literals(text[start : found.start()], wildcards=wildcards)
        start = found.end()
        if found["character"]:
            yield found["character"]
        else:
            yield Variable(found["key"].strip().lower(), found["default"])
    yield from _literals(text[start:], wildcards=wildcards)


def _literals(text: str, *, wildcards: bool) -> Iterator[Part]:
    pieces = re.split(r"(\*+|\?)", text) if wildcards else [text]
    for index, piece in enumerate(pieces):
        if index % 2:
            yield Wildcard(piece[0])
        elif piece:
            yield piece


@lru_cache(8192)
def _compile(pattern: Pattern, reach: Reach, ignore_case: bool) -> re.Pattern[str]:
    colons = sum(part.count(":") for part in pattern if isinstance(part, str))
    if reach == "arn" and colons < _COLONS and pattern != (Wildcard.ANY,):
        return re.compile(r"(?!)")  # matches nothing
    flags = re.DOTALL | (re.IGNORECASE | re.ASCII if ignore_case else re.NOFLAG)
    return re.compile("".join(_expression(pattern, reach)), flags)


def _expression(pattern: Pattern, reach: Reach) -> Iterator[str]:
    """Yield a regular expression that does not backtrack where it need not.

    The shortest match of a ``*`` and the text after it is good enough, so it is atomic, as in
    ``fnmatch``. That is not so where a ``*`` that crosses segments stands before one that does not;
    an ARN has room for five of these.
    """
    colons, atomic = 0, False
    last = max((at for at, part in enumerate(pattern) if part is Wildcard.ANY), default=-1)
    for at, part in enumerate(pattern):
        if isinstance(part, str):
            colons += part.count(":")
            yield re.escape(part)
            continue
        bounded = reach != "text" and colons < _COLONS and len(pattern) > 1
        character = "[^:]" if bounded else "."
        if part is Wildcard.ONE:
            yield character
            continue
        following = pattern[at + 1] if at + 1 < len(pattern) else ":"
        if reach == "resource" and isinstance(following, str) and following.startswith(":"):
            character = "."
        if atomic:
            yield ")"
        atomic = at != last and (character == "[^:]" or not bounded)
        yield f"(?>{character}*?" if atomic else f"{character}*" if at == last else f"{character}*?"
