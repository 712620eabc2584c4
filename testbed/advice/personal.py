"""What in a name or a tag looks personal or confidential.

Amazon MQ documents the advice, not a check, so this is the testbed's own judgement. It would rather
miss something than be wrong: identifiers that organisations put into names every day (UUIDs, ARNs,
account ids, CIDR blocks, cost centres, host names, versions, dates, long numbers) are clean, and so
are names of persons, which look like any other. ``docs/advice.md`` lists what is found.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

MASK = "…"
_SHOWN = 2  # characters before the mask, so that one of several names can be told
_WORD = r"(?<![A-Za-z0-9])"  # no letter or digit before
_END = r"(?![A-Za-z0-9])"
# A host of a private network is a node's name, as in rabbit@node.internal; git@host is a URL.
_PRIVATE_DOMAIN = "internal|local|localhost|localdomain|lan|home|corp|svc|cluster|arpa"
_DATE = re.compile(r"(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])")
_SINCE_1970 = re.compile(r"1\d{9}(?:\d{3}){0,2}")  # in seconds, milliseconds or microseconds
# Issuers of 16 digits (Visa, Mastercard, Discover) and of 15 (American Express).
_CARD_ISSUER = re.compile(r"(?:4\d|5[1-5]|2[2-7]|60|65)\d{14}|3[47]\d{13}")


def _is_dialled(match: re.Match[str]) -> bool:
    """Whether the digits after a word for a telephone are a number, and not a date or a time."""
    number = match["number"]
    digits = re.sub(r"\D", "", number)
    return (
        7 <= len(digits) <= 15
        and not _DATE.match(number.strip())
        and not _SINCE_1970.fullmatch(digits)
    )


def _is_card(match: re.Match[str]) -> bool:
    """Whether an issuer has such numbers, and the check digit is right (Luhn)."""
    digits = re.sub(r"\D", "", match[0])
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    total = sum(value // 10 + value % 10 for value in doubled)
    return bool(_CARD_ISSUER.fullmatch(digits)) and total % 10 == 0


def _is_iban(match: re.Match[str]) -> bool:
    """Whether the check digits are right (ISO 7064, MOD 97-10)."""
    iban = re.sub(r"[ -]", "", match[0])
    number = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return 15 <= len(iban) <= 34 and int(number) % 97 == 1


@dataclass(frozen=True)
class _Kind:
    """A kind of data by its form, and by ``check`` where a form is not enough."""

    name: str
    form: re.Pattern[str]
    check: Callable[[re.Match[str]], bool] = lambda match: True


_KINDS = (
    _Kind(
        "a URL with credentials",
        re.compile(r"(?<=://)[^\s/?#@:]*:[^\s/?#@]+(?=@)"),
    ),
    _Kind(
        "an e-mail address",
        re.compile(
            r"(?<![\w.+%-])(?<!//)(?!(?:git|rabbit)@)[\w.+%-]*\w@(?:[\w-]+\.)+"
            rf"(?!(?:{_PRIVATE_DOMAIN}){_END})[^\W\d_]{{2,24}}(?![\w-])(?!:\S)",
            re.IGNORECASE,
        ),
    ),
    _Kind("a phone number", re.compile(r"(?<![\w.+])\+[1-9](?:[ ./()_-]{0,2}\d){7,14}(?!\w)")),
    _Kind(
        "a phone number",  # of the North American plan, as it is written there
        re.compile(
            rf"{_WORD}(?<!\d[-_. ])(?:1[-_. ])?"
            r"(?:\([2-9]\d{2}\)[ -]?\d{3}[-. ]|[2-9]\d{2}(?P<mark>[-_. ])\d{3}(?P=mark))\d{4}"
            rf"{_END}(?![-_.]\d)"
        ),
    ),
    _Kind(
        "a phone number",
        re.compile(
            r"(?<![a-z])(?:tel|telephone|phone|mobile|fax|whatsapp|call)[\W_]{0,3}"
            rf"(?P<number>\+?\d[-\d ._()/]{{5,20}}\d){_END}",
            re.IGNORECASE,
        ),
        _is_dialled,
    ),
    _Kind(
        "a card number",
        re.compile(
            rf"{_WORD}(?<!\d[-. ])"
            r"(?:\d{15,16}|\d{4}([- ])\d{4}\1\d{4}\1\d{4}|\d{4}([- ])\d{6}\2\d{5})"
            rf"{_END}(?![-. ]\d)"
        ),
        _is_card,
    ),
    _Kind(
        "a bank account number",
        re.compile(
            rf"{_WORD}[A-Z]{{2}}\d{{2}}(?:[ -]?[A-Z0-9]{{4}}){{2,7}}(?:[ -]?[A-Z0-9]{{1,3}})?{_END}"
        ),
        _is_iban,
    ),
    _Kind("an access key id", re.compile(rf"{_WORD}A[KS]IA[A-Z2-7]{{16}}{_END}")),
    _Kind(
        "a secret",  # tokens by the prefixes that their issuers give them, and private keys
        re.compile(
            rf"{_WORD}(?:gh[oprsu]_[A-Za-z0-9]{{36,}}|github_pat_\w{{22,}}|glpat-[\w-]{{20,}}"
            r"|xox[abeprs]-[A-Za-z0-9-]{10,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
            r"|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"
            r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
        ),
    ),
    _Kind(
        "a secret",  # a value with a digit behind the word for one, and no reference to a store
        re.compile(
            r"(?:password|passwd|pwd|passphrase|api[-_]?key|private[-_]?key"
            r"|secret[-_]?access[-_]?key|client[-_]?secret)\s*[=:]\s*"
            r"(?=\S*\d)(?P<value>[^\s:/{}]{6,})(?![^\s]*[:/])",
            re.IGNORECASE,
        ),
    ),
)


def recognise(text: str, label: str = "") -> tuple[str, ...]:
    """Return the kinds of data that ``text`` looks like, with an article; empty if it is clean.

    ``label`` is the key of a tag, which can tell what its value is: ``phone`` or ``password``.
    """
    prefix = _plain(f"{label}=") if label else ""
    found = _found(prefix + _plain(text))
    return tuple(dict.fromkeys(kind for kind, (_, end) in found if end > len(prefix)))


def mask(text: str) -> str:
    """Return ``text`` with no more than two characters of what ``recognise`` finds in it."""
    plain = _plain(text)
    for _, (start, end) in sorted(_found(plain), key=lambda found: found[1], reverse=True):
        plain = plain[: start + _SHOWN] + MASK + plain[end:]
    return plain


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)  # full-width characters read like plain ones


def _found(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Return kinds and places. What is found first is not found again as something else."""
    found: list[tuple[str, tuple[int, int]]] = []
    for kind in _KINDS:
        for match in filter(kind.check, kind.form.finditer(text)):
            if all(match.end() <= start or end <= match.start() for _, (start, end) in found):
                found.append((kind.name, match.span()))
    return found
