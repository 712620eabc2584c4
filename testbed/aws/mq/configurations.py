"""The operations on configurations."""

import base64
from typing import Any

from testbed.aws import shapes
from testbed.aws.mq.context import Call, Context
from testbed.aws.mq.paging import page
from testbed.broker import refusals, rules
from testbed.broker.configurations import CustomerConfiguration, Revision
from testbed.documented.engines import LATEST_VERSION


def create(context: Context, call: Call) -> dict[str, Any]:
    """Create a configuration with the service's default as its first revision."""
    parameters, engine_type = call.parameters, call.parameters["EngineType"]
    rules.check_offered(parameters)
    return _described(
        context.configurations.create(
            call.caller,
            parameters["Name"],
            engine_type,
            parameters.get("EngineVersion") or LATEST_VERSION[engine_type],
            parameters.get("Tags", {}),
            shown_engine_type=call.sent["EngineType"],
        )
    )


def update(context: Context, call: Call) -> dict[str, Any]:
    """Add a revision, and return what was removed from it."""
    known = _configuration(context, call)
    configuration, warnings = context.configurations.update(
        call.caller,
        known.id,
        _text(call.parameters["Data"]),
        call.parameters.get("Description", ""),
    )
    return {
        **_described(configuration),
        "Warnings": [warning.describe() for warning in warnings],
    }


def describe(context: Context, call: Call) -> dict[str, Any]:
    """Return a configuration."""
    return _described(_configuration(context, call))


def list_configurations(context: Context, call: Call) -> dict[str, Any]:
    """Return all configurations of the caller."""
    rows, token = page(context.configurations.of(call.caller), call.parameters, "configurations")
    return {
        "Configurations": [_described(configuration) for configuration in rows],
        "MaxResults": call.parameters.get("MaxResults", 100),
        "NextToken": token,
    }


def list_revisions(context: Context, call: Call) -> dict[str, Any]:
    """Return all revisions of a configuration."""
    known = _configuration(context, call)
    rows, token = page(known.revisions, call.parameters, f"revisions of {known.id}")
    return {
        "ConfigurationId": known.id,
        "MaxResults": call.parameters.get("MaxResults", 100),
        "NextToken": token,
        "Revisions": [_shown(revision) for revision in rows],
    }


def describe_revision(context: Context, call: Call) -> dict[str, Any]:
    """Return a revision with its text."""
    known = _configuration(context, call)
    revision = known.find(call.parameters["ConfigurationRevision"])
    return {
        "ConfigurationId": known.id,
        "Data": base64.b64encode(revision.data.encode()).decode(),
        **_shown(revision),
    }


def delete(context: Context, call: Call) -> dict[str, Any]:
    """Delete a configuration, unless a broker has it or will have it."""
    known = _configuration(context, call)
    context.configurations.delete(call.caller, known.id, context.brokers.peek_all(call.caller))
    return {"ConfigurationId": known.id}


def _configuration(context: Context, call: Call) -> CustomerConfiguration:
    configuration_id = call.parameters["ConfigurationId"]
    return context.configurations.get(call.caller, configuration_id)


def _text(data: str) -> str:
    try:
        return shapes.decoded(data, "data").decode()
    except (shapes.Malformed, UnicodeDecodeError):
        raise refusals.bad("[data] must be the base64 of a text in UTF-8.", "data") from None


def _described(configuration: CustomerConfiguration) -> dict[str, Any]:
    return {
        "Arn": configuration.arn,
        "AuthenticationStrategy": "simple",
        "Created": configuration.created,
        "Description": configuration.latest.description,
        "EngineType": configuration.shown_engine_type,
        "EngineVersion": configuration.engine_version,
        "Id": configuration.id,
        "LatestRevision": _shown(configuration.latest),
        "Name": configuration.name,
        "Tags": dict(configuration.tags),
    }


def _shown(revision: Revision) -> dict[str, Any]:
    return {
        "Created": revision.created,
        "Description": revision.description,
        "Revision": revision.revision,
    }
