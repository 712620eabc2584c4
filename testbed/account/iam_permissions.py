"""Whether the caller's policies allow a call of IAM, and the refusal in IAM's words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from testbed.account.authorization import Authorization, Given
from testbed.account.directory import Directory, Role, User
from testbed.documented import iam_resources as documented
from testbed.documented import regions
from testbed.documented.permissions import SERVICE_LINKED_ROLE, SERVICE_LINKED_ROLE_OF
from testbed.errors import ApiError
from testbed.kms.base import Caller
from testbed.policy.evaluate import evaluate, not_authorized


@dataclass(frozen=True)
class _Subject:
    """What a call is about: its ARN, and what IAM calls it in a refusal."""

    arn: str
    called: str
    tags: Mapping[str, str]


def of_caller(operation: str, caller: Caller, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request with the caller's name, where it is about the caller.

    Raises ``ValidationError`` in AWS's words if that is neither a user nor the root user.
    """
    if not _is_of_caller(operation, sent) or caller.kind == "Root":
        return dict(sent)
    if caller.kind != "IAMUser":
        sentence = "Must specify userName when calling with non-User credentials"
        raise ApiError(sentence, code="ValidationError", status=400)
    return {**sent, "UserName": caller.principal.rpartition("/")[2]}


def of_root(operation: str, caller: Caller, sent: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the answer about the root user, who has nothing in IAM here; None about others."""
    if caller.kind != "Root" or not _is_of_caller(operation, sent):
        return None
    if operation == "ChangePassword":  # nobody's, as moto has none
        return None
    if operation == "GetUser":
        made = datetime.fromtimestamp(0, UTC)
        return {"User": {"UserId": caller.account, "Arn": caller.principal, "CreateDate": made}}
    if kept := documented.OF_ROOT.get(operation):
        return {kept: [], "IsTruncated": False}
    raise ApiError(
        f"The testbed's root user has nothing in IAM for {operation}; name a user.",
        code="NoSuchEntity",
        status=404,
    )


def _is_of_caller(operation: str, sent: Mapping[str, Any]) -> bool:
    return operation in documented.OF_CALLER and "UserName" not in sent


def check(
    authorization: Authorization, caller: Caller, operation: str, sent: Mapping[str, Any]
) -> None:
    """Raise ``AccessDenied`` unless the caller may. Nobody changes the policies of AWS.

    A caller whom IAM does not know may do everything else in its account.
    """
    arn = str(sent.get("PolicyArn", ""))
    if operation in documented.CHANGE_POLICIES and ":iam::aws:" in arn:
        raise _denied(caller, f"iam:{operation}", f"policy {arn}", "")
    if caller.credentials is None:
        return
    directory = authorization.identities.directory(caller.account, caller.region)
    for action, subject, given in _needed(caller, directory, operation, sent):
        request = authorization.request(caller, action, subject.arn, given)
        # AWS's own policies can be read and attached by everyone's own policies.
        request = replace(request, account=caller.account)
        decision = evaluate(request, authorization.identities.policies(caller))
        if not decision.allowed:
            raise _denied(caller, action, subject.called, decision.reason)


def _needed(
    caller: Caller, directory: Directory, operation: str, sent: Mapping[str, Any]
) -> Iterator[tuple[str, _Subject, Given]]:
    subject = _subject(caller, directory, operation, sent)
    given: dict[str, Any] = {
        key: sent[member] for member, key in documented.KEYS.items() if member in sent
    }
    # What a tag lacks is refused after this, with all else that breaks the model.
    tags = {tag["Key"]: tag.get("Value", "") for tag in sent.get("Tags", ()) if "Key" in tag}
    given |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    given["aws:TagKeys"] = tuple(tags or sent.get("TagKeys", ()))
    for key, value in subject.tags.items():
        given |= {f"aws:ResourceTag/{key}": value, f"iam:ResourceTag/{key}": value}
    yield f"iam:{operation}", subject, given
    if tags and operation in documented.TAGGING:
        yield f"iam:{documented.TAGGING[operation]}", subject, given
    if operation == "AddRoleToInstanceProfile":
        role = _named(caller, directory, "role", str(sent.get("RoleName", "")), "/")
        yield "iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"}


def _subject(
    caller: Caller, directory: Directory, operation: str, sent: Mapping[str, Any]
) -> _Subject:
    path = str(sent.get("Path", "/"))
    if kind := documented.LISTS.get(operation):
        arn = _arn(caller, f"{kind}{sent.get('PathPrefix', '/')}")
        return _Subject(arn, arn, {})
    if operation == "CreateServiceLinkedRole":
        service = str(sent.get("AWSServiceName", ""))
        name = SERVICE_LINKED_ROLE if service == SERVICE_LINKED_ROLE_OF else "*"
        arn = _arn(caller, f"role/aws-service-role/{service}/{name}")
        return _Subject(arn, arn, {})
    if operation == "GetAccessKeyLastUsed":
        wanted = sent.get("AccessKeyId")
        owners = (user for key, user in directory.access_keys() if key.access_key_id == wanted)
        if owner := next(owners, None):
            return _named(caller, directory, "user", owner.name, path)
    for member, kind in documented.MEMBERS.items():
        if member not in sent or (member == "PolicyName" and operation != "CreatePolicy"):
            continue
        if not kind:
            word = "policy " if member == "PolicyArn" else ""
            return _Subject(str(sent[member]), f"{word}{sent[member]}", {})
        subject = _named(caller, directory, kind, str(sent[member]), path)
        return replace(subject, called=subject.arn) if operation in documented.CREATES else subject
    return _Subject("*", "*", {})


def _named(caller: Caller, directory: Directory, kind: str, name: str, path: str) -> _Subject:
    """Return a resource by its name; what exists has its own path."""
    known: User | Role | None = None
    if kind in ("user", "role"):
        known = directory.users.get(name) if kind == "user" else directory.roles.get(name)
    arns = {"group": directory.groups, "instance-profile": directory.profiles}.get(kind, {})
    arn = known.arn if known else arns.get(name) or _arn(caller, f"{kind}{path}{name}")
    word = documented.WORDS.get(kind)
    return _Subject(arn, f"{word} {name}" if word else arn, known.tags if known else {})


def _arn(caller: Caller, resource: str) -> str:
    return regions.iam_arn(caller.region, caller.account, resource)


def _denied(caller: Caller, action: str, resource: str, reason: str) -> ApiError:
    sentence = not_authorized(caller.principal, action, f"resource: {resource}", reason)
    return ApiError(sentence, code="AccessDenied", status=403)
