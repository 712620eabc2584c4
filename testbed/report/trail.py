"""Records of the trail, one line each: as text for people, as JSON for programs."""

import json
import re
from collections.abc import Mapping
from typing import Any

from testbed.report.text import printable

OK = "ok"
_SUBJECTS = ("brokerName", "broker-id", "brokerId", "configuration-id", "id", "resource-arn")
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def line(record: Mapping[str, Any], names: Mapping[str, str] | None = None, width: int = 0) -> str:
    """Return time, event, caller, resources and result in one line of text.

    ``names`` has the names of brokers by their ids. With a ``width``, ids and names of services are
    shortened, and the line is cut there.
    """
    time, caller, subject = record["eventTime"], who(record), what(record, names)
    if width:
        time = f"{time[5:10]} {time[11:19]}"
        caller = caller.replace(".amazonaws.com", "")
        subject = _UUID.sub(r"\1…", subject)
    words = (time, f"{record['eventName']:<16}", f"{caller:<8}", subject, result(record))
    text = printable("  ".join(word for word in words if word.strip())).replace("\n", " ")
    return f"{text[: width - 1]}…" if 0 < width < len(text) else text


def json_line(record: Mapping[str, Any]) -> str:
    """Return the record as JSON in ASCII."""
    return json.dumps(record)


def who(record: Mapping[str, Any]) -> str:
    """Return the caller, and the service that called in the caller's session if any.

    A caller of another account has its account.
    """
    identity = record["userIdentity"]
    by = str(identity.get("invokedBy", ""))
    if "arn" not in identity:
        return by
    name = identity["arn"].rpartition(":")[2].removeprefix("user/").removeprefix("assumed-role/")
    account = identity.get("accountId")
    if account and account != record.get("recipientAccountId", account):
        name = f"{name} of {account}"
    return f"{name} by {by}" if by else name


def what(record: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Return the keys, aliases or broker of the call, ARNs without their common prefix.

    ``names`` has the names of brokers by their ids.
    """
    names = names or {}
    subjects = [resource["ARN"].split(":", 5)[-1] for resource in record.get("resources", ())]
    if not subjects:
        elements = {**(record["requestParameters"] or {}), **(record["responseElements"] or {})}
        subjects = [str(elements[member]) for member in _SUBJECTS if elements.get(member)]
    return " ".join(dict.fromkeys(names.get(subject, subject) for subject in subjects))


def result(record: Mapping[str, Any]) -> str:
    """Return ``ok``, or the error's code and message."""
    if "errorCode" not in record:
        return OK
    return (
        f"{record['errorCode']}: {record['errorMessage']}"
        if record.get("errorMessage")
        else record["errorCode"]
    )
