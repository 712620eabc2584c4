"""A customer's ActiveMQ configuration, sanitised as the service does it.

The service "automatically sanitizes and removes invalid and prohibited configuration parameters"
and reports what it removed (GUIDE22, "amazon-mq-broker-configuration-parameters"; API,
UpdateConfiguration). The rest is rebuilt out of permitted names, so nothing else can be in it: no
listening address, no TLS setting, no bean, no storage location.

How the service answers a document that it cannot parse is not documented; here it is a
BadRequestException of one line. So is a configuration that no broker would start with: a refusal
is better than a broker that does not come up.
"""

from collections.abc import Iterator

from lxml import etree

from testbed.documented.activemq_elements import (
    ATTRIBUTES,
    COLLECTIONS,
    DISALLOWED_ATTRIBUTE,
    DISALLOWED_ELEMENT,
    INVALID_VALUE,
    NAMESPACE,
    ROOT,
    SINCE,
    WARNINGS_MAX,
)
from testbed.documented.engines import DEFAULT_VERSION
from testbed.engines.activemq import startable, values
from testbed.engines.base import SanitizationWarning, Sanitized
from testbed.engines.urls import check_no_credentials_in_url
from testbed.errors import BadRequestException

_DATA = "data"  # UpdateConfiguration's member


def sanitize(data: str, version: str = DEFAULT_VERSION["ACTIVEMQ"]) -> Sanitized:
    """Remove what Amazon MQ does not permit in a configuration for ``version`` (major.minor).

    Comments are dropped. Raises ``BadRequestException`` for a document that is not XML, has a DTD,
    or is not a ``broker`` of ActiveMQ's namespace; for credentials in a URL, which the message does
    not repeat; and for elements that the broker would not start with.
    """
    root = _parsed(data)
    for value in _values(root):
        if "://" in value:
            check_no_credentials_in_url(value, _DATA)
    sanitizer = _Sanitizer(version)
    clean = sanitizer.element(root, ROOT)
    startable.check(clean)
    etree.indent(clean)
    text = etree.tostring(clean, encoding="unicode")
    return Sanitized(
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}\n',
        tuple(sanitizer.warnings[:WARNINGS_MAX]),
    )


def _parsed(data: str) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(data.encode(), parser)
    except UnicodeEncodeError:
        raise _refusal("The configuration is not text.") from None
    except etree.XMLSyntaxError as error:
        # libxml2 quotes the text it failed on, which may be a secret: the position is enough.
        line, column = error.position
        raise _refusal(
            f"The configuration is not well-formed XML (line {line}, column {column})."
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refusal(
            "The configuration has a document type declaration, which Amazon MQ does not take."
        )
    if _local(root) != ROOT:
        raise _refusal(f'The configuration has to be one <{ROOT} xmlns="{NAMESPACE}"> element.')
    return root


def _values(root: etree._Element) -> Iterator[str]:
    for node in root.iter(etree.Element):
        yield from node.attrib.values()
        yield from (text for text in (node.text, node.tail) if text)


def _local(node: etree._Element) -> str:
    """Return the element's name; empty for comments and for another namespace."""
    name = etree.QName(node) if isinstance(node.tag, str) else None
    return name.localname if name and name.namespace == NAMESPACE else ""


def _shown(name: str) -> str:
    return str(etree.QName(name).localname)


def _refusal(message: str) -> BadRequestException:
    return BadRequestException(message, error_attribute=_DATA)


class _Sanitizer:
    """Builds the permitted part of one document, and records what it leaves out."""

    def __init__(self, version: str) -> None:
        self.version = tuple(map(int, version.split(".")))
        self.warnings: list[SanitizationWarning] = []

    def element(self, node: etree._Element, name: str) -> etree._Element:
        clean = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE})
        for attribute, text in node.attrib.items():
            if attribute not in ATTRIBUTES[name] or not self._known(name, attribute):
                self._removed(DISALLOWED_ATTRIBUTE, name, _shown(attribute))
            elif (value := values.clean(name, attribute, text)) is None:
                self._removed(INVALID_VALUE, name, attribute)
            else:
                clean.set(attribute, value)
        for child in self._children(node, name):
            self._collection(clean, name, child)
        return clean

    def _collection(self, parent: etree._Element, name: str, node: etree._Element) -> None:
        """Add ``node``, a collection of elements, to ``parent``, if that may have it."""
        local = _local(node)
        collection = COLLECTIONS.get(name, {}).get(local)
        tag = f"{{{NAMESPACE}}}{local}"
        if collection is None or (collection.single and parent.find(tag) is not None):
            self._removed(DISALLOWED_ELEMENT, _shown(node.tag))
            return
        for attribute in node.attrib:
            self._removed(DISALLOWED_ATTRIBUTE, local, _shown(attribute))
        held: list[etree._Element] = []
        for child in self._children(node, local):
            if _local(child) in collection.children and not (collection.single and held):
                held.append(self.element(child, _local(child)))
            else:
                self._removed(DISALLOWED_ELEMENT, _shown(child.tag))
        if held:  # an empty collection has no meaning
            etree.SubElement(parent, tag).extend(held)

    def _children(self, node: etree._Element, name: str) -> Iterator[etree._Element]:
        """Yield the child elements. Text between them is reported as removed."""
        if any(text and text.strip() for text in (node.text, *(child.tail for child in node))):
            self._removed(DISALLOWED_ELEMENT, "#text")
        yield from (child for child in node if isinstance(child.tag, str))

    def _known(self, name: str, attribute: str) -> bool:
        since = SINCE.get((name, attribute))
        return since is None or self.version >= tuple(map(int, since.split(".")))

    def _removed(self, reason: str, element: str, attribute: str = "") -> None:
        self.warnings.append(SanitizationWarning(reason, element, attribute))
