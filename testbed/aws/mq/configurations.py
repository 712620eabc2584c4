"""Customer configurations and their revisions. What may be in one is the engines' business: here they are kept.

A revision is kept as it was left by the service's sanitising, and never changes.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from testbed.aws.mq import refusals
from testbed.aws.mq.paging import page
from testbed.aws.mq.room import Asked, Room
from testbed.broker.names import check_tag
from testbed.broker.pending import Configuration
from testbed.documented import activemq_elements, rabbitmq_keys
from testbed.documented.engines import DEFAULT_VERSION, REGION, VERSIONS
from testbed.documented.instance_types import DISPLAY_NAMES
from testbed.engines.activemq import configuration as activemq_configuration
from testbed.engines.rabbitmq import configuration as rabbitmq_configuration
from testbed.errors import ConflictException
from testbed.kms.base import USER_ACCOUNT

Document = dict[str, Any]
_KIND = "configuration"
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,150}")  # API, with the sentence
_NAME_SENTENCE = (
    "A configuration name can contain only alphanumeric characters, dashes, periods, underscores, and tildes (- . _ ~), "
    "and must be 1-150 characters long."
)
_REVISIONS = 300  # LIM
_SANITIZE = {
    "ACTIVEMQ": activemq_configuration.sanitize,
    "RABBITMQ": rabbitmq_configuration.sanitize,
}
_DEFAULTS = {"ACTIVEMQ": activemq_elements.DEFAULT, "RABBITMQ": rabbitmq_keys.DEFAULT}


def create(room: Room, asked: Asked) -> dict[str, Any]:
    """CreateConfiguration: its first revision is the service's default."""
    parameters, engine = asked.parameters, asked.parameters["EngineType"]
    if not asked.owns:
        raise refusals.other_account(USER_ACCOUNT)
    if parameters.get("AuthenticationStrategy", "SIMPLE") != "SIMPLE":
        raise refusals.not_here(
            f"the authentication strategy {parameters['AuthenticationStrategy']}",
            "authenticationStrategy",
        )
    name, version = parameters["Name"], parameters.get("EngineVersion") or DEFAULT_VERSION[engine]
    if version not in VERSIONS[engine]:
        raise refusals.unknown_version(engine, version, VERSIONS[engine])
    if not _NAME.fullmatch(name):
        raise refusals.bad(_NAME_SENTENCE, "name")
    if any(each["name"] == name for each in room.state.all(_KIND)):
        raise ConflictException(
            "This configuration name already exists. Retry your request with another configuration name.",
            error_attribute="name",
        )
    for key, value in parameters.get("Tags", {}).items():
        check_tag(key, value)
    document: Document = {
        "id": f"c-{uuid.uuid4()}",
        "name": name,
        "engine_type": engine,
        "shown_engine_type": asked.given["EngineType"],
        "engine_version": version,
        "created": _now(room),
        "tags": dict(parameters.get("Tags", {})),
        "revisions": [
            _revision(
                room,
                1,
                _DEFAULTS[engine],
                f"Auto-generated default for {name} on {DISPLAY_NAMES[engine]} {version}",
            )
        ],
    }
    room.state.put(_KIND, document["id"], document)
    return _described(document)


def update(room: Room, asked: Asked) -> dict[str, Any]:
    """UpdateConfiguration: a new revision of what is left of it, and what was removed."""
    document = _stored(room, asked, asked.parameters["ConfigurationId"])
    sanitized = _SANITIZE[document["engine_type"]](
        _text(asked.parameters["Data"]), document["engine_version"]
    )

    def add(stored: Document) -> Document:
        revisions = stored["revisions"]
        if len(revisions) >= _REVISIONS:
            raise refusals.bad(f"A configuration has at most {_REVISIONS} revisions.")
        new = _revision(
            room, len(revisions) + 1, sanitized.data, asked.parameters.get("Description", "")
        )
        return {**stored, "revisions": [*revisions, new]}

    return {
        **_described(amend(room, document["id"], add)),
        "Warnings": [warning.describe() for warning in sanitized.warnings],
    }


def describe(room: Room, asked: Asked) -> dict[str, Any]:
    return _described(_stored(room, asked, asked.parameters["ConfigurationId"]))


def list_configurations(room: Room, asked: Asked) -> dict[str, Any]:
    documents = room.state.all(_KIND) if asked.owns else []
    rows, token = page(documents, asked.parameters, "configurations")
    return {
        "Configurations": [_described(each) for each in rows],
        "MaxResults": asked.parameters.get("MaxResults", 100),
        "NextToken": token,
    }


def list_revisions(room: Room, asked: Asked) -> dict[str, Any]:
    document = _stored(room, asked, asked.parameters["ConfigurationId"])
    rows, token = page(document["revisions"], asked.parameters, f"revisions of {document['id']}")
    return {
        "ConfigurationId": document["id"],
        "MaxResults": asked.parameters.get("MaxResults", 100),
        "NextToken": token,
        "Revisions": [_shown(each) for each in rows],
    }


def describe_revision(room: Room, asked: Asked) -> dict[str, Any]:
    document = _stored(room, asked, asked.parameters["ConfigurationId"])
    wanted = asked.parameters["ConfigurationRevision"]
    found = next((each for each in document["revisions"] if str(each["revision"]) == wanted), None)
    if found is None:
        raise refusals.no_such_revision(document["id"], wanted)
    return {
        "ConfigurationId": document["id"],
        "Data": base64.b64encode(found["data"].encode()).decode(),
        **_shown(found),
    }


def delete(room: Room, asked: Asked) -> dict[str, Any]:
    """DeleteConfiguration. One that a broker has, or is to have, stays."""
    document = _stored(room, asked, asked.parameters["ConfigurationId"])
    for broker in room.brokers.list(asked.caller):
        if document["id"] in {
            each.id for each in (broker.configuration, broker.pending.configuration) if each
        }:
            raise ConflictException(  # the testbed's own sentence
                f"Configuration [{document['id']}] is in use by broker [{broker.broker_id}].",
                error_attribute="configuration-id",
            )
    room.state.delete(_KIND, document["id"])
    return {"ConfigurationId": document["id"]}


def chosen(room: Room, wanted: Mapping[str, Any], engine: str) -> Configuration:
    """The revision that a request's ``Configuration`` names, the latest when it names none. Raises ``NotFoundException``."""
    document = room.state.get(_KIND, wanted["Id"])
    if document is None:
        raise refusals.no_such_configuration(wanted["Id"])
    if document["engine_type"] != engine:
        raise refusals.bad(
            f"Configuration [{wanted['Id']}] is for broker engine type [{document['engine_type']}].",
            "configuration",
        )
    number = wanted.get("Revision", len(document["revisions"]))
    if not 1 <= number <= len(document["revisions"]):
        raise refusals.no_such_revision(wanted["Id"], number)
    return Configuration(wanted["Id"], number, document["revisions"][number - 1]["data"])


def of_arn(room: Room, asked: Asked) -> Document:
    """The configuration of the ARN in the path. Raises ``NotFoundException``."""
    arn = asked.parameters["ResourceArn"]
    document = room.state.get(_KIND, arn.rpartition(":")[2]) if asked.owns else None
    if document is None or _arn(document) != arn:
        raise refusals.no_such_resource(arn)
    return document


def amend(room: Room, configuration_id: str, change: Callable[[Document], Document]) -> Document:
    document = room.state.update(_KIND, configuration_id, change)
    if document is None:
        raise refusals.no_such_configuration(configuration_id)
    return document


def _stored(room: Room, asked: Asked, configuration_id: str) -> Document:
    document = room.state.get(_KIND, configuration_id) if asked.owns else None
    if document is None:
        raise refusals.no_such_configuration(configuration_id)
    return document


def _text(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise refusals.bad("[data] must be the base64 of a text in UTF-8.", "data") from None


def _revision(room: Room, number: int, data: str, description: str) -> Document:
    return {"revision": number, "created": _now(room), "description": description, "data": data}


def _described(document: Document) -> dict[str, Any]:
    latest = document["revisions"][-1]
    return {
        "Arn": _arn(document),
        "AuthenticationStrategy": "simple",
        "Created": document["created"],
        "Description": latest["description"],
        "EngineType": document["shown_engine_type"],
        "EngineVersion": document["engine_version"],
        "Id": document["id"],
        "LatestRevision": _shown(latest),
        "Name": document["name"],
        "Tags": document["tags"],
    }


def _shown(revision: Document) -> dict[str, Any]:
    return {
        "Created": revision["created"],
        "Description": revision["description"],
        "Revision": revision["revision"],
    }


def _arn(document: Document) -> str:
    return f"arn:aws:mq:{REGION}:{USER_ACCOUNT}:configuration:{document['id']}"


def _now(room: Room) -> str:
    return room.clock.datetime().isoformat(timespec="milliseconds")
