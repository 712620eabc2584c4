"""Text as every renderer writes it: from outside, made safe to show; and numbers."""

import re

from testbed.results import Verdict

# No output format can carry these: control characters (terminal escapes among them) except tab and
# newline, surrogates, and the two non-characters that XML 1.0 excludes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Return ``text`` with unprintable characters replaced by U+FFFD. It is not escaped."""
    return _UNPRINTABLE.sub("\ufffd", text)


def control(verdict: Verdict) -> str:
    """Return what became of a control, of which it is expected to fail."""
    return "fails, as it must" if verdict is Verdict.FAILS else f"{verdict.value}, but has to fail"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which adds an "s" unless there is one."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with as many digits as mean something."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def dash(value: float | None) -> str:
    """Return a number, or a dash if it was not measured."""
    return "-" if value is None else number(value)
