"""Decisions: the order of evaluation, accounts, grants, and what a decision says."""

import time
from dataclasses import replace

import pytest

from testbed.policy.evaluate import ADMINISTRATOR, Policies, Request, evaluate
from testbed.policy.language import Policy, parse
from testbed.policy.principals import Principal
from tests.support.policy_documents import (
    ACCOUNT,
    FEDERATED,
    KEY,
    OTHER,
    ROLE,
    ROOT,
    SERVICE,
    SESSION,
    STRANGER,
    STRANGERS_ROOT,
    USER,
    Context,
    allow,
    decide,
    deny,
    key_policy,
    policy,
    to,
)

NOTHING = policy(allow("s3:*"))
NO_IDENTITY = "because no identity-based policy allows the kms:Decrypt action"
NO_RESOURCE = "because no resource-based policy allows the kms:Decrypt action"
NO_BOUNDARY = "because no permissions boundary allows the kms:Decrypt action"
NO_SESSION = "because no session policy allows the kms:Decrypt action"


@pytest.mark.parametrize(
    ("caller", "name", "allowed"),
    [
        # From "Policy evaluation logic", the table "Resource-based policies and implicit denies in
        # other policy types (same account)".
        (SESSION, ROLE, False),
        (SESSION, SESSION, True),
        (USER, USER, True),
        (FEDERATED, USER, False),
        (FEDERATED, FEDERATED, True),
        (ROOT, ROOT, True),
        # From "Principal", section "IAM role principals": a wildcard is not limited.
        (SESSION, "*", True),
        (USER, "*", True),
        # Section "AWS account principals": the account delegates to its identity policies.
        (USER, ROOT, False),
        (SESSION, ACCOUNT, False),
    ],
)
def test_a_resource_policy_and_implicit_denies_elsewhere(
    caller: str, name: str, allowed: bool
) -> None:
    policies = Policies(resource=to(name), boundary=NOTHING, session=[NOTHING])
    assert decide(caller, policies).allowed is allowed


@pytest.mark.parametrize(
    ("caller", "name"), [(SESSION, ROLE), (FEDERATED, USER), (SESSION, SESSION), (USER, USER)]
)
def test_what_a_resource_policy_gives_needs_no_identity_policy(caller: str, name: str) -> None:
    session = [policy(allow())] if caller == FEDERATED else None
    decision = decide(caller, Policies(resource=to(name), session=session))
    assert (decision.allowed, decision.source) == (True, "resource-based policy")


# From "Policy evaluation logic", section "Evaluating policies within a single account".
@pytest.mark.parametrize(
    ("caller", "policies", "reason"),
    [
        (USER, Policies(), NO_IDENTITY),
        (USER, Policies([NOTHING]), NO_IDENTITY),
        (USER, Policies([NOTHING, ADMINISTRATOR]), ""),
        (USER, Policies([ADMINISTRATOR], boundary=NOTHING), NO_BOUNDARY),
        (USER, Policies([ADMINISTRATOR], boundary=policy(allow())), ""),
        (USER, Policies(boundary=ADMINISTRATOR), NO_IDENTITY),
        (SESSION, Policies([ADMINISTRATOR]), ""),
        (SESSION, Policies([ADMINISTRATOR], session=[NOTHING]), NO_SESSION),
        (SESSION, Policies([ADMINISTRATOR], session=[NOTHING, policy(allow())]), ""),
        (SESSION, Policies([NOTHING], session=[ADMINISTRATOR]), NO_IDENTITY),
        (FEDERATED, Policies([ADMINISTRATOR]), NO_SESSION),
        (FEDERATED, Policies([ADMINISTRATOR], session=[policy(allow())]), ""),
        (ROOT, Policies(), ""),
        (SERVICE, Policies(), NO_RESOURCE),
    ],
)
def test_within_an_account(caller: str, policies: Policies, reason: str) -> None:
    decision = decide(caller, policies)
    assert (decision.allowed, decision.reason) == (reason == "", reason)


@pytest.mark.parametrize(
    ("caller", "policies", "where"),
    [
        (USER, Policies([ADMINISTRATOR, policy(deny())]), "an identity-based policy"),
        (USER, Policies([ADMINISTRATOR], boundary=policy(deny())), "a permissions boundary"),
        (SESSION, Policies([ADMINISTRATOR], session=[policy(deny())]), "a session policy"),
        (USER, Policies(resource=key_policy(deny(Principal="*"))), "a resource-based policy"),
        (ROOT, Policies(resource=key_policy(deny(Principal={"AWS": ROOT}))),
         "a resource-based policy"),
    ],
)  # fmt: skip
def test_an_explicit_deny_overrides_every_allow(
    caller: str, policies: Policies, where: str
) -> None:
    decision = decide(caller, replace(policies, granted=lambda _: [USER]))
    assert not decision.allowed
    assert decision.reason == f"with an explicit deny in {where}"


# From "Cross-account policy evaluation logic": both accounts must allow.
@pytest.mark.parametrize(
    ("caller", "name", "identity", "reason"),
    [
        (STRANGER, STRANGER, [ADMINISTRATOR], ""),
        (STRANGER, STRANGERS_ROOT, [ADMINISTRATOR], ""),
        (STRANGER, "*", [ADMINISTRATOR], ""),
        (STRANGER, STRANGER, [], NO_IDENTITY),
        (STRANGER, "*", [NOTHING], NO_IDENTITY),
        (STRANGER, ROOT, [ADMINISTRATOR], NO_RESOURCE),
        (STRANGERS_ROOT, STRANGERS_ROOT, [], ""),
        (STRANGERS_ROOT, ROOT, [], NO_RESOURCE),
        (SERVICE, ROOT, [], NO_RESOURCE),
    ],
)
def test_across_accounts(caller: str, name: str, identity: list[Policy], reason: str) -> None:
    decision = decide(caller, Policies(identity, to(name)))
    assert (decision.allowed, decision.reason) == (reason == "", reason)


def test_across_accounts_a_role_that_is_named_needs_identity_policies() -> None:
    role, session = f"arn:aws:iam::{OTHER}:role/Ops", f"arn:aws:sts::{OTHER}:assumed-role/Ops/bob"
    assert decide(session, Policies([ADMINISTRATOR], to(role))).allowed
    assert decide(session, Policies(resource=to(role))).reason == NO_IDENTITY


def test_across_accounts_boundary_and_session_limit_whoever_is_named() -> None:
    session = f"arn:aws:sts::{OTHER}:assumed-role/Ops/bob"
    policies = Policies([ADMINISTRATOR], to(session))
    assert decide(session, policies).allowed
    assert decide(session, replace(policies, boundary=NOTHING)).reason == NO_BOUNDARY
    assert decide(session, replace(policies, session=[NOTHING])).reason == NO_SESSION


def test_a_service_needs_to_be_named() -> None:
    named = Policies(resource=key_policy(allow(Principal={"Service": SERVICE})))
    assert decide(SERVICE, named).allowed
    assert not decide("ec2.amazonaws.com", named).allowed


def test_an_allow_with_not_principal_excepts_whoever_is_named_in_any_way() -> None:
    others = key_policy(allow(NotPrincipal={"AWS": [ROLE, STRANGERS_ROOT]}))
    assert decide(USER, Policies(resource=others)).allowed
    assert not decide(SESSION, Policies(resource=others)).allowed
    assert not decide(STRANGER, Policies([ADMINISTRATOR], others)).allowed


# From the KMS Developer Guide, "Default key policy" and "Key policies in AWS KMS".
@pytest.mark.parametrize(
    ("caller", "name", "identity", "reason"),
    [
        (USER, ROOT, [ADMINISTRATOR], ""),
        (USER, ROOT, [], NO_IDENTITY),
        (ROOT, ROOT, [], ""),
        (USER, SESSION, [ADMINISTRATOR], NO_RESOURCE),
        (ROOT, USER, [], NO_RESOURCE),
        (USER, USER, [], ""),
        (SESSION, ROLE, [], ""),
    ],
)
def test_identity_policies_count_where_the_key_policy_delegates(
    caller: str, name: str, identity: list[Policy], reason: str
) -> None:
    decision = decide(caller, Policies(identity, to(name), delegates=True))
    assert (decision.allowed, decision.reason) == (reason == "", reason)


def test_of_several_allows_the_one_that_names_the_caller_most_closely_counts() -> None:
    both = key_policy(allow(Principal={"AWS": ROOT}), allow(Principal={"AWS": USER}))
    assert decide(USER, Policies(resource=both, boundary=NOTHING, delegates=True)).allowed


def test_trust_policies() -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    trust = Policies([ADMINISTRATOR], policy(statement, kind="trust"), delegates=True)
    assert decide(USER, trust, "sts:AssumeRole", ROLE).allowed
    assert not decide(USER, replace(trust, identity=()), "sts:AssumeRole", ROLE).allowed
    assert not decide(STRANGER, trust, "sts:AssumeRole", ROLE).allowed


@pytest.mark.parametrize(
    ("caller", "grantee", "allowed"),
    [
        (USER, USER, True),
        (SESSION, ROLE, True),
        (STRANGER, STRANGER, True),
        (SERVICE, SERVICE, True),
        (USER, SESSION, False),
        (SERVICE, USER, False),
        # A grant to an account leaves it to the account's identity policies.
        (USER, ROOT, False),
        (ROOT, ROOT, True),
    ],
)
def test_grants(caller: str, grantee: str, allowed: bool) -> None:
    closed = Policies(resource=to(f"arn:aws:iam::{ACCOUNT}:user/nobody"), delegates=True)
    decision = decide(caller, replace(closed, granted=lambda _: [grantee]))
    assert decision.allowed is allowed
    assert (decision.source == "grant") is allowed
    assert not decide(caller, replace(closed, granted=lambda _: [])).allowed


def test_a_grant_to_an_account_with_identity_policies() -> None:
    granted = Policies([ADMINISTRATOR], granted=lambda _: [ROOT], delegates=True)
    assert decide(USER, granted).allowed
    assert decide(USER, replace(granted, boundary=NOTHING)).reason == NO_BOUNDARY


def test_a_grant_to_a_role_is_limited_like_the_role() -> None:
    granted = Policies(granted=lambda _: [ROLE], delegates=True)
    assert decide(SESSION, granted).allowed
    assert decide(SESSION, replace(granted, session=[NOTHING])).reason == NO_SESSION


def test_grants_are_not_looked_up_when_a_policy_allows() -> None:
    def granted(_: Request) -> list[str]:
        raise AssertionError

    assert decide(USER, Policies(resource=to(USER), granted=granted)).allowed


def test_the_statement_and_the_policy_that_decided() -> None:
    statements = [deny("s3:*"), {**allow(), "Sid": "Use"}]
    named = parse({"Statement": statements}, "identity", "arn:aws:iam::aws:policy/X")
    decision = decide(USER, Policies([NOTHING, named]))
    assert decision.policy is named
    assert decision.statement is named.statements[1]
    assert (decision.statement.sid, decision.statement.index) == ("Use", 1)


# From "Troubleshoot access denied error messages".
@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        (Policies(), NO_IDENTITY),
        (Policies(resource=key_policy(deny(Principal="*"))),
         "with an explicit deny in a resource-based policy"),
    ],
)  # fmt: skip
def test_the_sentence_of_a_refusal(policies: Policies, reason: str) -> None:
    request = Request(Principal.of(USER), "kms:Decrypt", KEY)
    assert evaluate(request, policies).sentence(request) == (
        f"User: {USER} is not authorized to perform: kms:Decrypt on resource: {KEY} {reason}"
    )


def test_keys_of_the_context_have_no_case_and_share_their_values() -> None:
    context: Context = {"KMS:viaService": "a", "kms:ViaService": ["b", "c"]}
    request = Request(Principal.of(USER), "kms:Decrypt", KEY, context)
    assert request.values["kms:viaservice"] == ("a", "b", "c")
    assert request.values["aws:username"] == ("exampleuser",)
    given = Request(Principal.of(USER), "kms:Decrypt", KEY, {"aws:PrincipalArn": "other"})
    assert given.values["aws:principalarn"] == ("other",)


@pytest.mark.parametrize(
    ("resource", "account", "owner"),
    [
        (KEY, "", ACCOUNT),
        ("*", "", OTHER),
        ("arn:aws:s3:::bucket", "", OTHER),
        ("arn:aws:s3:::bucket", ACCOUNT, ACCOUNT),
    ],
)
def test_the_owner_of_a_resource(resource: str, account: str, owner: str) -> None:
    request = Request(Principal.of(STRANGER), "x:y", resource, account=account)
    assert request.owner == owner


def test_ten_thousand_decisions_a_second() -> None:
    condition = {
        "StringEquals": {"kms:EncryptionContext:user": "${aws:username}"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    identity = [
        policy(allow("kms:De*", f"arn:aws:kms:*:{ACCOUNT}:key/*", Condition=condition)),
        policy(deny(Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
    ]
    policies = Policies(identity, to(ROOT), delegates=True)
    context: Context = {
        "aws:SourceIp": "10.1.2.3",
        "aws:SecureTransport": "true",
        "kms:EncryptionContext:user": "exampleuser",
    }

    def rate() -> float:
        """Decisions in a second of this process's CPU time, whatever else the machine does."""
        start = time.process_time()
        for _ in range(1_000):
            assert decide(USER, policies, context=context).allowed
        return 1_000 / (time.process_time() - start)

    assert max(rate() for _ in range(5)) > 10_000
