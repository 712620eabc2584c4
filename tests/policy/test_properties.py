"""What holds for every policy and request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from testbed.policy.evaluate import Decision, Policies, Request, evaluate
from testbed.policy.language import parse
from testbed.policy.principals import Principal
from tests.support import policy_reference as reference
from tests.support.policy_reference import Document, policies, statements

pytestmark = pytest.mark.nightly("random policies; every push has AWS's examples")


@dataclass(frozen=True)
class Case:
    """A request and the undecoded documents that it meets."""

    caller: str
    action: str
    resource: str
    context: dict[str, list[str]]
    identity: Sequence[Document]
    of_resource: Document | None
    boundary: Document | None
    session: Sequence[Document] | None
    delegates: bool

    def decide(self, **changed: Any) -> Decision:
        documents = {name: changed.get(name, getattr(self, name)) for name in DOCUMENTS}
        request = Request(Principal.of(self.caller), self.action, self.resource, self.context)
        of_resource, boundary, session = (documents[name] for name in DOCUMENTS[1:])
        return evaluate(
            request,
            Policies(
                identity=[parse(document, "identity") for document in documents["identity"]],
                resource=of_resource and parse(of_resource, "resource"),
                boundary=boundary and parse(boundary, "identity"),
                session=None if session is None else [parse(one, "identity") for one in session],
                delegates=self.delegates,
            ),
        )


DOCUMENTS = ("identity", "of_resource", "boundary", "session")


def cases(*effects: str) -> st.SearchStrategy[Case]:
    plain = policies(*effects)
    return st.builds(
        Case,
        caller=st.sampled_from(reference.CALLERS),
        action=st.sampled_from(reference.ACTIONS),
        resource=st.sampled_from(reference.RESOURCES),
        context=reference.CONTEXTS,
        identity=st.lists(plain, max_size=2),
        of_resource=st.none() | policies(*effects, named=True),
        boundary=st.none() | plain,
        session=st.none() | st.lists(plain, min_size=1, max_size=2),
        delegates=st.booleans(),
    )


CASES = cases("Allow", "Allow", "Deny")
EVERYTHING = {"Action": "*", "Resource": "*"}


def with_statement(document: Document | None, statement: Document) -> Document:
    return {
        "Version": "2012-10-17",
        "Statement": [*(document or {"Statement": []})["Statement"], statement],
    }


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_a_second_evaluator_decides_the_same(case: Case) -> None:
    assert case.decide().allowed is reference.allowed(
        case.caller,
        case.action,
        case.resource,
        case.context,
        identity=case.identity,
        of_resource=case.of_resource,
        boundary=case.boundary,
        session=case.session,
        delegates=case.delegates,
    )


@settings(deadline=None)
@given(CASES, st.sampled_from(DOCUMENTS))
def test_an_explicit_deny_wins(case: Case, where: str) -> None:
    deny: Document = {"Effect": "Deny", **EVERYTHING}
    if where == "of_resource":
        denied = case.decide(
            of_resource=with_statement(case.of_resource, {**deny, "Principal": "*"})
        )
    elif where == "boundary":
        denied = case.decide(boundary=with_statement(case.boundary, deny))
    else:
        documents = [*(getattr(case, where) or ()), with_statement(None, deny)]
        denied = case.decide(**{where: documents})
    assert not denied.allowed
    assert denied.reason.startswith("with an explicit deny in a")
    assert denied.statement is not None
    assert denied.statement.effect == "Deny"


@settings(deadline=None)
@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_statements_and_policies_does_not_matter(case: Case, random: Any) -> None:
    def shuffled(document: Document | None) -> Document | None:
        if document is None:
            return None
        return {
            **document,
            "Statement": random.sample(document["Statement"], len(document["Statement"])),
        }

    assert case.decide().allowed is case.decide(
        identity=[shuffled(document) for document in reversed(case.identity)],
        of_resource=shuffled(case.of_resource),
        boundary=shuffled(case.boundary),
        session=None if case.session is None else [shuffled(one) for one in reversed(case.session)],
    ).allowed  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    cases("Allow"),
    statements("Allow", named=False),
    statements("Allow", named=True),
)
def test_an_added_allow_takes_no_permission_away(case: Case, plain: Any, named: Any) -> None:
    assume(case.decide().allowed)
    for changed in (
        {"identity": [*case.identity, with_statement(None, plain)]},
        {"of_resource": with_statement(case.of_resource, named)},
        {"boundary": case.boundary and with_statement(case.boundary, plain)},
        {"session": case.session and [*case.session, with_statement(None, plain)]},
    ):
        assert case.decide(**changed).allowed


CONDITIONS = st.sampled_from(
    [
        {"Null": {reference.UNKNOWN: "true"}},
        {"Null": {reference.UNKNOWN: "false"}},
        {"StringEquals": {reference.UNKNOWN: "x"}},
        {"StringNotLike": {reference.UNKNOWN: "x"}},
        {"BoolIfExists": {reference.UNKNOWN: "x"}},
        {"ForAllValues:StringLike": {reference.UNKNOWN: "*"}},
        {"ForAnyValue:StringLikeIfExists": {reference.UNKNOWN: "*"}},
    ]
)


@settings(deadline=None)
@given(CASES, CONDITIONS)
def test_a_statement_with_an_unknown_key_never_allows(case: Case, unknown: Any) -> None:
    before = case.decide().allowed
    allow = {"Effect": "Allow", **EVERYTHING, "Condition": unknown}
    for changed in (
        {"identity": [*case.identity, with_statement(None, allow)]},
        {"of_resource": with_statement(case.of_resource, {**allow, "Principal": "*"})},
        {"boundary": case.boundary and with_statement(case.boundary, allow)},
        {"session": case.session and [*case.session, with_statement(None, allow)]},
    ):
        assert case.decide(**changed).allowed is before


@settings(deadline=None)
@given(CASES)
def test_a_refusal_says_why_and_a_permission_by_which_statement(case: Case) -> None:
    decision = case.decide()
    if decision.allowed:
        assert decision.reason == ""
        assert decision.source == "root user" or (
            decision.statement is not None and decision.statement.effect == "Allow"
        )
    else:
        assert decision.reason.startswith(("because no ", "with an explicit deny in a"))
