"""Parameters behind which nothing would happen here. They are refused, in plain words."""

from collections.abc import Callable, Mapping
from typing import Any

from testbed.errors import ApiError

Sent = Mapping[str, Any]


def check(service: str, operation: str, sent: Sent) -> None:
    """Raise ``ApiError`` for a request that moto would accept, and that would have no effect."""
    for limit in _LIMITS.get((service, operation), ()):
        if sentence := limit(sent):
            raise ApiError(sentence, code="ValidationException", status=400)


def _targets(sent: Sent) -> str:
    arns = (str(target.get("Arn", "")) for target in sent.get("Targets", ()))
    if all(arn.split(":")[2:3] == ["logs"] for arn in arns):
        return ""
    return "The testbed delivers events to log groups alone."


def _without(member: str, sentence: str) -> Callable[[Sent], str]:
    return lambda sent: sentence if sent.get(member) else ""


def _key_of_secret(sent: Sent) -> str:
    if sent.get("KmsKeyId", "alias/aws/secretsmanager") == "alias/aws/secretsmanager":
        return ""
    return "The testbed encrypts secrets under no key of the customer's."


_LIMITS: Mapping[tuple[str, str], tuple[Callable[[Sent], str], ...]] = {
    ("events", "PutTargets"): (_targets,),
    ("events", "PutRule"): (
        _without("ScheduleExpression", "The testbed has no schedules of EventBridge."),
    ),
    ("logs", "CreateLogGroup"): (_without("kmsKeyId", "The testbed encrypts no log groups."),),
    ("secretsmanager", "CreateSecret"): (
        _key_of_secret,
        _without("AddReplicaRegions", "The testbed replicates no secrets."),
    ),
    ("secretsmanager", "UpdateSecret"): (_key_of_secret,),
    ("ssm", "PutParameter"): (_without("Policies", "The testbed has no parameter policies."),),
}
