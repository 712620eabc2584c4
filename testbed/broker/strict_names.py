"""Refuse what ``testbed.advice`` advises against, in a testbed where strict names were asked for.

Amazon MQ accepts all of it. A refusal says what was found and where, and does not repeat it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from testbed.advice.advise import Item, Name, Text, Url, advise, tags
from testbed.broker.requests import CreateBroker
from testbed.engines.urls import configured
from testbed.errors import BadRequestException
from testbed.state.store import State

_KIND, _KEY = "settings", "names"
_REQUEST = "the request"


def choose(state: State, *, strict: bool) -> None:
    """Say for the life of the folder whether names are checked strictly."""
    state.put(_KIND, _KEY, {"strict": strict})


def chosen(state: State) -> bool:
    """Return whether strict names were asked for; by default they were not."""
    document = state.get(_KIND, _KEY)
    return bool(document and document["strict"])


def check_create(request: CreateBroker) -> None:
    """Check all names and URLs of a CreateBroker request. Raises ``BadRequestException``."""
    check_parameters(request.parameters())
    connectors = request.network_connectors
    _refuse(
        "networkConnectors",
        [Url(_REQUEST, "network connector", connector.uri) for connector in connectors],
    )
    if request.configuration:
        check_configuration(request.engine_type, request.configuration.data)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check the names in the parameters of an operation, by the API's names.

    Raises ``BadRequestException``.
    """
    users = [user["Username"] for user in parameters.get("Users", ())]
    named: dict[str, list[Item]] = {
        "brokerName": [Name(_REQUEST, "broker name", parameters.get("BrokerName", ""))],
        "username": [
            Name(_REQUEST, "user name", name) for name in (*users, parameters.get("Username", ""))
        ],
        "tags": [*tags(_REQUEST, (parameters.get("Tags") or {}).items())],
        "name": [Text(_REQUEST, "configuration name", parameters.get("Name", ""))],
        "description": [Text(_REQUEST, "description", parameters.get("Description", ""))],
    }
    for attribute, items in named.items():
        _refuse(attribute, items)


def check_configuration(engine_type: str, data: str) -> None:
    """Check the URLs in a configuration. Raises ``BadRequestException``."""
    _refuse("data", [Url(_REQUEST, where, url) for where, url in configured(engine_type, data)])


def _refuse(error_attribute: str, items: Iterable[Item]) -> None:
    for advice in advise(items):
        raise BadRequestException(
            f"{advice.sentence} {advice.rule}",
            error_attribute=error_attribute,
            hint="Amazon MQ accepts it; this testbed was started with --strict-names.",
        )
