"""Text from outside, made safe to show."""

import re

# What no output format can carry: control characters (terminal escapes among them) except tab and
# newline, surrogates, and the two non-characters that XML 1.0 excludes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """``text`` with every character that cannot be shown replaced by U+FFFD; escaping stays the format's own."""
    return _UNPRINTABLE.sub("\ufffd", text)
