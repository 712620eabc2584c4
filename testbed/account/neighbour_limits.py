"""What moto accepts and AWS does not, or behind which nothing would happen here: refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from testbed.documented.neighbours import NEIGHBOURS
from testbed.errors import ApiError
from testbed.policy.language import MalformedPolicyDocument, parse

Sent = Mapping[str, Any]


def check(service: str, operation: str, sent: Sent) -> None:
    """Raise ``ApiError`` for a request that moto would accept, and that would have no effect."""
    for limit in _LIMITS.get((service, operation), ()):
        if sentence := limit(sent):
            raise ApiError(sentence, code=NEIGHBOURS[service].invalid, status=400)


def _targets(sent: Sent) -> str:
    arns = (str(target.get("Arn", "")) for target in sent.get("Targets", ()))
    if not all(arn.split(":")[2:3] == ["logs"] for arn in arns):
        return "The testbed delivers events to log groups alone."
    if any("Input" in target or "InputPath" in target for target in sent.get("Targets", ())):
        return "The testbed delivers whole events, or what an InputTransformer makes of them."
    return ""


def _without(member: str, sentence: str) -> Callable[[Sent], str]:
    return lambda sent: sentence if sent.get(member) else ""


def _namespace(sent: Sent) -> str:
    """Return AWS's words for a namespace of its own, whichever it is."""
    of_aws = str(sent.get("Namespace", "")).startswith("AWS/")
    return "The value AWS/ for parameter Namespace is invalid." if of_aws else ""


def _metric_queries(sent: Sent) -> str:
    queries = sent.get("MetricDataQueries", ())
    if any("Expression" in query for query in queries):
        return "The testbed computes no metric math, and has no Metrics Insights."
    stats = {str(query.get("MetricStat", {}).get("Stat", "Sum")) for query in queries}
    if stats - _STATISTICS:
        return _PERCENTILES
    ids = [str(query.get("Id", "")) for query in queries]
    if not all(map(_QUERY_ID.fullmatch, ids)):
        return "The id of a query begins with a lower-case letter, and has letters, digits and _."
    if len(set(ids)) < len(ids):
        return "The ids of the queries must be unique."
    periods = (query.get("MetricStat", {}).get("Period", 60) for query in queries)
    return next(filter(None, map(_bad_period, periods)), "")


def _period(sent: Sent) -> str:
    return _bad_period(sent.get("Period", 60))


def _bad_period(period: int) -> str:
    """Return a sentence about a period that CloudWatch does not have (API reference)."""
    if period in (1, 5, 10, 20, 30) or period % 60 == 0:
        return ""
    return "The period is 1, 5, 10, 20, 30, or a multiple of 60 seconds."


def _parameter_name(sent: Sent) -> str:
    is_arn = str(sent.get("Name", "")).startswith("arn:")
    return "A parameter is put by its name, not by an ARN." if is_arn else ""


def _parameter_size(sent: Sent) -> str:
    """Return AWS's words for a value that is too long; a new version may be an advanced one."""
    tier = sent.get("Tier", "" if sent.get("Overwrite") else "Standard")
    most = 4096 if tier == "Standard" else 8192
    return _TOO_LONG[most] if len(str(sent.get("Value", ""))) > most else ""


def _retention(sent: Sent) -> str:
    days = sent.get("retentionInDays")
    if days in _RETENTIONS:
        return ""
    return f"The retention is one of {', '.join(map(str, _RETENTIONS))} days, not {days}."


def _group_class(sent: Sent) -> str:
    standard = sent.get("logGroupClass", "STANDARD") == "STANDARD"
    return "" if standard else "The testbed's log groups are of the class STANDARD."


def _secret_name(sent: Sent) -> str:
    """Return AWS's words for a name with other characters."""
    if _SECRET_NAME.fullmatch(str(sent.get("Name", ""))):
        return ""
    return (
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
        "following: -/_+=.@!"
    )


def _filter_pattern(sent: Sent) -> str:
    if _WORDS.fullmatch(str(sent.get("filterPattern", ""))):
        return ""
    return "The testbed finds log events by words, or by one phrase in quotes, alone."


def _one_of(*members: str) -> Callable[[Sent], str]:
    sentence = f"{' and '.join(members)} exclude each other."
    return lambda sent: sentence if all(member in sent for member in members) else ""


def _resource_policy(sent: Sent) -> str:
    try:
        parse(str(sent.get("policyDocument", "")), "resource")
    except MalformedPolicyDocument as error:
        return f"Invalid policy document: {error.reason}"
    return ""


# moto takes other patterns for none, and returns everything.
_WORDS = re.compile(r"\s*|[^\W\d_]\w*(\s+\w+)*|\"[^\"]*\"")
_BY_PREFIX = "The testbed finds log groups by the beginning of their names alone."
_SECRET_NAME = re.compile("[a-zA-Z0-9/_+=.@!-]+")
# Days; API reference of PutRetentionPolicy.
_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_QUERY_ID = re.compile("[a-z][a-zA-Z0-9_]*")
_STATISTICS = {"Average", "Maximum", "Minimum", "SampleCount", "Sum"}
_PERCENTILES = f"The testbed computes {', '.join(sorted(_STATISTICS))}, and no other statistics."
# The first as users quote it.
_TOO_LONG = {
    4096: "Standard tier parameters support a maximum parameter value of 4096 characters. To "
    "create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
    "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "parameter-store-advanced-parameters.html",
    8192: "Advanced tier parameters support a maximum parameter value of 8192 characters.",
}

_LIMITS: Mapping[tuple[str, str], tuple[Callable[[Sent], str], ...]] = {
    ("cloudwatch", "PutMetricData"): (
        _namespace,
        _without("EntityMetricData", "The testbed keeps no metrics of entities."),
    ),
    ("cloudwatch", "GetMetricData"): (_metric_queries,),
    ("cloudwatch", "GetMetricStatistics"): (
        _without("ExtendedStatistics", _PERCENTILES),
        _period,
    ),
    ("events", "CreateEventBus"): (
        _without("KmsKeyIdentifier", "The testbed encrypts no event buses."),
        _without("DeadLetterConfig", "The testbed has no dead-letter queues."),
        _without("LogConfig", "The testbed's event buses have no logs."),
    ),
    ("events", "PutTargets"): (_targets,),
    ("events", "PutRule"): (
        _without("ScheduleExpression", "The testbed has no schedules of EventBridge."),
    ),
    ("logs", "DescribeLogGroups"): (
        _without("logGroupNamePattern", _BY_PREFIX),
        _without("logGroupIdentifiers", _BY_PREFIX),
    ),
    ("logs", "FilterLogEvents"): (
        _filter_pattern,
        _one_of("logStreamNames", "logStreamNamePrefix"),
        _one_of("logGroupName", "logGroupIdentifier"),
    ),
    ("logs", "PutResourcePolicy"): (_resource_policy,),
    ("logs", "CreateLogGroup"): (
        _without("kmsKeyId", "The testbed encrypts no log groups."),
        _without("deletionProtectionEnabled", "The testbed protects no log groups from deletion."),
        _group_class,
    ),
    ("logs", "PutRetentionPolicy"): (_retention,),
    ("secretsmanager", "CreateSecret"): (
        _secret_name,
        _without("AddReplicaRegions", "The testbed replicates no secrets."),
    ),
    ("ssm", "PutParameter"): (
        _parameter_name,
        _parameter_size,
        _without("Policies", "The testbed has no parameter policies."),
    ),
}
