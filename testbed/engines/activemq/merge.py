"""A sanitised configuration put into the broker's own, which keeps its listeners, its TLS, its login and its storage."""

from collections.abc import Mapping

from lxml import etree

from testbed import paths
from testbed.documented.activemq_elements import DEFAULT, NAMESPACE
from testbed.engines.activemq.configuration import sanitize
from testbed.engines.activemq.startable import check_names
from testbed.engines.base import NodeSpec

# Where both have an element, the customer's permitted attributes go onto the broker's.
_OURS = {
    "persistenceAdapter": "kahaDB",
    "systemUsage": "systemUsage",
}
_OPENWIRE = "openwire"
_FILE = "etc/activemq.xml"


def files(node: NodeSpec, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """``rendered`` with the node's configuration in its ``etc/activemq.xml``, which is the image's where it has none."""
    own = rendered[_FILE].decode() if _FILE in rendered else _image_own()
    return {**rendered, _FILE: merge(own, node.configuration or DEFAULT, node.version).encode()}


def check(data: str, version: str) -> None:
    """Raises ``BadRequestException`` for a configuration that cannot be put into the broker's own."""
    merge(_image_own(), data, version)


def merge(own: str, data: str, version: str) -> str:
    """``own``, the broker's configuration file, with what ``data``, a customer's, adds to it.

    ``data`` is sanitised once more: what was not permitted cannot get in by another way. Raises as ``sanitize`` does.
    """
    root = etree.fromstring(own.encode())
    broker = root.find(_tag("broker"))
    customers = etree.fromstring(sanitize(data, version).data.encode())
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
        broker.set(
            "schedulerSupport", "true"
        )  # it schedules what it delivers again, and does not start without
    check_names(root)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True).decode()


def _image_own() -> str:
    return (paths.data("containers") / "activemq" / _FILE).read_text()


def _set_openwire(broker: etree._Element, collection: etree._Element) -> None:
    """The service has one listener that these options are for; whichever else is named does not exist."""
    own = next(
        each for each in broker.iter(_tag("transportConnector")) if each.get("name") == _OPENWIRE
    )
    for connector in collection:
        if connector.get("name") == _OPENWIRE:
            _overlay(own, connector)


def _overlay(own: etree._Element, customers: etree._Element) -> None:
    """The attributes, and the same for elements that both have."""
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
