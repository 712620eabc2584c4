"""What Amazon MQ's schema permits but ActiveMQ does not start with (tried: 5.18.4 and 5.19.1).

Such a configuration is refused with the reason: better than a broker that does not come back from
a reboot.
"""

import re
from collections.abc import Iterator

from lxml import etree

from testbed.documented.activemq_elements import NAMESPACE
from testbed.errors import BadRequestException

_DESTINATION = (("physicalName",),)
_COMPOSITE = (("name",), ("forwardTo",))
# An element needs one of each group, as an attribute or as a child.
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
    """Raise ``BadRequestException`` if an element keeps the broker from starting.

    ``root`` is a sanitised configuration. The message names the first such element.
    """
    for node in root.iter(etree.Element):
        name, parent = _name(node), node.getparent()
        has = {*node.attrib, *map(_name, node)}
        # A collection may be named like an element; it has no attributes, only elements.
        for group in () if _is_collection(node) else _NEEDS.get(name, ()):
            if not has & set(group):
                raise _refusal(f"{name} needs {' or '.join(group)}")
        if parent is not None and (_name(parent), name) in _NOT_IN:
            raise _refusal(f"{_name(parent)} cannot have {name} in it")
    check_names(root)


def check_names(root: etree._Element) -> None:
    """Raise ``BadRequestException`` if two elements share a name, which ActiveMQ does not allow."""
    seen: set[str] = set()
    for name in _names(root):
        if name in seen:
            raise _refusal(f"the name {name} is given to more than one element")
        seen.add(name)


def _names(root: etree._Element) -> Iterator[str]:
    for node in root.iter(etree.Element):
        # Spring's own elements are named by their id only.
        for attribute in ("id", "name") if etree.QName(node).namespace == NAMESPACE else ("id",):
            yield from filter(None, re.split(r"[,; ]", node.get(attribute, "")))


def _is_collection(node: etree._Element) -> bool:
    """Say whether a node is a collection: they alternate with elements, from the broker down."""
    return sum(1 for _ in node.iterancestors()) % 2 == 1


def _name(node: etree._Element) -> str:
    return str(etree.QName(node).localname)


def _refusal(reason: str) -> BadRequestException:
    return BadRequestException(
        f"The broker would not start with this configuration: {reason}.", error_attribute="data"
    )
