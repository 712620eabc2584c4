"""What of a request or an answer is recorded: the members that ``documented.cloudtrail`` lists, and nothing else."""

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from testbed.documented.cloudtrail import Members, Shown
from testbed.errors import ApiError

HIDDEN = "***"
# LocalStack takes a key's id and its material from tags of these names; they are no tags, and the material is a secret.
_NOT_A_TAG = "_custom_"
_WITHHELD = "The message is not recorded: it repeats a value that is not recorded."
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def lower_first(name: str) -> str:
    """A member's name in a record: ``KeyId`` is ``keyId``, and ``AWSAccountId`` is ``aWSAccountId`` (KMSG, CreateKey)."""
    return name[:1].lower() + name[1:]


def visible(
    values: Mapping[str, Any], members: Members, name: Callable[[str], str] = lower_first
) -> dict[str, Any]:
    """The members of ``values`` that are recorded. One of a type that its member cannot have is left out."""
    shown = {}
    for member, how in members.items():
        if member in values:
            value = _shown(values[member], how)
            if value is not None:
                shown[name(member)] = value
    return shown


def message(error: ApiError, values: Mapping[str, Any], members: Members) -> str:
    """The sentence of ``error``, unless it repeats something of the request that is not recorded.

    Validators do: botocore's quotes the value that it refuses.
    """
    if any(text and text[:16] in error.message for text in _texts(_withheld(values, members))):
        return _WITHHELD
    return error.message


def _shown(value: Any, how: Any) -> Any:
    if how is Shown.VALUE:
        if isinstance(value, (str, int, float)):
            return value
        return date(value) if isinstance(value, datetime) else None
    if how is Shown.HIDDEN:
        return HIDDEN
    if how is Shown.MAP:
        return (
            {k: v for k, v in value.items() if isinstance(v, str)}
            if isinstance(value, Mapping)
            else None
        )
    if isinstance(how, Mapping):
        return visible(value, how) if isinstance(value, Mapping) else None
    if not isinstance(value, (list, tuple)):
        return None
    if how is Shown.LIST:
        return [each for each in value if isinstance(each, (str, int))]
    if how is Shown.TAGS:
        return [
            {"tagKey": tag["TagKey"], "tagValue": tag["TagValue"]} for tag in value if _is_tag(tag)
        ]
    return [visible(each, how[0]) for each in value if isinstance(each, Mapping)]


def _is_tag(tag: Any) -> bool:
    if (
        not isinstance(tag, Mapping)
        or not isinstance(tag.get("TagKey"), str)
        or not isinstance(tag.get("TagValue"), str)
    ):
        return False
    return not tag["TagKey"].startswith(_NOT_A_TAG)


def date(when: datetime) -> str:
    """A time in a request or an answer, as CloudTrail writes it: ``Apr 12, 2021 6:58:30 PM`` (KMSG); UTC."""
    when = when.astimezone(UTC)
    return f"{_MONTHS[when.month - 1]} {when.day}, {when.year} {when.hour % 12 or 12}:{when:%M:%S} {'AM' if when.hour < 12 else 'PM'}"


def _withheld(values: Mapping[str, Any], members: Members) -> Iterator[Any]:
    """Every value in ``values`` that ``visible`` leaves out or hides."""
    for member, value in values.items():
        how = members.get(member)
        if isinstance(how, Mapping) and isinstance(value, Mapping):
            yield from _withheld(value, how)
        elif isinstance(how, list) and isinstance(value, (list, tuple)):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _withheld(each, how[0])
                else:
                    yield each
        elif how is Shown.TAGS and isinstance(value, (list, tuple)):
            yield from (tag for tag in value if not _is_tag(tag))
        elif how is Shown.LIST and isinstance(value, (list, tuple)):
            yield from (each for each in value if not isinstance(each, (str, int)))
        elif how is Shown.MAP and isinstance(value, Mapping):
            yield from (each for each in value.values() if not isinstance(each, str))
        elif how is None or how is Shown.HIDDEN or _shown(value, how) is None:
            yield value


def _texts(values: Iterator[Any]) -> Iterator[str]:
    """The ways in which a value may stand in a sentence."""
    for value in values:
        if isinstance(value, Mapping):
            yield from _texts(iter([*value.keys(), *value.values()]))
        elif isinstance(value, (list, tuple, set)):
            yield from _texts(iter(value))
        elif isinstance(value, (bytes, bytearray)):
            value = bytes(value)
            yield from (
                repr(value)[2:-1],
                value.decode("latin-1"),
                value.hex(),
                base64.b64encode(value).decode(),
            )
        elif isinstance(value, str):
            yield from (value, repr(value)[1:-1])
        elif value is not None and not isinstance(value, bool):
            yield str(value)
