"""A customer's ActiveMQ configuration, sanitised as the service does it.

The service "automatically sanitizes and removes invalid and prohibited configuration parameters"
and reports what it removed (GUIDE22, "amazon-mq-broker-configuration-parameters"; API,
UpdateConfiguration). The rest of the text stays as it was sent, with its comments, so that sending
it back is no change. A broker gets the permitted part rebuilt out of permitted names, so nothing
else can be in it: no listening address, no TLS setting, no bean, no storage location.

How the service answers a document that it cannot parse is not documented; here it is a
BadRequestException of one line. So is a configuration that no broker would start with: a refusal
is better than a broker that does not come up.
"""

import re
from collections.abc import Iterator

from lxml import etree

from testbed.documented.activemq_elements import (
    ATTRIBUTES,
    COLLECTIONS,
    DISALLOWED_ATTRIBUTE,
    DISALLOWED_ELEMENT,
    INVALID_VALUE,
    LDAP_MAP,
    NAMESPACE,
    ROOT,
    SINCE,
    WARNINGS_MAX,
)
from testbed.documented.engines import DEFAULT_VERSION
from testbed.engines.activemq import startable, values
from testbed.engines.base import SanitizationWarning, Sanitized
from testbed.errors import BadRequestException

_DATA = "data"  # UpdateConfiguration's member
_DECLARATION = re.compile(r"\s*<\?xml\s.*?\?>\s*", re.DOTALL)


def sanitize(data: str, version: str = DEFAULT_VERSION["ACTIVEMQ"]) -> Sanitized:
    """Remove what Amazon MQ does not permit in a configuration for ``version`` (major.minor).

    Returns ``data`` itself if there is nothing to remove. Raises ``BadRequestException`` for a
    document that is not XML, has a DTD, or is not a ``broker`` of ActiveMQ's namespace; for an LDAP
    server's users; and for elements that the broker would not start with.
    """
    root = _parsed(data)
    sanitizer = _Sanitizer(version)
    startable.check(sanitizer.element(root, ROOT))
    if not sanitizer.warnings:
        return Sanitized(data)
    sanitizer.prune()
    return Sanitized(_written(root, data), tuple(sanitizer.warnings[:WARNINGS_MAX]))


def permitted(data: str, version: str) -> etree._Element:
    """Return the permitted part of a configuration, rebuilt. Raises as ``sanitize`` does."""
    clean = _Sanitizer(version).element(_parsed(data), ROOT)
    startable.check(clean)
    return clean


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


def _written(root: etree._Element, data: str) -> str:
    """Return the document of ``root``, which was parsed from ``data``, on lines as there."""
    declaration = _DECLARATION.match(data)
    comments = list(root.itersiblings(preceding=True))
    nodes = [*reversed(comments), root, *root.itersiblings()]
    texts = [etree.tostring(node, encoding="unicode", with_tail=False) for node in nodes]
    lines = [declaration[0].strip(), *texts] if declaration else texts
    return "\n".join(lines) + "\n" * data.endswith("\n")


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
        self._attributes: list[tuple[etree._Element, str]] = []
        self._elements: list[etree._Element] = []
        self._texts: list[etree._Element] = []  # the elements with text between their children

    def element(self, node: etree._Element, name: str) -> etree._Element:
        """Return the permitted part of ``node``, without comments and empty collections."""
        clean = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE})
        for attribute, text in node.attrib.items():
            if attribute not in ATTRIBUTES[name] or not self._known(name, attribute):
                self._remove_attribute(DISALLOWED_ATTRIBUTE, node, name, attribute)
            elif (value := values.clean(name, attribute, text)) is None:
                self._remove_attribute(INVALID_VALUE, node, name, attribute)
            else:
                clean.set(attribute, value)
        seen: set[str] = set()
        for child in self._children(node):
            self._collection(clean, name, child, seen)
        return clean

    def prune(self) -> None:
        """Remove from the document itself what ``element`` left out."""
        for node, attribute in self._attributes:
            del node.attrib[attribute]
        for node in self._elements:
            parent, previous = node.getparent(), node.getprevious()
            assert parent is not None
            # What follows takes the place of the element and of the white space before it.
            if previous is not None:
                previous.tail = _text(previous.tail) + (node.tail or "")
            else:
                parent.text = _text(parent.text) + (node.tail or "")
            node.tail = None
            parent.remove(node)
        for node in self._texts:
            node.text = _white(node.text)
            for child in node:
                child.tail = _white(child.tail)

    def _collection(
        self, parent: etree._Element, name: str, node: etree._Element, seen: set[str]
    ) -> None:
        """Add ``node``, a collection of elements, to ``parent``, if that may have it."""
        local = _local(node)
        collection = COLLECTIONS.get(name, {}).get(local)
        if collection is None or (collection.single and local in seen):
            self._remove_element(node)
            return
        for attribute in node.attrib:
            self._remove_attribute(DISALLOWED_ATTRIBUTE, node, local, attribute)
        held: list[etree._Element] = []
        for child in self._children(node):
            if _local(child) == LDAP_MAP:
                raise _refusal(
                    f"The testbed does not offer LDAP, whose groups {LDAP_MAP} reads. "
                    "Use authorizationMap."
                )
            if _local(child) in collection.children and not (collection.single and held):
                held.append(self.element(child, _local(child)))
            else:
                self._remove_element(child)
        if held:  # an empty collection has no meaning
            seen.add(local)
            etree.SubElement(parent, f"{{{NAMESPACE}}}{local}").extend(held)

    def _children(self, node: etree._Element) -> Iterator[etree._Element]:
        """Yield the child elements. Text between them is reported as removed."""
        if any(text and text.strip() for text in (node.text, *(child.tail for child in node))):
            self.warnings.append(SanitizationWarning(DISALLOWED_ELEMENT, "#text"))
            self._texts.append(node)
        yield from (child for child in node if isinstance(child.tag, str))

    def _known(self, name: str, attribute: str) -> bool:
        since = SINCE.get((name, attribute))
        return since is None or self.version >= tuple(map(int, since.split(".")))

    def _remove_attribute(
        self, reason: str, node: etree._Element, name: str, attribute: str
    ) -> None:
        self.warnings.append(SanitizationWarning(reason, name, _shown(attribute)))
        self._attributes.append((node, attribute))

    def _remove_element(self, node: etree._Element) -> None:
        self.warnings.append(SanitizationWarning(DISALLOWED_ELEMENT, _shown(node.tag)))
        self._elements.append(node)


def _text(text: str | None) -> str:
    """Return a text, and nothing for white space."""
    return text if text and text.strip() else ""


def _white(text: str | None) -> str | None:
    """Return white space, and nothing for another text."""
    return None if text and text.strip() else text
