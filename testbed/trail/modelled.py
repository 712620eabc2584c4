"""What CloudTrail records of services whose model says what is secret: all but KMS and Amazon MQ.

Every member is recorded, as in CTG's samples of IAM and STS, except those that the model calls
sensitive, codes of MFA devices, and binary ones. Responses are recorded of changes alone.
"""

from functools import cache
from typing import Any

from botocore.model import Shape

from testbed import api_models
from testbed.documented.cloudtrail import Event, Members, Shown

_READ_ONLY = (
    "AssumeRole",
    "BatchGet",
    "Describe",
    "Filter",
    "Get",
    "List",
    "Lookup",
    "Simulate",
    "Test",
)
_CODES = {"TokenCode", "AuthenticationCode1", "AuthenticationCode2"}


@cache
def modelled_event(service: str, operation: str) -> Event:
    """Return what is recorded of an operation of a service by botocore's name."""
    model = api_models.operations(service)[operation]
    read_only = operation.startswith(_READ_ONLY)
    answers = not read_only or service == "sts"
    return Event(
        _members(model.input_shape),
        _members(model.output_shape) if answers and operation != "GetCallerIdentity" else {},
        read_only=read_only,
    )


def _members(shape: Shape | None, above: tuple[str, ...] = ()) -> Members:
    if shape is None or shape.name in above:
        return {}
    inside = (*above, shape.name)
    return {
        name: rule
        for name, member in shape.members.items()
        if name not in _CODES and (rule := _rule(member, inside)) is not None
    }


def _rule(shape: Shape, above: tuple[str, ...]) -> Any:
    """Return how a value is recorded, None if it is not."""
    if shape.metadata.get("sensitive") or shape.type_name == "blob":
        return None
    if shape.type_name == "structure":
        return _members(shape, above)
    if shape.type_name == "list":
        items = shape.member
        return [_members(items, above)] if items.type_name == "structure" else Shown.LIST
    return Shown.MAP if shape.type_name == "map" else Shown.VALUE
