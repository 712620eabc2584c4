"""A record against a documented sample, member by member. Pure.

Ids, times, accounts, keys, addresses, user agents and the region may differ, but each has to have
the sample's form, and within a record they have to agree with each other (in the samples they do
not). Everything else has to equal the sample: no member more or fewer, no other operation,
principal or constraint.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.documented import regions

_ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """``path`` is a member's place in the record, e.g. ``requestParameters.operations``."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def _form(pattern: str) -> Callable[[Any, Any], bool]:
    compiled = re.compile(pattern)
    return lambda found, expected: isinstance(found, str) and bool(compiled.fullmatch(found))


def _newer(found: Any, expected: str) -> bool:
    """Accept the same major version and no older minor one: newer ones only add members (CTG)."""
    if not re.fullmatch(r"\d+\.\d+", str(found)):
        return False
    (major, minor), (sample_major, sample_minor) = (
        map(int, version.split(".")) for version in (found, expected)
    )
    return major == sample_major and minor >= sample_minor


def _address(found: Any, expected: str) -> bool:
    """Accept any address of a user, and a service's own name."""
    return (
        found == expected
        if expected.endswith(".amazonaws.com")
        else _form(r"[0-9a-fA-F.:]{3,39}")(found, expected)
    )


def _regional(found: Any, expected: str) -> bool:
    """Accept the same principal, whatever the region in its name."""
    return isinstance(found, str) and _without_region(found) == _without_region(expected)


_TIME = _form(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UUID = _form(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ACCOUNT = _form(r"\d{12}")
_KEY = _form(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
_ARN = _form(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:.+")
_SOMETHING = _form(r".+")

_MAY_DIFFER: Mapping[str, Callable[[Any, Any], bool]] = {
    "eventVersion": _newer,
    "eventTime": _TIME,
    "eventID": _UUID,
    "requestID": _UUID,
    "sharedEventID": _UUID,
    "awsRegion": _form(r"[a-z]{2}(-[a-z]+)+-\d"),
    "sourceIPAddress": _address,
    "userAgent": _SOMETHING,
    "recipientAccountId": _ACCOUNT,
    "userIdentity.principalId": _SOMETHING,
    "userIdentity.arn": _ARN,
    "userIdentity.accountId": _ACCOUNT,
    "userIdentity.accessKeyId": _form(r"(AKIA|ASIA)[A-Z0-9]{16}"),
    "userIdentity.userName": _SOMETHING,
    "userIdentity.sessionContext.sessionIssuer.principalId": _SOMETHING,
    "userIdentity.sessionContext.sessionIssuer.arn": _ARN,
    "userIdentity.sessionContext.sessionIssuer.accountId": _ACCOUNT,
    "userIdentity.sessionContext.sessionIssuer.userName": _SOMETHING,
    "userIdentity.sessionContext.attributes.creationDate": _TIME,
    "userIdentity.sessionContext.attributes.mfaAuthenticated": _form("true|false"),
    "requestParameters.keyId": _KEY,
    "requestParameters.granteePrincipal": _regional,
    "requestParameters.retiringPrincipal": _regional,
    "requestParameters.constraints.encryptionContextSubset.aws:ebs:id": _form(r"vol-[0-9a-f]+"),
    "responseElements.keyId": _KEY,
    # The API's own bounds: AWS's are 64 hexadecimal digits, LocalStack's UUIDs.
    "responseElements.grantId": _form(r"[0-9a-zA-Z-]{1,128}"),
    "resources[0].accountId": _ACCOUNT,
    "resources[0].ARN": _KEY,
}
# Only a session of the console has this member.
_MAY_BE_ABSENT = frozenset({"sessionCredentialFromConsole"})
_IN_ANY_ORDER = frozenset({"requestParameters.operations"})


def differences(record: Mapping[str, Any], sample: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return where ``record`` differs from ``sample``."""
    return (*_compare("", record, sample), *_disagreements(record))


def trail_differences(
    records: Sequence[Mapping[str, Any]], samples: Sequence[Mapping[str, Any]]
) -> tuple[Difference, ...]:
    """Return where ``records`` differ from ``samples``, one by one and in their order.

    Each has to be a distinct event, with its own grant and volume.
    """
    found: list[Difference] = []
    if len(records) != len(samples):
        found.append(Difference("Records", f"{len(samples)} events", f"{len(records)} events"))
    for number, (record, sample) in enumerate(zip(records, samples, strict=False), 1):
        found += [
            Difference(f"event {number}: {difference.path}", difference.expected, difference.found)
            for difference in differences(record, sample)
        ]
    for path in (
        "eventID",
        "responseElements.grantId",
        "requestParameters.constraints.encryptionContextSubset.aws:ebs:id",
    ):
        values = [value for record in records if (value := _at(record, path)) != _ABSENT]
        twice = sorted({value for value in values if values.count(value) > 1})
        found += [
            Difference(
                f"Records: {path}",
                "another in each event",
                f"{value} in {values.count(value)}",
            )
            for value in twice
        ]
    return tuple(found)


def _compare(path: str, found: Any, expected: Any) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        yield from _compare_members(path, found, expected)
    elif isinstance(expected, list) and isinstance(found, list):
        yield from _compare_items(path, found, expected)
    elif path in _MAY_DIFFER:
        if not _MAY_DIFFER[path](found, expected):
            yield Difference(path, f"one like {expected!r}", repr(found))
    elif type(found) is not type(expected) or found != expected:
        yield Difference(path, repr(expected), repr(found))


def _compare_members(
    path: str, found: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in dict.fromkeys((*expected, *found)):
        place = f"{path}.{name}" if path else name
        if name not in found:
            if place not in _MAY_BE_ABSENT:
                yield Difference(place, repr(expected[name]), _ABSENT)
        elif name not in expected:
            yield Difference(place, _ABSENT, repr(found[name]))
        else:
            yield from _compare(place, found[name], expected[name])


def _compare_items(path: str, found: list[Any], expected: list[Any]) -> Iterator[Difference]:
    if path in _IN_ANY_ORDER:
        expected, found = sorted(map(str, expected)), sorted(map(str, found))
    if len(found) != len(expected) or path in _IN_ANY_ORDER:
        if found != expected:
            yield Difference(path, repr(expected), repr(found))
    else:
        for number, pair in enumerate(zip(found, expected, strict=True)):
            yield from _compare(f"{path}[{number}]", *pair)


def _disagreements(record: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare the record with itself: one key, and the account and region of the key's ARN."""
    key = str(_at(record, "resources[0].ARN"))
    _, _, _, region, account, *_ = (*key.split(":"), "", "", "", "", "")
    expected = {
        "requestParameters.keyId": key,
        "responseElements.keyId": key,
        "awsRegion": region,
        "resources[0].accountId": account,
        "recipientAccountId": account,
        "userIdentity.accountId": account,
        "userIdentity.sessionContext.sessionIssuer.accountId": account,
    }
    for path, value in expected.items():
        found = _at(record, path)
        if found not in (_ABSENT, value):
            yield Difference(path, f"{value!r}, as in resources", repr(found))
    for path in ("requestParameters.granteePrincipal", "requestParameters.retiringPrincipal"):
        found = str(_at(record, path))
        here = regions.exists(region) and found.endswith(regions.host("", region))
        if found != _without_region(found) and not here:
            yield Difference(path, f"a principal of {region}", repr(found))


def _without_region(principal: str) -> str:
    """Return a principal without Region and the suffix of its partition, if it has them."""
    return re.sub(r"\.[a-z]{2,4}(-[a-z]+)+-\d\.amazonaws\..+", ".{region}", principal)


def _at(record: Any, path: str) -> Any:
    """Return the value at ``path``, or ``_ABSENT``."""
    for name in path.replace("[0]", ".0").split("."):
        if isinstance(record, list) and name.isdigit() and record:
            record = record[0]
        elif isinstance(record, Mapping) and name in record:
            record = record[name]
        else:
            return _ABSENT
    return record
