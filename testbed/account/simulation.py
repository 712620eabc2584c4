"""IAM's policy simulator: SimulatePrincipalPolicy and SimulateCustomPolicy, without moto.

As in AWS, condition keys are those of the request, and of the identity that is simulated.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from testbed.account.identities import Identities
from testbed.account.why import someone
from testbed.documented import regions
from testbed.errors import ApiError, TestbedError
from testbed.kms.base import Caller
from testbed.kms.principals import principal
from testbed.policy.evaluate import Context, Decision, Policies, Request, evaluate
from testbed.policy.language import Kind, MalformedPolicyDocument, Policy, parse


def principal_policy(
    identities: Identities, caller: Caller, parameters: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Simulate the policies of a user or role, and more if the request has any."""
    simulated = _someone(identities, caller, parameters["PolicySourceArn"], now)
    own = identities.policies(simulated)
    policies = replace(own, identity=(*own.identity, *_policies(parameters, "PolicyInputList")))
    return _answer(simulated, policies, parameters)


def custom_policy(
    identities: Identities, caller: Caller, parameters: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Simulate the policies in the request alone, as those of ``CallerArn`` or the caller.

    The root user needs no policy, and a federated one has session policies too: in their place it
    is a user of the account.
    """
    who = parameters.get("CallerArn")
    simulated = _someone(identities, caller, who, now) if who else caller
    if simulated.kind in ("Root", "FederatedUser"):
        arn = regions.iam_arn(caller.region, caller.account, "user/simulated")
        simulated = Caller(arn, caller.account, "IAMUser", region=caller.region)
    return _answer(simulated, Policies(_policies(parameters, "PolicyInputList")), parameters)


def _someone(identities: Identities, caller: Caller, arn: str, now: float) -> Caller:
    try:
        return someone(identities, arn, caller.account, caller.region, now=now)
    except (TestbedError, ValueError):
        raise ApiError(
            f"The user or role {arn} cannot be found.", code="NoSuchEntity", status=404
        ) from None


def _answer(simulated: Caller, policies: Policies, parameters: Mapping[str, Any]) -> dict[str, Any]:
    boundaries = _policies(parameters, "PermissionsBoundaryPolicyInputList")
    if boundaries:
        policies = replace(policies, boundary=boundaries[0])
    if "ResourcePolicy" in parameters:
        resource = _parsed(parameters["ResourcePolicy"], "resource", "ResourcePolicy")
        policies = replace(policies, resource=resource)
    given = {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
        for entry in parameters.get("ContextEntries", ())
    }
    resources = parameters.get("ResourceArns") or ["*"]
    results = [
        _result(simulated, policies, action, arn, given)
        for action, arn in product(parameters["ActionNames"], resources)
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _result(
    simulated: Caller,
    policies: Policies,
    action: str,
    arn: str,
    given: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    own, missing = principal(simulated).context, list[str]()

    def find(key: str) -> Sequence[str]:
        values = given.get(key) or own.get(key, ())
        if not values:
            missing.append(key)
        return values

    request = Request(principal(simulated), action, arn, Context(find), simulated.account)
    decision = evaluate(request, policies)
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": arn,
        "EvalDecision": _word(decision),
        "MatchedStatements": list(_matched(decision)),
        "MissingContextValues": missing,
    }
    if policies.boundary:
        allowed = decision.allowed or decision.source != "permissions boundary"
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.statement else "implicitDeny"


def _matched(decision: Decision) -> Iterator[dict[str, Any]]:
    if decision.policy:
        yield {"SourcePolicyId": decision.policy.name, "SourcePolicyType": "IAM Policy"}


def _policies(parameters: Mapping[str, Any], member: str) -> tuple[Policy, ...]:
    texts = parameters.get(member, ())
    return tuple(
        _parsed(text, "identity", f"{member}.{number}") for number, text in enumerate(texts, 1)
    )


def _parsed(text: str, kind: Kind, name: str) -> Policy:
    try:
        return parse(text, kind, name)
    except MalformedPolicyDocument as error:
        raise ApiError(error.reason, code="InvalidInput", status=400) from error
