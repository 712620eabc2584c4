"""Conditions: AWS's documented examples first, then what the operators leave to be said."""

from collections.abc import Sequence
from typing import Any

import pytest

from testbed.policy.conditions import OPERATORS, condition

Value = str | Sequence[str] | None
"""What a key has in the request: one value, several, or none since it is missing."""

TAGS = "aws:TagKeys"
JOB = "aws:PrincipalTag/job-category"
ROLE = "aws:PrincipalTag/role"
ATTRIBUTES = "dynamodb:requestedAttributes"
CONTEXT_KEYS = "kms:EncryptionContextKeys"
HOMES = ["", "home/", "home/${aws:username}/"]
SMALL = ["t1.*", "t2.*", "m3.*"]
RANGES = ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]
ISSUED = "2020-01-01T00:00:01Z"
BINARY = "QmluYXJ5VmFsdWVJbkJhc2U2NA=="
FINANCE = "arn:aws:someservice:*:111122223333:finance/*"
STORE = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
TOPIC = "arn:aws:sns:REGION:123456789012:TOPIC-ID"


def holds(operation: str, key: str, wanted: Any, value: Value) -> bool:
    """Whether the condition holds in a request of the user bob in which ``key`` has ``value``."""
    values = [wanted] if isinstance(wanted, str) else wanted
    context: dict[str, Sequence[str]] = {"aws:username": ["bob"]}
    if value is not None:
        context[key.lower()] = [value] if isinstance(value, str) else value
    return condition(operation, key, values, variables=True).holds(context)


@pytest.mark.parametrize(
    ("operation", "key", "wanted", "fulfilled", "unfulfilled"),
    [
        # From "Condition operators": string condition operators.
        ("StringEquals", JOB, "iamuser-admin", ["iamuser-admin"], ["IamUser-Admin", None]),
        ("StringLike", "s3:prefix", HOMES, ["", "home/", "home/bob/"], ["home/eve/", "home", None]),
        # Numeric condition operators.
        ("NumericLessThanEquals", "s3:max-keys", "10", ["10", "9.5"], ["11", None]),
        # Date condition operators.
        ("DateGreaterThan", "aws:TokenIssueTime", ISSUED, ["2020-01-01T00:00:02Z"], [ISSUED, None]),
        # Boolean condition operators.
        ("Bool", "aws:SecureTransport", "false", ["false"], ["true", None]),
        # Binary condition operators.
        ("BinaryEquals", "x:key", BINARY, [BINARY], ["QmluYXJ5", None]),
        # IP address condition operators; without a prefix it is one address.
        ("IpAddress", "aws:SourceIp", RANGES[0], ["203.0.113.255"], ["203.0.114.0", None]),
        ("IpAddress", "aws:SourceIp", RANGES, ["203.0.113.0", "2001:db8:1234:5678::7"], ["::1"]),
        ("IpAddress", "aws:SourceIp", "203.0.113.7", ["203.0.113.7"], ["203.0.113.8"]),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.7/24", ["10.0.0.1", None], ["203.0.113.8"]),
        # ARN condition operators.
        ("StringLike", "aws:SourceArn", FINANCE, [STORE], [None]),
        ("ArnLike", "aws:SourceArn", FINANCE, [], [STORE, None]),
        ("ArnEquals", "aws:SourceArn", TOPIC, [TOPIC], [f"{TOPIC}2", None]),
        # Condition operators with IfExists.
        ("StringLike", "ec2:InstanceType", SMALL, ["t2.micro"], ["c5.large", None]),
        ("StringLikeIfExists", "ec2:InstanceType", SMALL, ["t2.micro", None], ["c5.large"]),
        ("StringNotEqualsIfExists", "aws:RequestTag/a", "x", ["y", None], ["x"]),
        # Condition operator to check the existence of condition keys.
        ("Null", "aws:TokenIssueTime", "true", [None], [ISSUED]),
        ("Null", "aws:TokenIssueTime", "false", [ISSUED], [None]),
        # The note on missing keys under negated operators.
        ("StringNotLike", JOB, "a*", ["b", None], ["ab"]),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:sns:*:*:*", [STORE, None], [TOPIC]),
        # From "Conditions with multiple context keys or values": OR, and NOR if negated.
        ("StringEquals", ROLE, ["audit", "security"], ["audit", "security"], ["tester", None]),
        ("StringNotEquals", ROLE, ["audit", "security"], ["tester", None], ["audit", "security"]),
        # From "Creating a condition that tests multiple key values": both policies, and the note
        # on values that "resolve to an empty data set (for example, an empty string)".
        (
            "ForAllValues:StringLike",
            ATTRIBUTES,
            ["PostDateTime", "Message", "Tags"],
            [["PostDateTime", "Message"], None, ""],
            [["PostDateTime", "UserName"]],
        ),
        (
            "ForAnyValue:StringLike",
            ATTRIBUTES,
            ["ID", "PostDateTime", ""],
            [["UserName", "Message", "PostDateTime"]],
            [["UserName"], None, ""],
        ),
        # From "Multivalued context key examples": a Deny, and the Null condition beside it.
        (
            "ForAllValues:StringNotLike",
            TAGS,
            "key1*",
            [["key2:audit"], None],
            [["key1:legal"], ["key1:hr", "key1:personnel"], ["key1:hr", "key2:audit"]],
        ),
        ("Null", TAGS, "false", [["key1:hr"]], [None, ""]),
        # From "AWS KMS condition keys".
        (
            "ForAnyValue:StringEquals",
            CONTEXT_KEYS,
            "AppName",
            [["AppName", "Project"]],
            [["Project"], ["appname"], None],
        ),
        ("ForAnyValue:StringEqualsIgnoreCase", CONTEXT_KEYS, "AppName", [["appname"]], [["App"]]),
        (
            "ForAllValues:StringEquals",
            CONTEXT_KEYS,
            ["Department", "Project"],
            [["Project"], ["Department", "Project"], None],
            [["Department", "Stage"]],
        ),
        ("Null", CONTEXT_KEYS, "false", [["a"]], [None]),
        ("StringEquals", "kms:EncryptionContext:App", "Example", ["Example"], ["example", None]),
        ("StringEquals", "kms:EncryptionContext:user", "${aws:username}", ["bob"], ["alice", None]),
        ("StringLike", "kms:DataKeyPairSpec", "RSA*", ["RSA_2048"], ["ECC_NIST_P256", None]),
        ("StringNotEquals", "kms:EncryptionAlgorithm", "A", ["RSAES_OAEP_SHA_256", None], ["A"]),
        ("Null", "kms:BypassPolicyLockoutSafetyCheck", "true", [None], ["true", "false"]),
    ],
)
def test_documented_examples(
    operation: str, key: str, wanted: Any, fulfilled: list[Value], unfulfilled: list[Value]
) -> None:
    for value in fulfilled:
        assert holds(operation, key, wanted, value), value
    for value in unfulfilled:
        assert not holds(operation, key, wanted, value), value


@pytest.mark.parametrize(
    ("name", "fulfilled"),
    [
        ("Equals", {"2"}),
        ("NotEquals", {"1", "3"}),
        ("LessThan", {"1"}),
        ("LessThanEquals", {"1", "2"}),
        ("GreaterThan", {"3"}),
        ("GreaterThanEquals", {"2", "3"}),
    ],
)
def test_comparisons(name: str, fulfilled: set[str]) -> None:
    for family, wanted, values in (
        ("Numeric", "20.0", {"1": "-3", "2": "2e1", "3": "20.5"}),
        ("Date", "2026-11-28T12:00:00+02:00",
         {"1": "2026-11", "2": "2026-11-28T10:00Z", "3": "4102444800"}),
    ):  # fmt: skip
        holding = {
            label for label, value in values.items() if holds(family + name, "x:key", wanted, value)
        }
        assert holding == fulfilled, family


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026", "2026-01-01"),
        ("2026-03", "2026-03-01T00:00:00Z"),
        ("2026-03-01T12:30Z", "2026-03-01T13:30:00.0+01:00"),
        ("0", "1970-01-01"),
        ("1772323200", "2026-03-01"),
    ],
)
def test_the_same_date_in_two_forms(one: str, other: str) -> None:
    assert holds("DateEquals", "aws:CurrentTime", one, other)
    assert holds("DateEquals", "aws:CurrentTime", other, one)


@pytest.mark.parametrize(
    ("positive", "negated", "wanted", "value"),
    [
        ("NumericEquals", "NumericNotEquals", "5", "five"),
        ("NumericEquals", "NumericNotEquals", "5", "NaN"),
        ("DateEquals", "DateNotEquals", "2026", "tomorrow"),
        ("IpAddress", "NotIpAddress", "10.0.0.0/8", "mq.amazonaws.com"),
        ("IpAddress", "NotIpAddress", "10.0.0.0/8", "::1"),
        ("ArnLike", "ArnNotLike", "arn:aws:sns:*:*:*", "no ARN"),
    ],
)
def test_a_value_of_another_type_does_not_match(
    positive: str, negated: str, wanted: str, value: str
) -> None:
    assert not holds(positive, "x:key", wanted, value)
    assert holds(negated, "x:key", wanted, value)


def test_a_variable_without_a_value_fails_positive_and_negated_operators() -> None:
    for operation in ("StringLike", "StringNotLike", "StringEquals", "StringNotEquals"):
        assert not holds(operation, "s3:prefix", "${aws:userid}", "home")
    assert holds("StringLike", "s3:prefix", ["${aws:userid}", "home"], "home")


@pytest.mark.parametrize("operation", sorted(OPERATORS - {"Null"}))
def test_variables_work_in_string_and_arn_operators_alone(operation: str) -> None:
    if operation.startswith(("String", "Arn")):
        arn = "arn:aws:sns:us-east-1:111122223333:"
        assert holds(operation, "x:key", arn + "${aws:username}", arn + "bob") is (
            "Not" not in operation
        )
    elif operation == "Bool":
        assert not holds(operation, "x:key", "${x:key}", "true")
    else:
        with pytest.raises(ValueError, match=r".*"):
            condition(operation, "x:key", ["${aws:CurrentTime}"], variables=True)


def test_several_values_without_a_set_operator_do_not_match() -> None:
    assert not holds("StringEquals", TAGS, "a", ["a", "b"])
    assert not holds("StringEqualsIfExists", TAGS, ["a", "b"], ["a", "b"])
    assert holds("StringNotEquals", TAGS, "a", ["a", "b"])
    assert holds("StringEquals", TAGS, "a", ["a"])


def test_set_operators_with_missing_keys() -> None:
    assert holds("ForAllValues:StringEquals", TAGS, "a", [])
    assert not holds("ForAnyValue:StringNotEquals", TAGS, "a", None)
    assert holds("ForAnyValue:StringEqualsIfExists", TAGS, "a", None)
    assert holds("ForAnyValue:StringNotEquals", TAGS, "a", ["a", "b"])
    assert not holds("ForAnyValue:StringNotEquals", TAGS, ["a", "b"], ["a", "b"])


def test_no_values_in_the_policy_match_nothing() -> None:
    assert not holds("StringEquals", "x:key", [], "a")
    assert holds("StringNotEquals", "x:key", [], "a")


@pytest.mark.parametrize(
    "operation",
    ["", "Equals", "stringequals", "StringEqualsIfexists", "NullIfExists", ":StringEquals",
     "ForSomeValues:StringEquals", "ForAllValues:ForAnyValue:StringEquals", "IfExists"],
)  # fmt: skip
def test_unknown_operators(operation: str) -> None:
    with pytest.raises(LookupError):
        condition(operation, "x:key", ["a"], variables=True)


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("NumericEquals", "five"),
        ("NumericEquals", "1_000"),
        ("NumericEquals", "Infinity"),
        ("DateEquals", "28.11.2026"),
        ("DateEquals", "2026-13"),
        ("DateEquals", "0000"),
        ("IpAddress", "203.0.113"),
        ("IpAddress", "203.0.113.0/33"),
        ("IpAddress", "*"),
        ("Null", "yes"),
        ("BinaryEquals", "not base64!"),
        ("BinaryEquals", "ä"),
    ],
)
def test_values_that_an_operator_cannot_compare_with(operation: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        condition(operation, "x:key", [value], variables=True)


def test_every_operator_has_been_named() -> None:
    """The list of "IAM JSON policy elements: Condition operators"."""
    compared = ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    documented = {
        *(family + name for family in ("Numeric", "Date") for name in (*compared, "NotEquals")),
        *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"),
        *("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "IpAddress", "NotIpAddress"),
        *("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "Bool", "BinaryEquals", "Null"),
    }
    assert documented == OPERATORS
