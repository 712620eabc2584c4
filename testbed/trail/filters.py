"""Which records a reader wants: those of users, of one actor, key or broker, or refusals. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.documented.cloudtrail import MQ_SOURCE
from testbed.trail.attributes import resources
from testbed.trail.identity import username

ANY_ERROR = "any"


@dataclass(frozen=True)
class Filter:
    """What all shown records have; an empty member does not matter.

    ``services`` adds what services do by themselves or in a user's session. ``actor`` is a user's
    name or ARN, an assumed role, an access key id, or a service's DNS name. ``key`` is an ARN, a
    key id or an alias, ``brokers`` has a broker's id and its name, and ``error`` is an error code
    or ``ANY_ERROR``.
    """

    services: bool = False
    actor: str = ""
    key: str = ""
    brokers: frozenset[str] = frozenset()
    error: str = ""

    def is_met(self, record: Mapping[str, Any]) -> bool:
        """Return whether the record is wanted, whoever made the call."""
        return (
            (not self.actor or self.actor in set(_actors(record["userIdentity"])))
            and (not self.key or any(map(self._is_key, _keys(record))))
            and (not self.brokers or not self.brokers.isdisjoint(_brokers(record)))
            and (not self.error or self.error in _errors(record))
        )

    def is_hidden(self, record: Mapping[str, Any]) -> bool:
        """Return whether the record is a service's, and services are not wanted."""
        return not (self.services or self.actor) and by_service(record)

    def _is_key(self, name: str) -> bool:
        return name == self.key or name.endswith((f":key/{self.key}", f":{self.key}"))


def newest_of(
    records: Iterable[Mapping[str, Any]], wanted: Filter, limit: int
) -> tuple[list[Mapping[str, Any]], int]:
    """Return the first ``limit`` of ``records`` that are wanted, and how many more are hidden."""
    found: list[Mapping[str, Any]] = []
    hidden = 0
    for record in filter(wanted.is_met, records):
        if wanted.is_hidden(record):
            hidden += 1
        else:
            found.append(record)
        if len(found) == limit:
            break
    return found, hidden


def by_service(record: Mapping[str, Any]) -> bool:
    """Return whether a service made the call, be it in a user's session, or KMS by itself."""
    return "invokedBy" in record["userIdentity"]


def _actors(identity: Mapping[str, Any]) -> Iterator[str]:
    arn = str(identity.get("arn", ""))
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    yield from filter(
        None,
        (
            arn,
            arn.rpartition(":")[2],
            username(dict(identity)),
            identity.get("accessKeyId"),
            identity.get("invokedBy"),
            issuer.get("userName"),
        ),
    )


def _keys(record: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(resource["ARN"]) for resource in record.get("resources", ()))
    options = (record["requestParameters"] or {}).get("encryptionOptions") or {}
    if "kmsKeyId" in options:
        yield str(options["kmsKeyId"])


def _brokers(record: Mapping[str, Any]) -> Iterator[str]:
    if record["eventSource"] == MQ_SOURCE:
        yield from (name.rpartition(":")[2] for _, name in resources(record))
        tagged = (record["requestParameters"] or {}).get("resource-arn", "")
        yield str(tagged).rpartition(":")[2]


def _errors(record: Mapping[str, Any]) -> tuple[str, ...]:
    return (ANY_ERROR, record["errorCode"]) if "errorCode" in record else ()
