"""A customer's ActiveMQ configuration merged into the broker's: it opens and weakens nothing."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from testbed import paths
from testbed.documented.activemq_elements import ATTRIBUTES, COLLECTIONS, NAMESPACE
from testbed.engines.activemq import startable
from testbed.engines.activemq.configuration import permitted, sanitize
from testbed.engines.activemq.merge import merge
from testbed.errors import BadRequestException

OWN = (paths.data("containers") / "activemq/etc/activemq.xml").read_text()


def broker(inside: str = "", attributes: str = "") -> str:
    return f'<broker xmlns="{NAMESPACE}" {attributes}>{inside}</broker>'


# Any document


FORBIDDEN = [
    "sslContext",
    "bean",
    "import",
    "transportConnectors",
    "transportConnector",
    "jaasAuthenticationPlugin",
    "property",
    "kahaDB",
    "uri",
]
HOSTILE = [
    "tcp://0.0.0.0:61616",
    "static:(vm:(broker:(tcp://0.0.0.0:1)))",
    "${keystore.password}",
    "#{systemProperties}",
    "#broker",
    "a<b&c\"'>",
    "",
    "\t",
]
TYPICAL = {
    "boolean": "true",
    "integer": "5",
    "long": "6000",
    "short": "5",
    "double": "1.5",
    "string": "true",
}


def grown(random: Random, name: str = "broker", depth: int = 0) -> etree._Element:
    """Return a deep document of permitted and some prohibited elements, the same for a seed."""
    node = etree.Element(f"{{{NAMESPACE}}}{name}")
    needed = {attribute for group in startable._NEEDS.get(name, ()) for attribute in group}
    for attribute, value in ATTRIBUTES.get(name, {}).items():
        if attribute in needed or random.random() < 0.2:
            good = (
                "static:(ssl://h:1)"
                if attribute == "uri"
                else f"n{random.random()}"
                if attribute == "name"
                else TYPICAL[value.kind]
            )
            node.set(
                attribute, random.choice([good] if attribute in needed else [good, good, *HOSTILE])
            )
    if random.random() < 0.1:
        node.set(
            random.choice(["directory", "password", "class", "keyStore", "brokerName", "uri"]),
            random.choice(HOSTILE),
        )
    for member, collection in COLLECTIONS.get(name, {}).items():
        if member not in needed and (depth > 3 or random.random() < 0.4):
            continue
        holder = etree.SubElement(node, f"{{{NAMESPACE}}}{member}")
        fit = [
            child
            for child in collection.children
            if (member, child) not in startable._NOT_IN and not child.startswith("query")
        ]
        for child in random.choices(fit, k=random.choice([1, 1, 2])):
            holder.append(grown(random, child, depth + 1))
        if random.random() < 0.1:
            holder.append(grown(random, random.choice([*ATTRIBUTES, *FORBIDDEN]), depth + 2))
    if random.random() < 0.1:
        etree.SubElement(
            node,
            random.choice(["", f"{{{NAMESPACE}}}", "{urn:x}"])
            + random.choice([*ATTRIBUTES, *FORBIDDEN]),
        )
    return node


def written(seed: int) -> str:
    """Return a document, half of them indented and with comments."""
    root = grown(Random(seed))
    if seed % 2:
        for node in list(root.iter(etree.Element))[::3]:
            node.insert(0, etree.Comment("a comment"))
        etree.indent(root)
    text: str = etree.tostring(root, encoding="unicode")
    return text


DOCUMENTS = st.integers(0, 2**32).map(written)


@settings(max_examples=300)
@given(DOCUMENTS)
def test_whatever_goes_in_only_what_is_permitted_comes_out_and_once_is_enough(
    document: str,
) -> None:
    try:
        result = sanitize(document)
    except BadRequestException:
        return
    root = etree.fromstring(result.data.encode())
    assert root.tag == f"{{{NAMESPACE}}}broker"
    assert "${" not in result.data
    assert "#{" not in result.data
    for comment in root.iter(etree.Comment):
        comment.getparent().remove(comment)
    _assert_permitted(root, "broker")
    again = sanitize(result.data)
    assert (again.data, again.warnings) == (result.data, ())
    for content in (document, result.data):
        clean = permitted(content, "5.19")
        assert etree.tostring(clean) == etree.tostring(permitted(result.data, "5.19"))
    if not result.warnings:
        assert result.data == document


def _assert_permitted(node: etree._Element, name: str) -> None:
    assert set(node.attrib) <= set(ATTRIBUTES[name])
    assert not (node.text or "").strip()
    for collection in node:
        member = etree.QName(collection).localname
        assert collection.tag == f"{{{NAMESPACE}}}{member}"
        assert not collection.attrib
        assert {etree.QName(child).localname for child in collection} <= set(
            COLLECTIONS[name][member].children
        )
        for child in collection:
            _assert_permitted(child, etree.QName(child).localname)


def without_customers(text: str) -> list[tuple[str, dict[str, str]]]:
    """Return the elements that decide about listeners, TLS, logins and storage."""
    mine = (
        "bean",
        "sslContext",
        "transportConnector",
        "jaasAuthenticationPlugin",
        "managementContext",
        "kahaDB",
        "property",
    )
    elements = [
        (etree.QName(node).localname, dict(node.attrib))
        for node in etree.fromstring(text.encode()).iter(etree.Element)
    ]
    return [(name, attributes) for name, attributes in elements if name in mine]


@settings(max_examples=200)
@given(DOCUMENTS)
def test_whatever_goes_in_the_brokers_listeners_tls_and_storage_stay_its_own(document: str) -> None:
    try:
        merged = merge(OWN, document, "5.19")
    except BadRequestException:
        return
    allowed = {*ATTRIBUTES["transportConnector"], *ATTRIBUTES["kahaDB"]}
    for (name, attributes), (merged_name, merged_attributes) in zip(
        without_customers(OWN), without_customers(merged), strict=True
    ):
        assert name == merged_name
        assert attributes.items() <= merged_attributes.items()
        assert set(merged_attributes) - set(attributes) <= allowed


# Merging


def test_customers_settings_are_put_on_the_brokers_own_elements() -> None:
    text = broker(
        "<persistenceAdapter><kahaDB concurrentStoreAndDispatchQueues='false'/>"
        "</persistenceAdapter>"
        "<plugins><statisticsBrokerPlugin/><redeliveryPlugin/></plugins>"
        "<systemUsage><systemUsage sendFailIfNoSpace='true'>"
        "<memoryUsage><memoryUsage percentOfJvmHeap='50'/></memoryUsage>"
        "</systemUsage></systemUsage>"
        "<transportConnectors>"
        "<transportConnector name='openwire' rebalanceClusterClients='true'/>"
        "</transportConnectors>"
        "<destinations><queue physicalName='FOO'/></destinations>",
        "persistent='true'",
    )
    root = etree.fromstring(merge(OWN, text, "5.19").encode())

    def all_of(name: str) -> list[dict[str, str]]:
        return [dict(node.attrib) for node in root.iter(f"{{{NAMESPACE}}}{name}")]

    assert all_of("kahaDB") == [
        {
            "directory": "/data/broker/kahadb",
            "journalMaxFileLength": "16mb",
            "concurrentStoreAndDispatchQueues": "false",
        }
    ]
    assert [
        etree.QName(plugin).localname for plugin in root.find(f".//{{{NAMESPACE}}}plugins")
    ] == [
        "jaasAuthenticationPlugin",
        "statisticsBrokerPlugin",
        "redeliveryPlugin",
    ]
    assert all_of("memoryUsage") == [{}, {"percentOfJvmHeap": "50"}]
    assert len(all_of("storeUsage")) == 2
    assert [
        connector.get("rebalanceClusterClients") for connector in all_of("transportConnector")
    ] == [
        "true",
        None,
        None,
        None,
        None,
    ]
    assert all_of("queue") == [{"physicalName": "FOO"}]
    [root_element] = all_of("broker")
    assert (root_element["brokerName"], root_element["persistent"]) == ("${broker.name}", "true")
    assert root_element["schedulerSupport"] == "true", "the redelivery plugin needs it"


def test_a_name_that_the_brokers_own_configuration_has_is_refused() -> None:
    with pytest.raises(BadRequestException, match="the name openwire"):
        merge(
            OWN,
            broker(
                "<networkConnectors><networkConnector name='openwire' uri='static:(ssl://h:1)'/></networkConnectors>"
            ),
            "5.19",
        )


def test_control_a_merge_that_does_not_sanitise_opens_what_these_checks_look_for() -> None:
    text = broker(
        "<transportConnectors><transportConnector name='evil' uri='tcp://0.0.0.0:61616'/></transportConnectors>"
    )
    root = etree.fromstring(OWN.encode())
    root.find(f".//{{{NAMESPACE}}}transportConnectors").extend(etree.fromstring(text)[0])
    unsanitised = etree.tostring(root, encoding="unicode")
    assert without_customers(unsanitised) != without_customers(OWN)
    with pytest.raises(AssertionError):
        _assert_permitted(etree.fromstring(text), "broker")
