"""The addresses of other servers in a customer's configuration."""

import re
from collections.abc import Iterator

from lxml import etree

_SETTING = re.compile(r"([A-Za-z0-9_.-]+)\s*=\s*(\S.*)")
_SERVERS = re.compile(r"\.servers\.\d+\Z")  # LDAP servers, which need no scheme


def configured(engine_type: str, data: str) -> Iterator[tuple[str, str]]:
    """Yield where each URL stands, and the URL. What cannot be read has none."""
    return _in_xml(data) if engine_type == "ACTIVEMQ" else _in_settings(data)


def _in_xml(data: str) -> Iterator[tuple[str, str]]:
    # It was text: whatever encoding its declaration names, such as .NET's utf-16, it has no longer.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, recover=True
    )
    root = etree.fromstring(data.encode(errors="replace"), parser) if data.strip() else None
    for element in () if root is None else root.getroottree().iter(etree.Element, etree.Comment):
        name = etree.QName(element).localname if isinstance(element.tag, str) else "comment"
        for attribute, value in element.attrib.items():
            if "://" in value:
                yield f"{name} {etree.QName(attribute).localname}", value
        if element.text and "://" in element.text:
            yield f"{name} text", element.text


def _in_settings(data: str) -> Iterator[tuple[str, str]]:
    for line in data.splitlines():
        match = _SETTING.match(line.strip())
        if match and ("://" in match[2] or _SERVERS.search(match[1])):
            yield f"setting {match[1]}", match[2]
