"""Merges a sanitised configuration into the broker's own.

The broker keeps its listeners, its TLS, its login and its storage.
"""

from collections.abc import Mapping

from lxml import etree

from testbed import paths
from testbed.documented.activemq_elements import DEFAULT, NAMESPACE
from testbed.engines.activemq.configuration import permitted
from testbed.engines.activemq.startable import check_names
from testbed.engines.base import NodeSpec

# Where both have an element, the customer's permitted attributes override the broker's.
_OURS = {
    "persistenceAdapter": "kahaDB",
    "systemUsage": "systemUsage",
}
_OPENWIRE = "openwire"
_FILE = "etc/activemq.xml"


def files(node: NodeSpec, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``rendered`` with the node's configuration merged into ``etc/activemq.xml``.

    Without that file, the image's is used.
    """
    own = rendered[_FILE].decode() if _FILE in rendered else _image_own()
    return {**rendered, _FILE: merge(own, node.configuration or DEFAULT, node.version).encode()}


def check(data: str, version: str) -> None:
    """Raise ``BadRequestException`` for a configuration that cannot be merged."""
    merge(_image_own(), data, version)


def merge(own: str, data: str, version: str) -> str:
    """Merge ``data``, a customer's configuration, into ``own``, the broker's.

    ``data`` is sanitised once more: prohibited parameters cannot get in another way. Raises as
    ``permitted`` does.
    """
    root = etree.fromstring(own.encode())
    broker = root.find(_tag("broker"))
    customers = permitted(data, version)
    for name, value in customers.attrib.items():
        broker.set(name, value)
    for collection in customers:
        name = etree.QName(collection).localname
        present = broker.find(_tag(name))
        if name == "transportConnectors":
            _set_openwire(broker, collection)
        elif name in _OURS:
            _overlay(present.find(_tag(_OURS[name])), collection[0])
        elif present is not None:
            present.extend(collection)
        else:
            broker.append(collection)
    if broker.find(f".//{_tag('redeliveryPlugin')}") is not None:
        # The plugin schedules redeliveries, and does not start without the scheduler.
        broker.set("schedulerSupport", "true")
    check_names(root)
    etree.cleanup_namespaces(root)
    merged: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return merged.decode()


def _image_own() -> str:
    return (paths.data("containers") / "activemq" / _FILE).read_text()


def _set_openwire(broker: etree._Element, collection: etree._Element) -> None:
    """Set options of the OpenWire listener. Other connectors do not exist in the service."""
    own = next(
        connector
        for connector in broker.iter(_tag("transportConnector"))
        if connector.get("name") == _OPENWIRE
    )
    for connector in collection:
        if connector.get("name") == _OPENWIRE:
            _overlay(own, connector)


def _overlay(own: etree._Element, customers: etree._Element) -> None:
    """Copy the attributes, and do the same for the elements that both have."""
    for name, value in customers.attrib.items():
        own.set(name, value)
    for child in customers:
        present = own.find(child.tag)
        if present is None:
            own.append(child)
        else:
            _overlay(present, child)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
