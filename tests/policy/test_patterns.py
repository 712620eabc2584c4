"""Wildcards, ARNs and policy variables."""

import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.policy.patterns import Reach, template

BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket"


def matches(
    pattern: str,
    text: str,
    reach: Reach = "text",
    values: Mapping[str, Sequence[str]] | None = None,
    **options: bool,
) -> bool | None:
    made = template(pattern, variables=values is not None, reach=reach, **options)
    return made.matches(text, values or {})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", "anything: at all\n", True),
        ("?", "a", True),
        ("?", "", False),
        ("a*c", "abbbc", True),
        ("a*c", "ac", True),
        ("a*c", "acd", False),
        ("a**c", "abc", True),
        ("*a*b", "xaab", True),
        ("*ab?", "ab_abc", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("${x}", "${x}", True),
    ],
)
def test_wildcards_in_text(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def test_case_counts_unless_it_does_not() -> None:
    assert not matches("kms:Decrypt", "kms:decrypt")
    assert matches("kms:De*", "KMS:decrypt", ignore_case=True)
    assert not matches("kms:*", "\N{KELVIN SIGN}ms:Decrypt", ignore_case=True)


# From "IAM JSON policy elements: Resource", section "Using wildcards in resource ARNs".
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/1/test/object.jpg", True),
        ("/1/2/test/object.jpg", True),
        ("/1/2/test/3/object.jpg", True),
        ("/1/2/3/test/4/object.jpg", True),
        ("/1-test/object.jpg", False),
        ("/test/object.jpg", False),
        ("/1/2/test.jpg", False),
    ],
)
def test_a_wildcard_in_a_resource_crosses_slashes(path: str, expected: bool) -> None:
    assert matches(f"{BUCKET}/*/test/*", BUCKET + path, "resource") is expected


@pytest.mark.parametrize(
    ("pattern", "reach", "expected"),
    [
        # From "Condition operators", section "Amazon Resource Name (ARN) condition operators".
        ("arn:aws:someservice:*:111122223333:finance/*", "text", True),
        ("arn:aws:someservice:*:111122223333:finance/*", "arn", False),
        # From "Resource": only a * that ends a segment crosses colons.
        ("arn:aws:someservice:*:111122223333:finance/*", "resource", True),
        ("arn:aws:someservice:*2:111122223333:finance/*", "resource", False),
        ("arn:aws:someservice:us-*t-?:999999999999:*.txt", "resource", True),
        ("arn:aws:some*", "resource", True),
        ("*", "resource", True),
        ("*", "arn", True),
        ("arn:aws:someservice:*", "arn", False),
        ("arn:*:*:*:*:*", "arn", True),
        ("arn:aws:someservice:us-east-?:999999999999:store/*:*/document.txt", "arn", True),
        ("arn:aws:someservice?us-east-2:999999999999:store/abc*", "arn", False),
    ],
)
def test_how_far_a_wildcard_reaches_in_an_arn(pattern: str, reach: Reach, expected: bool) -> None:
    arn = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
    assert matches(pattern, arn, reach) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        # From "Variables and tags", sections "Resource element" and "Condition element".
        ("home/${aws:username}/", "home/alice/", True),
        ("home/${aws:username}/", "home/bob/", False),
        ("${AWS:UserName}", "alice", True),
        ("${aws:PrincipalTag/team}", "blue", True),
        # "Specifying default values"
        ("${aws:userid, 'anonymous'}", "anonymous", True),
        ("${aws:username, 'anonymous'}", "alice", True),
        ("${aws:PrincipalTag/none, 'a b'}-x", "a b-x", True),
        ("${aws:userid, ''}", "", True),
        # without a value or a default
        ("${aws:userid}", "${aws:userid}", None),
        ("${aws:userid}*", "anything", None),
        # "Special characters"
        ("a${*}c", "a*c", True),
        ("a${*}c", "abc", False),
        ("a${?}c", "a?c", True),
        ("a${?}c", "abc", False),
        ("${$}{x}", "${x}", True),
        # "You can't use a multivalued context key as a policy variable" (single-valued vs. multi)
        ("${aws:TagKeys}", "a", None),
        # a value's wildcards are characters
        ("${aws:PrincipalTag/star}", "*", True),
        ("${aws:PrincipalTag/star}", "abc", False),
        # not a variable
        ("${}", "${}", True),
        ("$aws:username", "$aws:username", True),
        ("${aws:username", "${aws:username", True),
    ],
)
def test_variables(pattern: str, text: str, expected: bool | None) -> None:
    values = {
        "aws:username": ["alice"],
        "aws:principaltag/team": ["blue"],
        "aws:principaltag/star": ["*"],
        "aws:tagkeys": ["a", "b"],
    }
    assert matches(pattern, text, values=values) is expected


def test_variables_stand_after_the_fifth_colon_of_a_resource() -> None:
    values = {"aws:username": ["alice"], "aws:principalaccount": ["111122223333"]}
    user = "arn:aws:iam::111122223333:user/alice"
    assert matches("arn:aws:iam::111122223333:user/${aws:username}", user, "resource", values)
    by_account = "arn:aws:iam::${aws:PrincipalAccount}:user/alice"
    assert not matches(by_account, user, "resource", values)
    assert matches(by_account, user, "arn", values), "in a condition they stand anywhere"


def test_a_pattern_of_many_wildcards_takes_no_time() -> None:
    text = "a" * 5_000
    start = time.perf_counter()
    assert not matches("*a" * 50 + "b", text)
    assert not matches("arn:aws:kms:" + "*a" * 50 + ":x", "arn:aws:kms:" + text, "resource")
    assert matches("${a" * 10_000, "x", values={}) is False
    assert time.perf_counter() - start < 5


ALPHABET = "ab:*?"


def glob(pattern: str, text: str, colon: bool = True) -> bool:
    """The definition, letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        skip = bool(text) and (colon or text[0] != ":") and glob(pattern, text[1:], colon)
        return skip or glob(pattern[1:], text, colon)
    one = bool(text) and (
        text[0] == pattern[0] or (pattern[0] == "?" and (colon or text[0] != ":"))
    )
    return one and glob(pattern[1:], text[1:], colon)


@settings(deadline=None)
@given(st.text(ALPHABET, max_size=10), st.text("ab:", max_size=10))
def test_wildcards_are_as_defined(pattern: str, text: str) -> None:
    assert matches(pattern, text) is glob(pattern, text)


def by_segment(pattern: str, arn: str) -> bool:
    patterns, segments = pattern.split(":", 5), arn.split(":", 5)
    if len(segments) < 6:
        return False
    *heads, last = zip(patterns, segments, strict=True)
    return all(glob(*head, False) for head in heads) and glob(*last)


@settings(deadline=None)
@given(
    st.lists(st.text("ab*?", max_size=4), min_size=6, max_size=7).map(":".join),
    st.lists(st.text("ab", max_size=4), min_size=5, max_size=8).map(":".join),
)
def test_arns_are_matched_segment_by_segment(pattern: str, arn: str) -> None:
    assert matches(pattern, arn, "arn") is by_segment(pattern, arn)


def crossing(pattern: str, arn: str, colons: int = 0) -> bool:
    """The definition for the Resource element, letter by letter."""
    if not pattern:
        return not arn
    if pattern[0] == "*":
        free = colons >= 5 or pattern.lstrip("*")[:1] in ("", ":")
        skip = bool(arn) and (free or arn[0] != ":") and crossing(pattern, arn[1:], colons)
        return skip or crossing(pattern[1:], arn, colons)
    if not arn or not (
        arn[0] == pattern[0] or (pattern[0] == "?" and (colons >= 5 or arn[0] != ":"))
    ):
        return False
    return crossing(pattern[1:], arn[1:], colons + (pattern[0] == ":"))


@settings(deadline=None)
@given(
    st.lists(st.text("ab*?", max_size=4), min_size=2, max_size=8).map(":".join),
    st.lists(st.text("ab", max_size=4), min_size=1, max_size=8).map(":".join),
)
def test_resources_are_as_defined(pattern: str, arn: str) -> None:
    assert matches(pattern, arn, "resource") is crossing(pattern, arn)
