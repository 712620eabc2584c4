"""AWS's evaluation logic once more, as plainly as it can be said, over undecoded documents.

It imports nothing of ``testbed.policy``: what both say the same of random policies is right, or
wrong twice. It knows the operators, principals and elements that ``policies`` makes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from re import IGNORECASE, match
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
Context = Mapping[str, Sequence[str]]

HOME, ABROAD = "111122223333", "444455556666"
USER = f"arn:aws:iam::{HOME}:user/alice"
SESSION = f"arn:aws:sts::{HOME}:assumed-role/Ops/alice"
ROLE = f"arn:aws:iam::{HOME}:role/Ops"
ROOT = f"arn:aws:iam::{HOME}:root"
FOREIGN = f"arn:aws:iam::{ABROAD}:user/bob"
FOREIGN_ROOT = f"arn:aws:iam::{ABROAD}:root"
SERVICE = "mq.amazonaws.com"
CALLERS = (USER, SESSION, ROOT, FOREIGN, SERVICE)
ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:DescribeKey")
RESOURCES = (f"arn:aws:kms:us-east-1:{HOME}:key/a", f"arn:aws:kms:us-east-1:{HOME}:key/b")
VALUES = ("x", "y", "xy", "true", "")
KEYS = ("aws:PrincipalTag/a", "aws:TagKeys", "kms:EncryptionContext:b")
UNKNOWN = "example:Unknown"


def allowed(
    caller: str,
    action: str,
    resource: str,
    context: Context,
    *,
    identity: Sequence[Document],
    of_resource: Document | None,
    boundary: Document | None,
    session: Sequence[Document] | None,
    delegates: bool,
) -> bool:
    def allows(documents: Iterable[Document | None], name: Callable[[Any], bool]) -> bool:
        found = [
            statement["Effect"]
            for document in documents
            for statement in (document or {"Statement": []})["Statement"]
            if name(statement) and _applies(statement, action, resource, context)
        ]
        denials.extend(effect for effect in found if effect == "Deny")
        return "Allow" in found

    denials: list[str] = []
    whatever = allows(identity, lambda _: True)
    limits = [
        allows([boundary], lambda _: True) or boundary is None,
        allows(session or (), lambda _: True) or session is None,
    ]
    by_name = allows([of_resource], lambda statement: _names(statement, _itself(caller)))
    by_role = allows([of_resource], lambda statement: _names(statement, _behind(caller)))
    by_account = allows([of_resource], lambda statement: _names(statement, _account(caller)))
    if denials:
        return False
    if caller == SERVICE:
        return by_name
    home = caller.split(":")[4] == HOME
    own = (whatever or caller == ROOT) and all(limits)
    if not home:
        return (by_name or by_role or by_account) and own
    if by_name or (by_role and all(limits)):
        return True
    return own and (by_role or by_account or not delegates)


def _itself(caller: str) -> set[str]:
    if caller == SERVICE:
        return {caller}
    return {caller, "*"} | (_account(caller) if caller == ROOT else set())


def _behind(caller: str) -> set[str]:
    return {ROLE} if caller == SESSION else set()


def _account(caller: str) -> set[str]:
    if caller == SERVICE:
        return set()
    return {caller.split(":")[4], f"arn:aws:iam::{caller.split(':')[4]}:root"}


def _names(statement: Mapping[str, Any], names: set[str]) -> bool:
    """Whether Principal has one of ``names``; NotPrincipal stands with Deny and full ARNs alone."""
    if "NotPrincipal" in statement:
        others = set(CALLERS) - set(statement["NotPrincipal"]["AWS"])
        return bool(others & names)
    principal = statement["Principal"]
    if principal == "*":
        return "*" in names or SERVICE in names
    return any(name in names for listed in principal.values() for name in listed)


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    for element, asked, flags in (("Action", action, IGNORECASE), ("Resource", resource, 0)):
        negated = f"Not{element}" in statement
        patterns = statement[f"Not{element}" if negated else element]
        if any(match(translate(pattern), asked, flags) for pattern in patterns) is negated:
            return False
    conditions = [
        (operator, key, values)
        for operator, compared in statement.get("Condition", {}).items()
        for key, values in compared.items()
    ]
    if statement["Effect"] == "Allow" and any(key == UNKNOWN for _, key, _ in conditions):
        return False
    return all(_holds(operator, context.get(key), values) for operator, key, values in conditions)


def _holds(operator: str, present: Sequence[str] | None, wanted: Sequence[str]) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return ("true" if not any(present or ()) else "false") in wanted
    negated = "Not" in name
    if not present:
        if name.endswith("IfExists") or quantifier == "ForAllValues":
            return True
        return negated and not quantifier

    def one(value: str) -> bool:
        if "Like" in name:
            found = any(match(translate(pattern), value) for pattern in wanted)
        else:
            found = value in wanted
        return found is not negated

    if quantifier == "ForAllValues":
        return all(one(value) for value in present if value)
    if quantifier == "ForAnyValue":
        return any(one(value) for value in present if value)
    return one(present[0]) if len(present) == 1 else negated


_ACTIONS = [
    {element: patterns}
    for patterns in (["*"], ["kms:*"], ["kms:decrypt", "s3:*"], ["kms:D*"], ["kms:?ncrypt"])
    for element in ("Action", "Action", "NotAction")
]
_RESOURCES = [
    {element: patterns}
    for patterns in (["*"], ["arn:aws:kms:*"], [RESOURCES[0]], [RESOURCES[1][:-1] + "?", "arn:*/x"])
    for element in ("Resource", "Resource", "NotResource")
]
_PRINCIPALS: list[Document] = [
    {"Principal": "*"},
    *(
        {"Principal": {"AWS": [name]}}
        for name in (USER, SESSION, ROLE, ROOT, HOME, FOREIGN, FOREIGN_ROOT, "*")
    ),
    {"Principal": {"AWS": [ROLE, ABROAD], "Service": [SERVICE]}},
    {"Principal": {"AWS": [ROOT, USER]}},
]
_EXCEPTED: list[Document] = [{"NotPrincipal": {"AWS": [name]}} for name in CALLERS[:4]]
_OPERATORS = [
    quantifier + name + suffix
    for quantifier in ("", "ForAllValues:", "ForAnyValue:")
    for name in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike")
    for suffix in ("", "IfExists")
]
_CONDITIONS: list[Document] = [
    *({} for _ in range(200)),
    *(
        {operator: {key: wanted}}
        for operator in _OPERATORS
        for key in (*KEYS, UNKNOWN)
        for wanted in (["x"], ["x*", "true"], ["?", "y"])
    ),
    *({"Null": {key: [wanted]}} for key in (*KEYS, UNKNOWN) for wanted in ("true", "false")),
]


def statements(*effects: str, named: bool) -> st.SearchStrategy[Document]:
    """Statements, in which the unknown key is rare; ``named`` for those of a resource's policy."""

    def make(
        effect: str, elements: tuple[Document, ...], conditions: tuple[Document, ...]
    ) -> Document:
        made: Document = {"Effect": effect}
        for element in elements:
            made |= element
        condition = conditions[0] | conditions[1]
        return made | ({"Condition": condition} if condition else {})

    principals = _PRINCIPALS if "Allow" in effects else _PRINCIPALS + _EXCEPTED
    elements = [st.sampled_from(_ACTIONS), st.sampled_from(_RESOURCES)]
    if named:
        elements.append(st.sampled_from(principals))
    condition = st.sampled_from(_CONDITIONS)
    return st.builds(
        make, st.sampled_from(effects), st.tuples(*elements), st.tuples(condition, condition)
    )


def policies(*effects: str, named: bool = False) -> st.SearchStrategy[Document]:
    each = [statements(effect, named=named) for effect in effects]
    listed = st.lists(st.one_of(each), min_size=1, max_size=3)
    return listed.map(lambda made: {"Version": "2012-10-17", "Statement": made})


CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        key: st.lists(st.sampled_from(VALUES), max_size=3 if key == "aws:TagKeys" else 1)
        for key in KEYS
    },
)
