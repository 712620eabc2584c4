"""Records of the trail, one line each: as text for people, as JSON for programs."""

import json
from collections.abc import Mapping
from typing import Any

from testbed.report.text import printable

OK = "ok"


def line(record: Mapping[str, Any]) -> str:
    """Return time, event, caller, resources and result in one line of text."""
    words = (
        record["eventTime"],
        f"{record['eventName']:<32}",
        f"{who(record):<40}",
        what(record),
        result(record),
    )
    return printable("  ".join(word for word in words if word.strip())).replace("\n", " ")


def json_line(record: Mapping[str, Any]) -> str:
    """Return the record as JSON in ASCII."""
    return json.dumps(record)


def who(record: Mapping[str, Any]) -> str:
    """Return the caller, and the service that called in the caller's session if any."""
    identity = record["userIdentity"]
    by = str(identity.get("invokedBy", ""))
    if "arn" not in identity:
        return by
    _, _, name = identity["arn"].rpartition(":")
    return f"{name} by {by}" if by else name


def what(record: Mapping[str, Any]) -> str:
    """Return the keys, aliases or broker of the call, ARNs without their common prefix."""
    names = [resource["ARN"].split(":", 5)[-1] for resource in record.get("resources", ())]
    if not names:
        elements = {**(record["requestParameters"] or {}), **(record["responseElements"] or {})}
        values = (
            elements.get(member)
            for member in ("brokerName", "broker-id", "brokerId", "configuration-id", "id")
        )
        names = list(dict.fromkeys(str(value) for value in values if value))
    return " ".join(names)


def result(record: Mapping[str, Any]) -> str:
    """Return ``ok``, or the error's code and message."""
    if "errorCode" not in record:
        return OK
    return (
        f"{record['errorCode']}: {record['errorMessage']}"
        if record.get("errorMessage")
        else record["errorCode"]
    )
