"""Whether the caller's policies allow a call of a neighbouring service, refused in its words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.account.authorization import Authorization, Given
from testbed.account.moto_backends import MotoBackends
from testbed.account.neighbours import neighbour
from testbed.account.store import Place
from testbed.documented import regions
from testbed.documented.neighbours import Neighbour
from testbed.errors import ApiError
from testbed.kms.base import Caller


@dataclass(frozen=True)
class Permissions:
    """What policies say of the calls of one service; secrets are looked up in ``backends``."""

    authorization: Authorization
    backends: MotoBackends
    served: Neighbour

    def check(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> None:
        """Raise ``ApiError`` unless the caller may: for each resource that the request names."""
        if caller.credentials is None:
            return
        served, decide = self.served, self.authorization.decide
        action, given = f"{served.name}:{operation}", _given(sent)
        for resource in self._resources(caller, operation, sent):
            decision = decide(caller, action, resource, given)
            if not decision.allowed:
                request = self.authorization.request(caller, action, resource, given)
                sentence = decision.sentence(request)
                if served.name == "ec2":
                    sentence = f"You are not authorized to perform this operation. {sentence}"
                status = 400 if served.denied.endswith("Exception") else 403
                raise ApiError(sentence, code=served.denied, status=status)

    def _resources(self, caller: Caller, operation: str, sent: Mapping[str, Any]) -> Sequence[str]:
        served = self.served
        if served.name == "ec2" and operation.startswith("Describe"):
            return [served.anything]
        named = [
            self._arn_of(caller, part, str(value))
            for member, part in served.resources.items()
            for value in _values(sent.get(member))
        ]
        if operation in served.created:
            named.append(self._arn(caller, served.created[operation]))
        return named or [self._arn(caller, served.anything)]

    def _arn_of(self, caller: Caller, part: str, value: str) -> str:
        if value.startswith("arn:"):
            return value
        if self.served.name == "secretsmanager" and (known := self._secret(caller, value)):
            return known
        name = value.lstrip("/") if self.served.name == "ssm" else value
        return self._arn(caller, part.format(name))

    def _secret(self, caller: Caller, name: str) -> str:
        """Return the ARN of a secret, which ends in characters of its own; empty if unknown."""

        def look(backend: Any) -> str:
            return next((s.arn for s in backend.secrets.values() if s.name == name), "")

        place = Place("secretsmanager", caller.account, caller.region)
        return self.backends.read(neighbour("secretsmanager"), place, look)

    def _arn(self, caller: Caller, part: str) -> str:
        if part == "*":
            return part
        partition = regions.partition(caller.region).name
        return f"arn:{partition}:{self.served.name}:{caller.region}:{caller.account}:{part}"


def _values(member: Any) -> Sequence[Any]:
    if member is None:
        return ()
    return member if isinstance(member, list) else [member]


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
