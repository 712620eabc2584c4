"""Make text from outside safe to show."""

import re

# No output format can carry these: control characters (terminal escapes among them) except tab and
# newline, surrogates, and the two non-characters that XML 1.0 excludes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Return ``text`` with unprintable characters replaced by U+FFFD. It is not escaped."""
    return _UNPRINTABLE.sub("\ufffd", text)
