"""CreateTags, ListTags and DeleteTags, of brokers and of configurations."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testbed.aws.mq.context import Call, Context
from testbed.broker import refusals, rules
from testbed.broker.configurations import CustomerConfiguration
from testbed.broker.model import Broker

Tags = dict[str, str]


def create(context: Context, call: Call) -> dict[str, Any]:
    """Add tags, or replace their values."""
    added = call.parameters.get("Tags", {})
    return _amend(context, call, lambda tags: {**tags, **added})


def delete(context: Context, call: Call) -> dict[str, Any]:
    """Remove tags by their keys."""
    keys = call.parameters["TagKeys"]
    return _amend(
        context,
        call,
        lambda tags: {key: value for key, value in tags.items() if key not in keys},
    )


def list_tags(context: Context, call: Call) -> dict[str, Any]:
    """Return all tags of the resource."""
    return {"Tags": dict(_resource(context, call).tags)}


def _amend(context: Context, call: Call, change: Callable[[Tags], Tags]) -> dict[str, Any]:
    resource = _resource(context, call)

    def changed(tags: Tags) -> Tags:
        after = change(tags)
        rules.check_tags(after)
        return after

    if isinstance(resource, Broker):
        context.brokers.amend(
            resource.broker_id, lambda broker: replace(broker, tags=changed(dict(broker.tags)))
        )
    else:
        context.configurations.amend(
            resource.id, lambda stored: replace(stored, tags=changed(dict(stored.tags)))
        )
    return {}


def _resource(context: Context, call: Call) -> Broker | CustomerConfiguration:
    """Return the broker or configuration of the ARN in the path. Raises ``NotFoundException``."""
    arn = call.parameters["ResourceArn"]
    resources: list[Broker | CustomerConfiguration] = [
        *context.brokers.peek_all(call.caller),
        *context.configurations.of(call.caller),
    ]
    for resource in resources:
        if resource.arn == arn:
            return resource
    raise refusals.no_such_resource(arn)
