"""Documents: what is a policy, and AWS's words for what is not."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.policy.language import Kind, MalformedPolicyDocument, parse, size
from testbed.policy.principals import Principals

ALLOW = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
TO_ALL = {**ALLOW, "Principal": "*"}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
ALPHANUMERIC = (
    "Statement IDs (SID) must be alpha-numeric. "
    "Check that your input satisfies the regular expression [0-9A-Za-z]*"
)
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."


def document(*statements: Any, **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def reason(content: Any, kind: Kind) -> str:
    with pytest.raises(MalformedPolicyDocument) as caught:
        parse(content, kind)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


def test_a_policy_and_all_its_elements() -> None:
    statement = {
        "Sid": "Allow use of the key",
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ["111122223333", "444455556666"], "Service": "mq.amazonaws.com"},
        "NotAction": ["kms:Get*", "kms:List*"],
        "NotResource": "arn:aws:kms:*:111122223333:key/*",
        "Condition": {
            "Bool": {"aws:SecureTransport": True},
            "NumericLessThan": {"kms:RotationPeriodInDays": [90, "180.5"]},
            "Null": {"Example:Key": "false"},
        },
    }
    policy = parse(json.dumps(document(statement, Id="key policy")), "resource", "a name")
    assert (policy.version, policy.id, policy.name) == ("2012-10-17", "key policy", "a name")
    (parsed,) = policy.statements
    assert (parsed.sid, parsed.effect) == ("Allow use of the key", "Deny")
    assert (parsed.not_principal, parsed.not_action, parsed.not_resource) == (True, True, True)
    assert parsed.principals == Principals(
        (("AWS", "111122223333"), ("AWS", "444455556666"), ("Service", "mq.amazonaws.com"))
    )
    assert [(used.operator, used.key, used.values) for used in parsed.conditions] == [
        ("Bool", "aws:securetransport", ("true",)),
        ("NumericLessThan", "kms:rotationperiodindays", ("90", "180.5")),
        ("Null", "example:key", ("false",)),
    ]
    assert parsed.unknown == {"example:key"}


# "Grammar of the IAM JSON policy language": brackets around one value are optional, Version is too
def test_one_statement_and_one_value_need_no_brackets() -> None:
    one = {**TO_ALL, "Condition": {"StringLike": {"aws:username": "a*"}}}
    plain = parse({"Statement": one}, "resource")
    condition = {"StringLike": {"aws:username": ["a*"]}}
    lists = {**TO_ALL, "Action": ["kms:Decrypt"], "Resource": ["*"], "Condition": condition}
    assert plain == parse({"Version": "2008-10-17", "Statement": [lists]}, "resource")


@pytest.mark.parametrize(
    ("version", "applies"), [("2012-10-17", True), ("2008-10-17", False), (None, False)]
)
def test_variables_need_the_newer_version(version: str | None, applies: bool) -> None:
    """ "Variables and tags": "treated as literal strings in the policy" without the version."""
    user = "arn:aws:iam::111122223333:user/"
    content = {"Statement": {**ALLOW, "Resource": user + "${aws:username}"}}
    policy = parse(content if version is None else {**content, "Version": version}, "identity")
    (statement,) = policy.statements
    context = {"aws:username": ["alice"]}
    assert statement.applies("kms:Decrypt", user + "alice", context) is applies
    assert statement.applies("kms:Decrypt", user + "${aws:username}", context) is not applies


@pytest.mark.parametrize("text", ["", "{", "null", "5", "[]", '"{}"', "{}", "NaN", "[" * 100_000])
def test_text_that_is_no_policy(text: str) -> None:
    assert reason(text, "resource") == SYNTAX


def test_json_that_is_encoded_twice() -> None:
    assert reason(json.dumps(json.dumps(document(TO_ALL))), "resource") == SYNTAX


def test_an_element_that_stands_twice() -> None:
    """ "Individual elements must not contain multiple instances of the same key" (grammar)."""
    text = json.dumps(document(TO_ALL)).replace('"Effect"', '"Effect": "Deny", "Effect"', 1)
    assert reason(text, "resource") == SYNTAX


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # the sentences are in moto's iam/policy_validation.py, from AWS's answers
        ({"Version": "2012-10-17"}, SYNTAX),
        (document(), SYNTAX),
        (document("Allow"), SYNTAX),
        (document(ALLOW, Version="2012-10-18"), SYNTAX),
        (document(ALLOW, Version=["2012-10-17"]), SYNTAX),
        (document(ALLOW, Comment="x"), SYNTAX),
        (document(ALLOW, Id="x"), SYNTAX),
        (document({**ALLOW, "Comment": "x"}), SYNTAX),
        (document({**ALLOW, "Effect": "allow"}), SYNTAX),
        (document({**ALLOW, "Effect": ["Allow"]}), SYNTAX),
        (document({"Action": "kms:Decrypt", "Resource": "*"}), SYNTAX),
        (document({**ALLOW, "Sid": 5}), SYNTAX),
        (document({**ALLOW, "Action": 5}), SYNTAX),
        (document({**ALLOW, "Action": {}}), SYNTAX),
        (document({**ALLOW, "Action": ["kms:Decrypt", None]}), SYNTAX),
        (document({**ALLOW, "NotAction": "kms:Encrypt"}), SYNTAX),
        (document({**ALLOW, "NotResource": "*"}), SYNTAX),
        (document({**ALLOW, "Condition": "x"}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": "x"}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": {"aws:username": None}}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": {"aws:username": [["x"]]}}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringSame": {"aws:username": "x"}}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": {"username": "x"}}}), VENDOR),
        (document({**ALLOW, "Condition": {"NumericEquals": {"aws:x": "x"}}}), LEGACY),
        (document({**ALLOW, "Condition": {"DateEquals": {"aws:CurrentTime": True}}}), LEGACY),
        (document({**ALLOW, "Sid": "a"}, {**ALLOW, "Sid": "a"}),
         "Statement IDs (SID) in a single policy must be unique."),
        (document({**ALLOW, "Sid": "a b"}),
         ALPHANUMERIC),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document({**ALLOW, "Action": []}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "*"}), "Policy statement must contain resources."),
        (document({**ALLOW, "Resource": []}), "Policy statement must contain resources."),
        (document({**ALLOW, "Action": "Decrypt"}), VENDOR),
        (document({**ALLOW, "Action": "kms:"}), VENDOR),
        (document({**ALLOW, "Action": "kms:a:b"}), "Actions/Condition can contain only one colon."),
        (document({**ALLOW, "Action": "k_s:a"}), "Vendor k_s is not valid"),
        (document({**ALLOW, "Resource": "key"}), 'Resource key must be in ARN format or "*".'),
        (document({**ALLOW, "Resource": ["*", "*/*"]}),
         'Resource */* must be in ARN format or "*".'),
        # "Grammar": the principal "must not be included in identity-based policies"
        (document(TO_ALL), "Policy document should not specify a principal."),
    ],
)  # fmt: skip
def test_malformed_identity_policies(content: Any, expected: str) -> None:
    assert reason(content, "identity") == expected
    assert reason(json.dumps(content), "identity") == expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (None, "Missing required field Principal"),
        ({}, "Missing required field Principal"),
        ({"AWS": []}, "Missing required field Principal"),
        ("111122223333", SYNTAX),
        ({"AWS": 5}, SYNTAX),
        ({"AWS": "x"}, 'Invalid principal in policy: "AWS":"x"'),
        ({"aws": "*"}, 'Invalid principal in policy: "aws":"*"'),
        # "Principal": "You cannot use a wildcard to match part of a principal name or ARN"
        ({"AWS": "arn:aws:iam::111122223333:user/*"},
         'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"'),
    ],
)  # fmt: skip
def test_malformed_principals(principal: Any, expected: str) -> None:
    named = {} if principal is None else {"Principal": principal}
    with pytest.raises(MalformedPolicyDocument, match=r".") as caught:
        parse(document({**ALLOW, **named}), "resource")
    assert (caught.value.reason, caught.value.element) == (expected, "Principal")


def test_a_trust_policy_has_no_resource() -> None:
    assert parse(document(TRUST), "trust").statements[0].resources is None
    assert reason(document({**TRUST, "Resource": "*"}), "trust") == "Has prohibited field Resource"
    assert reason(document({**TRUST, "NotPrincipal": "*"}), "trust").startswith("Missing required")


def test_a_mapping_that_is_not_json() -> None:
    itself: dict[str, Any] = {}
    itself["Statement"] = itself
    for content in ({"Statement": {5j}}, itself, {"Version": float("nan")}):
        assert reason(content, "identity") == SYNTAX


def test_the_size_of_a_policy_is_without_white_space() -> None:
    """ "IAM doesn't count white space when calculating the size of a policy" (quotas)."""
    content = document(ALLOW)
    assert size(json.dumps(content, indent=4)) == size(json.dumps(content, separators=(",", ":")))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
WORDS = st.sampled_from(
    ["Version", "2012-10-17", "Id", "Statement", "Sid", "Effect", "Allow", "Deny", "Principal",
     "NotPrincipal", "AWS", "Service", "*", "111122223333", "Action", "NotAction", "kms:*",
     "Resource", "NotResource", "arn:aws:kms:*:*:key/${aws:username}", "Condition", "StringLike",
     "ForAnyValue:ArnLike", "NumericEquals", "DateLessThanIfExists", "Bool", "Null", "IpAddress",
     "aws:username", "kms:ValidTo", "true", "2026", "10.0.0.0/8", "${aws:username, 'x'}"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner, max_size=6)
    ),
    max_leaves=30,
)
NEARLY = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": WORDS | JSON,
        "Resource": WORDS | JSON,
    },
    optional={"Principal": JSON, "Condition": st.dictionaries(WORDS, JSON), "Sid": JSON},
)
KINDS: list[Kind] = ["identity", "resource", "trust"]


@settings(deadline=None)
@given(JSON | st.fixed_dictionaries({"Statement": NEARLY | st.lists(NEARLY)}),
       st.sampled_from(KINDS))  # fmt: skip
def test_any_json_parses_or_is_malformed(content: Any, kind: Kind) -> None:
    for form in (content, json.dumps(content)):
        if isinstance(form, str | Mapping):
            with suppress(MalformedPolicyDocument):
                parse(form, kind)


@settings(deadline=None)
@given(st.text(), st.sampled_from(KINDS))
def test_any_text_parses_or_is_malformed(text: str, kind: Kind) -> None:
    with suppress(MalformedPolicyDocument):
        parse(text, kind)
