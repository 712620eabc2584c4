"""CreateTags, ListTags and DeleteTags, of brokers and of configurations."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testbed.aws.mq import configurations, refusals
from testbed.aws.mq.creation import checked_tags
from testbed.aws.mq.room import Asked, Room
from testbed.broker.model import Broker
from testbed.broker.names import check_tag

Tags = dict[str, str]


def create(room: Room, asked: Asked) -> dict[str, Any]:
    new = asked.parameters.get("Tags", {})
    for key, value in new.items():
        check_tag(key, value)
    return _amended(room, asked, lambda tags: checked_tags({**tags, **new}))


def delete(room: Room, asked: Asked) -> dict[str, Any]:
    return _amended(
        room,
        asked,
        lambda tags: {
            key: value for key, value in tags.items() if key not in asked.parameters["TagKeys"]
        },
    )


def list_tags(room: Room, asked: Asked) -> dict[str, Any]:
    found = _broker(room, asked)
    return {"Tags": found.tags if found else configurations.of_arn(room, asked)["tags"]}


def _amended(room: Room, asked: Asked, change: Callable[[Tags], Tags]) -> dict[str, Any]:
    if found := _broker(room, asked):
        room.brokers.amend(
            found.broker_id, lambda stored: replace(stored, tags=change(dict(stored.tags)))
        )
    else:
        configurations.amend(
            room,
            configurations.of_arn(room, asked)["id"],
            lambda stored: {**stored, "tags": change(stored["tags"])},
        )
    return {}


def _broker(room: Room, asked: Asked) -> Broker | None:
    """The broker of the ARN in the path; None when that is a configuration's. Raises ``NotFoundException``."""
    arn = asked.parameters["ResourceArn"]
    if ":configuration:" in arn:
        return None
    found = next(
        (each for each in room.brokers.list(asked.caller) if asked.owns and each.arn == arn), None
    )
    if found is None:
        raise refusals.no_such_resource(arn)
    return found
