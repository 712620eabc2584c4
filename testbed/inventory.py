"""What people have named and addressed in a testbed: the items that ``advice`` is about.

Brokers and configurations are read as they are stored; what users made inside of a broker is asked
of the running broker, at its console. Nothing is recorded, and KMS is not called.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.advice.advise import Item, Name, Text, Url, tags
from testbed.advice.personal import mask
from testbed.broker.configurations import Configurations, CustomerConfiguration
from testbed.broker.model import Broker
from testbed.clients.base import Address
from testbed.clients.console import Console
from testbed.engines.urls import configured
from testbed.errors import ClientError, NotAuthorized

if TYPE_CHECKING:
    from testbed.testbed import Testbed

_DESTINATIONS = "org.apache.activemq:type=Broker,brokerName=*,destinationType=*,destinationName=*"
_OWN = ("amq.", "ActiveMQ.Advisory.")  # what the engines name themselves begins so


@dataclass(frozen=True)
class Inventory:
    """``unread`` says of which brokers nothing could be asked, and why."""

    items: tuple[Item, ...]
    unread: tuple[str, ...]


def take(testbed: "Testbed") -> Inventory:
    """Return everything that is named or addressed in the testbed."""
    items: list[Item] = []
    unread = []
    for broker in testbed.brokers.peek_all():
        resource = f"broker {mask(broker.broker_name)} ({broker.broker_id})"
        items += _stored(resource, broker)
        try:
            items += _running(resource, testbed.brokers.consoles(broker), broker.engine_type)
        except ClientError as error:
            unread.append(f"{resource}: {error}")
    for configuration in Configurations(testbed.state, testbed.clock).all():
        items += _configuration(configuration)
    return Inventory(tuple(items), tuple(unread))


def _stored(resource: str, broker: Broker) -> Iterator[Item]:
    """Yield what CreateBroker, CreateUser and CreateTags have named."""
    yield Name(resource, "broker name", broker.broker_name)
    for user in dict.fromkeys((*broker.users, *broker.pending_users)):
        yield Name(resource, f"user name {mask(user.username)}", user.username)
    yield from tags(resource, broker.tags.items())
    for connector in broker.network_connectors:
        yield Url(resource, f"network connector {mask(connector.name)}", connector.uri)
    if broker.configuration:
        for where, url in configured(broker.engine_type, broker.configuration.data):
            yield Url(resource, where, url)


def _configuration(configuration: CustomerConfiguration) -> Iterator[Item]:
    resource = f"configuration {mask(configuration.name)} ({configuration.id})"
    yield Text(resource, "name", configuration.name)
    yield from tags(resource, configuration.tags.items())
    latest = configuration.latest
    yield Text(resource, f"description of revision {latest.revision}", latest.description)
    for where, url in configured(configuration.engine_type, latest.data):
        yield Url(resource, f"{where} of revision {latest.revision}", url)


def _running(resource: str, consoles: tuple[Address, ...], engine_type: str) -> list[Item]:
    """Return what users have made in the broker. Raises ``ClientError``.

    Of an active broker and its standby, the one that serves answers.
    """
    if not consoles:
        raise NotAuthorized("no user has access to its console")
    read = _rabbitmq if engine_type == "RABBITMQ" else _activemq
    for address in consoles[:-1]:
        try:
            return list(read(resource, Console(address)))
        except ClientError:
            continue
    return list(read(resource, Console(consoles[-1])))


def _rabbitmq(resource: str, console: Console) -> Iterator[Item]:
    for vhost in console.get("/api/vhosts?columns=name"):
        yield Text(resource, f"virtual host {mask(vhost['name'])}", vhost["name"])
    for user in console.get("/api/users?columns=name"):
        yield Name(resource, f"user name {mask(user['name'])}", user["name"])
    for kind in ("queue", "exchange"):
        for found in console.get(f"/api/{kind}s?columns=name,vhost&disable_stats=true"):
            if not found["name"].startswith(_OWN):
                yield Text(resource, _within(kind, found), found["name"])
    for parameter in console.get("/api/parameters"):
        yield from _parameter(resource, parameter)


def _parameter(resource: str, parameter: dict[str, Any]) -> Iterator[Item]:
    """Yield the name and the URIs of a shovel or of a federation upstream."""
    where = _within(parameter["component"].replace("-", " "), parameter)
    yield Text(resource, where, parameter["name"])
    value = parameter["value"] if isinstance(parameter["value"], dict) else {}
    for member in ("uri", "src-uri", "dest-uri"):
        uris = value.get(member, ())
        for uri in uris if isinstance(uris, list) else [uris] if uris else []:
            yield Url(resource, f"{member} of {where}", str(uri))


def _within(kind: str, found: dict[str, Any]) -> str:
    return f"{kind} {mask(found['name'])} in {mask(found['vhost'])}"


def _activemq(resource: str, console: Console) -> Iterator[Item]:
    found = console.jolokia(type="read", mbean=_DESTINATIONS, attribute="Name") or {}
    for mbean, attributes in found.items():
        kind = "queue" if "destinationType=Queue" in mbean else "topic"
        if not (name := attributes["Name"]).startswith(_OWN):
            yield Text(resource, f"{kind} {mask(name)}", name)
