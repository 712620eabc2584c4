"""The recorded part of a request or an answer: the members in ``documented.cloudtrail``."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from testbed.documented.cloudtrail import Members, Shown
from testbed.errors import ApiError

HIDDEN = "***"
_WITHHELD = "The message is not recorded: it repeats a value that is not recorded."
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def lower_first(name: str) -> str:
    """Return a member's name in a record.

    ``KeyId`` is ``keyId``, and ``AWSAccountId`` is ``aWSAccountId`` (KMSG, CreateKey).
    """
    return name[:1].lower() + name[1:]


def visible(
    values: Mapping[str, Any], members: Members, name: Callable[[str], str] = lower_first
) -> dict[str, Any]:
    """Return the members of ``values`` that are recorded, without those of an impossible type."""
    shown = {}
    for member, rule in members.items():
        if member in values:
            value = _shown(values[member], rule)
            if value is not None:
                shown[name(member)] = value
    return shown


def message(error: ApiError, values: Mapping[str, Any], members: Members) -> str:
    """Return the sentence of ``error``, unless it repeats an unrecorded value of the request.

    Validators do: botocore's quotes the value that it refuses.
    """
    if any(text and text[:16] in error.message for text in _texts(_withheld(values, members))):
        return _WITHHELD
    return error.message


def _shown(value: Any, rule: Any) -> Any:
    """Return what is recorded of a value, None if nothing."""
    if rule is Shown.HIDDEN:
        return HIDDEN
    if rule is Shown.VALUE:
        return date(value) if isinstance(value, datetime) else _scalar(value)
    if isinstance(value, Mapping):
        return _shown_map(value, rule)
    return _shown_list(value, rule) if isinstance(value, list | tuple) else None


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else None


def _shown_map(value: Mapping[str, Any], rule: Any) -> Any:
    if rule is Shown.MAP:
        return {name: text for name, text in value.items() if isinstance(text, str)}
    return visible(value, rule) if isinstance(rule, Mapping) else None


def _shown_list(value: Sequence[Any], rule: Any) -> Any:
    if rule is Shown.LIST:
        return [item for item in value if isinstance(item, str | int)]
    if rule is Shown.TAGS:
        return [
            {"tagKey": tag["TagKey"], "tagValue": tag["TagValue"]} for tag in value if _is_tag(tag)
        ]
    if isinstance(rule, list):
        return [visible(item, rule[0]) for item in value if isinstance(item, Mapping)]
    return None


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, Mapping) and all(
        isinstance(tag.get(name), str) for name in ("TagKey", "TagValue")
    )


def date(when: datetime) -> str:
    """Return a time as CloudTrail writes it: ``Apr 12, 2021 6:58:30 PM`` (KMSG); UTC."""
    when = when.astimezone(UTC)
    day = f"{_MONTHS[when.month - 1]} {when.day}, {when.year}"
    return f"{day} {when.hour % 12 or 12}:{when:%M:%S} {'AM' if when.hour < 12 else 'PM'}"


def _withheld(values: Mapping[str, Any], members: Members) -> Iterator[Any]:
    """Yield every value in ``values`` that ``visible`` leaves out or hides."""
    for member, value in values.items():
        rule = members.get(member)
        if isinstance(rule, Mapping) and isinstance(value, Mapping):
            yield from _withheld(value, rule)
        elif rule is Shown.MAP and isinstance(value, Mapping):
            yield from (text for text in value.values() if not isinstance(text, str))
        elif isinstance(value, list | tuple) and (
            isinstance(rule, list) or rule in (Shown.TAGS, Shown.LIST)
        ):
            yield from _withheld_items(value, rule)
        elif rule is None or rule is Shown.HIDDEN or _shown(value, rule) is None:
            yield value


def _withheld_items(value: Sequence[Any], rule: Any) -> Iterator[Any]:
    if rule is Shown.TAGS:
        yield from (tag for tag in value if not _is_tag(tag))
    elif rule is Shown.LIST:
        yield from (item for item in value if not isinstance(item, str | int))
    else:
        for item in value:
            if isinstance(item, Mapping):
                yield from _withheld(item, rule[0])
            else:
                yield item


def _texts(values: Iterable[Any]) -> Iterator[str]:
    """Yield the ways in which values may stand in a sentence."""
    for value in values:
        if isinstance(value, Mapping):
            yield from _texts([*value.keys(), *value.values()])
        elif isinstance(value, list | tuple | set):
            yield from _texts(value)
        elif isinstance(value, bytes | bytearray):
            secret = bytes(value)
            yield from (
                repr(secret)[2:-1],
                secret.decode("latin-1"),
                secret.hex(),
                base64.b64encode(secret).decode(),
            )
        elif isinstance(value, str):
            yield from (value, repr(value)[1:-1])
        elif value is not None and not isinstance(value, bool):
            yield str(value)
