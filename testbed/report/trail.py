"""Records of the trail for people, one line each, and for programs, one JSON document in each line."""

import json
from collections.abc import Mapping
from typing import Any

from testbed.report.text import printable

OK = "ok"


def line(record: Mapping[str, Any]) -> str:
    """Time, event, who, what about, and what came of it: ``ok``, or the error's code and sentence."""
    words = (
        record["eventTime"],
        f"{record['eventName']:<32}",
        f"{who(record):<40}",
        what(record),
        result(record),
    )
    return printable("  ".join(word for word in words if word.strip())).replace("\n", " ")


def json_line(record: Mapping[str, Any]) -> str:
    """The record as it is, in ASCII: JSON escapes whatever else there is."""
    return json.dumps(record)


def who(record: Mapping[str, Any]) -> str:
    """The caller; of one in whose session a service called, both."""
    identity = record["userIdentity"]
    by = str(identity.get("invokedBy", ""))
    if "arn" not in identity:
        return by
    _, _, name = identity["arn"].rpartition(":")
    return f"{name} by {by}" if by else name


def what(record: Mapping[str, Any]) -> str:
    """The keys, aliases or broker that the call was about, without what all ARNs of an account have in common."""
    names = [resource["ARN"].split(":", 5)[-1] for resource in record.get("resources", ())]
    if not names:
        elements = {**(record["requestParameters"] or {}), **(record["responseElements"] or {})}
        found = (
            elements.get(name)
            for name in ("brokerName", "broker-id", "brokerId", "configuration-id", "id")
        )
        names = list(dict.fromkeys(str(name) for name in found if name))
    return " ".join(names)


def result(record: Mapping[str, Any]) -> str:
    """``ok``, or why not."""
    if "errorCode" not in record:
        return OK
    return (
        f"{record['errorCode']}: {record['errorMessage']}"
        if record.get("errorMessage")
        else record["errorCode"]
    )
