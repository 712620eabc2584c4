"""Conditions: operators, set operators, and what holds when a key is missing."""

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Literal

from testbed.policy.patterns import Values, template

SetOperator = Literal["", "ForAllValues", "ForAnyValue"]

Test = Callable[[str, Values], bool | None]
"""Whether a request's value matches one of the policy's; None if a variable there has no value."""


@dataclass(frozen=True)
class Condition:
    """One key under one operator. ``key`` is in lower case; ``values`` are as written.

    ``operator`` is the bare name, such as ``StringLike`` for ``ForAnyValue:StringLikeIfExists``.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    set_operator: SetOperator
    if_exists: bool
    negated: bool
    tests: tuple[Test, ...] = field(compare=False, repr=False)

    def holds(self, context: Values) -> bool:
        """Return whether a request's context satisfies the condition.

        Several values in the policy are joined by OR, or by NOR under a negated operator (MULTI).
        A key with several values needs a set operator. AWS leaves open what happens without one;
        here the values do not match, so that only a negated operator is satisfied.
        """
        present = context.get(self.key, ())
        if self.operator == "Null":
            return any(value == str(not any(present)).lower() for value in self.values)
        if not present:
            return self.if_exists or self.set_operator == "ForAllValues" or self._holds_alone()
        if self.set_operator:
            present = [value for value in present if value]  # an empty string is no member (MULTI)
            quantify = all if self.set_operator == "ForAllValues" else any
            return quantify(self._matches(value, context) for value in present)
        return self._matches(present[0], context) if len(present) == 1 else self.negated

    def _holds_alone(self) -> bool:
        """Without the key a negated operator matches, but no member of an empty set does."""
        return self.negated and self.set_operator != "ForAnyValue"

    def _matches(self, value: str, context: Values) -> bool:
        if self.negated:
            # A variable without a value fails any attempt to match it (VARIABLES).
            return all(test(value, context) is False for test in self.tests)
        return any(test(value, context) for test in self.tests)


def condition(operation: str, key: str, values: Sequence[str], *, variables: bool) -> Condition:
    """Build the condition that a policy writes as ``{operation: {key: values}}``.

    Raises ``LookupError`` for an unknown operator, ``ValueError`` for a value that the operator
    cannot compare with.
    """
    prefix, _, name = operation.rpartition(":")
    bare = name.removesuffix("IfExists")
    if operation.startswith(":") or prefix not in _SET_OPERATORS or bare not in _OPERATORS:
        raise LookupError(f"unknown operator {operation}")
    if name == "NullIfExists":
        raise LookupError("Null has no form with IfExists")
    prepare, negated = _OPERATORS[bare]
    wanted = tuple(value.lower() for value in values) if bare == "Null" else tuple(values)
    tests = tuple(prepare(value, variables) for value in wanted)
    set_operator = _SET_OPERATORS[prefix]
    return Condition(bare, key.lower(), wanted, set_operator, bare != name, negated, tests)


def _text(wanted: str, variables: bool, *, ignore_case: bool = False) -> Test:
    return template(wanted, variables=variables, wildcards=False, ignore_case=ignore_case).matches


def _like(wanted: str, variables: bool) -> Test:
    return template(wanted, variables=variables).matches


def _arn(wanted: str, variables: bool) -> Test:
    return template(wanted, variables=variables, reach="arn").matches


def _compared(
    wanted: str, _: bool, *, read: Callable[[str], Any], compare: Callable[[Any, Any], bool]
) -> Test:
    """Compare what ``read`` makes of both values. A request's value may be unreadable: no match."""
    right = read(wanted)

    def test(value: str, _: Values) -> bool:
        try:
            return compare(read(value), right)
        except ValueError:
            return False

    return test


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,9})?", text, re.ASCII):
        raise ValueError(f"not a number: {text}")
    return Decimal(text)


def _date(text: str) -> float:
    """Return seconds since 1970. ``text`` is that number, or a date in W3C's profile of ISO 8601.

    A date without a zone is in UTC, and four digits are a year.
    """
    if re.fullmatch(r"([0-9]{5,15}|-[0-9]{1,15}|[0-9]{1,3})(\.[0-9]{1,9})?", text, re.ASCII):
        return float(text)
    if re.fullmatch(r"[0-9]{4}(-[0-9]{2})?", text, re.ASCII):
        text += "-01-01" if len(text) == len("2026") else "-01"
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError(f"not a date: {text}") from error


def _truth(text: str) -> str:
    return text.lower()


def _null(text: str) -> str:
    if text not in ("true", "false"):
        raise ValueError(f"neither true nor false: {text}")
    return text


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {text}") from error


@lru_cache(1024)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def _in_network(wanted: str, _: bool) -> Test:
    if "/" not in wanted:
        _address(wanted)
    network = ipaddress.ip_network(wanted, strict=False)

    def test(value: str, _: Values) -> bool:
        try:
            return _address(value) in network
        except ValueError:
            return False

    return test


def _family(read: Callable[[str], Any], name: str) -> dict[str, tuple[Any, bool]]:
    comparisons = {
        "Equals": operator.eq,
        "LessThan": operator.lt,
        "LessThanEquals": operator.le,
        "GreaterThan": operator.gt,
        "GreaterThanEquals": operator.ge,
    }
    family = {
        name + suffix: (partial(_compared, read=read, compare=compare), False)
        for suffix, compare in comparisons.items()
    }
    return family | {f"{name}NotEquals": (family[f"{name}Equals"][0], True)}


_SET_OPERATORS: dict[str, SetOperator] = {
    "": "",
    "ForAllValues": "ForAllValues",
    "ForAnyValue": "ForAnyValue",
}
_OPERATORS: dict[str, tuple[Callable[[str, bool], Test], bool]] = {
    "StringEquals": (_text, False),
    "StringNotEquals": (_text, True),
    "StringEqualsIgnoreCase": (partial(_text, ignore_case=True), False),
    "StringNotEqualsIgnoreCase": (partial(_text, ignore_case=True), True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
    "Bool": (partial(_compared, read=_truth, compare=operator.eq), False),
    "BinaryEquals": (partial(_compared, read=_binary, compare=operator.eq), False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "Null": (partial(_compared, read=_null, compare=operator.eq), False),
    **_family(_number, "Numeric"),
    **_family(_date, "Date"),
}
OPERATORS = frozenset(_OPERATORS)
"""The names of all operators, without set operator and ``IfExists``."""
