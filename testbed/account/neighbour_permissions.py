"""Whether the caller's policies allow a call of a neighbouring service, refused in its words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.account.authorization import Authorization, Given
from testbed.account.moto_backends import MotoBackends
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.documented import regions
from testbed.documented.neighbours import EC2_KINDS, Neighbour
from testbed.errors import ApiError
from testbed.kms.base import Caller

_MAKING = ("Allocate", "Create", "Put")
_BUS = "default"  # of every account in every Region


@dataclass(frozen=True)
class Permissions:
    """What policies say of the calls of one service; secrets are looked up in ``backends``."""

    authorization: Authorization
    backends: MotoBackends
    served: Neighbour

    def check(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> None:
        """Raise ``ApiError`` unless the caller may: for each resource that the request names.

        Each secret of a batch needs a permission of its own, see ``SecretKeys.may_read``.
        """
        if caller.credentials is None:
            return
        if operation == "BatchGetSecretValue" and "Filters" in sent:  # API reference
            self.check(caller, "ListSecrets", {})
        given = _given(sent)
        for resource, tags in self._resources(caller, operation, sent):
            about = {**given, **{f"aws:ResourceTag/{key}": tags[key] for key in tags}}
            self._require(caller, (operation,), resource, about)
        if operation.startswith(_MAKING) and operation not in self.served.tagging:
            for resource in self._tagged(caller, operation, sent):
                own = {"ec2:CreateAction": operation} if self._is_ec2 else {}
                self._require(caller, self.served.tagging, resource, {**given, **own})

    @property
    def _is_ec2(self) -> bool:
        return self.served.name == "ec2"

    def _require(
        self, caller: Caller, operations: Sequence[str], resource: str, about: Given
    ) -> None:
        """Raise ``ApiError`` unless the caller may perform one of the operations."""
        served, refused = self.served, ""
        for operation in operations:
            action = f"{served.name}:{operation}"
            decision = self.authorization.decide(caller, action, resource, about)
            if decision.allowed:
                return
            request = self.authorization.request(caller, action, resource, about)
            refused = refused or decision.sentence(request)
        if self._is_ec2:
            refused = f"You are not authorized to perform this operation. {refused}"
        status = 400 if served.denied.endswith("Exception") else 403
        raise ApiError(refused, code=served.denied, status=status)

    def _tagged(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> Sequence[str]:
        """Return the ARN of each resource that gets tags as it is made."""
        if not any(_tags(sent)) or not self.served.tagging:
            return ()
        if self._is_ec2:
            kinds = (str(spec.get("ResourceType")) for spec in sent.get("TagSpecifications", ()))
            return [self._arn(caller, f"{kind}/*") for kind in dict.fromkeys(kinds)]
        return [resource for resource, _ in self._resources(caller, operation, sent)]

    def _resources(
        self, caller: Caller, operation: str, sent: Mapping[str, Any]
    ) -> Sequence[tuple[str, Mapping[str, str]]]:
        """Return the ARN and the tags of each resource that a request is about."""
        served = self.served
        if self._is_ec2 and operation.startswith("Describe"):
            return [(served.anything, {})]
        if operation == "PutEvents":
            entries = sent.get("Entries", ())
            buses = dict.fromkeys(str(entry.get("EventBusName", _BUS)) for entry in entries)
            return [(self._arn_of(caller, "event-bus/{}", bus), {}) for bus in buses or (_BUS,)]
        if served.name == "events":
            sent = _on_its_bus(sent)
        named = [
            (self._arn_of(caller, part, str(value)), self._tags(caller, str(value)))
            for member, part in served.apart.get(operation, served.resources).items()
            for value in _values(sent.get(member))
        ]
        if operation in served.created:
            named.append((self._arn(caller, served.created[operation]), {}))
        return named or [(self._arn(caller, served.anything), {})]

    def _tags(self, caller: Caller, name: str) -> Mapping[str, str]:
        """Return the tags of a resource; none for an unknown one, and where none are looked up."""
        look = _TAGS.get(self.served.name)
        if look is None:
            return {}
        place = Place(self.served.name, caller.account, caller.region)
        return self.backends.read(
            neighbour(self.served.name), place, lambda backend: look(backend, name)
        )

    def _arn_of(self, caller: Caller, part: str, value: str) -> str:
        if self.served.name == "secretsmanager" and (known := self._secret(caller, value)):
            return known
        if self.served.name == "ssm":
            value = _without_selector(value)
        if value.startswith("arn:"):
            return value
        if part == "{}" and self._is_ec2:
            part = f"{EC2_KINDS.get(value.partition('-')[0], '*')}/{{}}"
        name = value.lstrip("/") if self.served.name == "ssm" else value
        return self._arn(caller, part.format(name))

    def _secret(self, caller: Caller, name: str) -> str:
        """Return the ARN of a secret, which ends in characters of its own; empty if unknown.

        ``name`` may be an ARN without these.
        """
        if name.startswith("arn:") and not name.startswith(self._arn(caller, "secret:")):
            return ""

        def look(backend: Any) -> str:
            secret = backend.secrets.get(name)
            return str(secret.arn) if secret else ""

        place = Place("secretsmanager", caller.account, caller.region)
        return self.backends.read(neighbour("secretsmanager"), place, look)

    def _arn(self, caller: Caller, part: str) -> str:
        if part == "*":
            return part
        return regions.arn(self.served.name, caller.region, caller.account, part)


def _on_its_bus(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request of EventBridge with its rule as in ARNs: ``name``, or ``bus/name``."""
    bus = str(sent.get("EventBusName", _BUS)).rpartition(":event-bus/")[2]
    if bus == _BUS:
        return sent
    return {**sent, **{name: f"{bus}/{sent[name]}" for name in ("Name", "Rule") if name in sent}}


def _values(member: Any) -> Sequence[Any]:
    if member is None:
        return ()
    return member if isinstance(member, list) else [member]


def _of_secret(backend: Any, name: str) -> dict[str, str]:
    secret = backend.secrets.get(name)
    tags = secret.tags if secret else ()
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def _of_log_group(backend: Any, name: str) -> dict[str, str]:
    group = backend.groups.get(name.rpartition(":log-group:")[2].removesuffix(":*"))
    return dict(backend.tagger.get_tag_dict_for_resource(group.arn)) if group else {}


def _without_selector(name: str) -> str:
    """Return the name or ARN of a parameter without the version or label that may follow."""
    arn, is_arn, own = name.rpartition(":parameter/")
    return arn + is_arn + own.partition(":")[0]


def _of_parameter(backend: Any, name: str) -> dict[str, str]:
    own = _without_selector(name).rpartition(":parameter/")[2].lstrip("/")
    tags: Mapping[str, dict[str, str]] = backend._resource_tags.get("Parameter", {})  # noqa: SLF001 - the public way raises for an unknown parameter
    return next((dict(tags[kept]) for kept in tags if kept.lstrip("/") == own), {})


_TAGS: Mapping[str, Callable[[Any, str], dict[str, str]]] = {
    "ec2": lambda backend, name: dict(backend.tags.get(name, {})),
    "logs": _of_log_group,
    "secretsmanager": _of_secret,
    "ssm": _of_parameter,
}


def _given(sent: Mapping[str, Any]) -> Given:
    tags = dict(_tags(sent))
    keys = tuple(tags) or tuple(key for key in sent.get("TagKeys", ()) if isinstance(key, str))
    return {"aws:TagKeys": keys, **{f"aws:RequestTag/{key}": tags[key] for key in tags}}


def _tags(sent: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tags of a request, in each of the forms that the services have."""
    specified = [spec.get("Tags", ()) for spec in sent.get("TagSpecifications", ())]
    for tags in (sent.get("Tags", ()), sent.get("tags", ()), *specified):
        if isinstance(tags, Mapping):
            yield from tags.items()
        else:
            yield from ((tag["Key"], tag.get("Value", "")) for tag in tags if "Key" in tag)
