"""What Amazon MQ's schema permits and ActiveMQ does not start with, as tried with 5.18.4 and 5.19.1.

A broker that does not come back from a reboot is a poor way to be told, so the configuration is refused with the reason.
"""

import re
from collections.abc import Iterator

from lxml import etree

from testbed.documented.activemq_elements import NAMESPACE
from testbed.errors import BadRequestException

_DESTINATION = (("physicalName",),)
_COMPOSITE = (("name",), ("forwardTo",))
# Of each group an element needs one: an attribute or a child.
_NEEDS = {
    "authorizationEntry": (("queue", "topic", "tempQueue", "tempTopic"),),
    "authorizationMap": (("authorizationEntries",),),
    "authorizationPlugin": (("map",),),
    "compositeQueue": _COMPOSITE,
    "compositeTopic": _COMPOSITE,
    "networkConnector": (("uri",),),
    "queryBasedSubscriptionRecoveryPolicy": (("query",),),
    "queue": _DESTINATION,
    "retainedMessageSubscriptionRecoveryPolicy": (("wrapped",),),
    "tempQueue": _DESTINATION,
    "tempTopic": _DESTINATION,
    "topic": _DESTINATION,
    "virtualDestinationInterceptor": (("virtualDestinations",),),
}
_NOT_IN = {
    ("authorizationEntries", "tempDestinationAuthorizationEntry"),
    ("durableDestinations", "filteredDestination"),
    ("dynamicallyIncludedDestinations", "filteredDestination"),
    ("excludedDestinations", "filteredDestination"),
    ("staticallyIncludedDestinations", "filteredDestination"),
    ("wrapped", "timedSubscriptionRecoveryPolicy"),
}


def check(root: etree._Element) -> None:
    """Raises ``BadRequestException`` for the first element of a sanitised configuration that would keep the broker from starting."""
    for node in root.iter(etree.Element):
        name, parent = _name(node), node.getparent()
        has = {*node.attrib, *map(_name, node)}
        # A collection may have an element's name; it has no attributes and holds others.
        for group in () if _is_collection(node) else _NEEDS.get(name, ()):
            if not has & set(group):
                raise _refusal(f"{name} needs {' or '.join(group)}")
        if parent is not None and (_name(parent), name) in _NOT_IN:
            raise _refusal(f"{_name(parent)} cannot have {name} in it")
    check_names(root)


def check_names(root: etree._Element) -> None:
    """Raises ``BadRequestException`` when two elements have a name: ActiveMQ wants each once, whatever it is the name of."""
    seen: set[str] = set()
    for name in _names(root):
        if name in seen:
            raise _refusal(f"the name {name} is given to more than one element")
        seen.add(name)


def _names(root: etree._Element) -> Iterator[str]:
    for node in root.iter(etree.Element):
        # Of Spring's own elements, only the id names them.
        for attribute in ("id", "name") if etree.QName(node).namespace == NAMESPACE else ("id",):
            yield from filter(None, re.split(r"[,; ]", node.get(attribute, "")))


def _is_collection(node: etree._Element) -> bool:
    """Elements and what holds them alternate, from the broker down."""
    return sum(1 for _ in node.iterancestors()) % 2 == 1


def _name(node: etree._Element) -> str:
    return etree.QName(node).localname


def _refusal(reason: str) -> BadRequestException:
    return BadRequestException(
        f"The broker would not start with this configuration: {reason}.", error_attribute="data"
    )
