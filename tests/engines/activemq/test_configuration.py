"""A customer's ActiveMQ configuration: what is taken out of it, and what it is refused for."""

import time

import pytest
from lxml import etree

from testbed.documented.activemq_elements import (
    ATTRIBUTES,
    COLLECTIONS,
    DEFAULT,
    DISALLOWED_ATTRIBUTE,
    DISALLOWED_ELEMENT,
    INVALID_VALUE,
    NAMESPACE,
    ROOT,
    SINCE,
)
from testbed.engines.activemq import values
from testbed.engines.activemq.configuration import permitted, sanitize
from testbed.engines.base import SanitizationWarning
from testbed.errors import BadRequestException

POLICY = (
    "<destinationPolicy><policyMap><policyEntries>{}"
    "</policyEntries></policyMap></destinationPolicy>"
)
NETWORK = '<networkConnectors><networkConnector name="n" userName="u" {}/></networkConnectors>'


def broker(inside: str = "", attributes: str = "") -> str:
    return f'<broker xmlns="{NAMESPACE}" {attributes}>{inside}</broker>'


def names(text: str) -> set[str]:
    return {
        etree.QName(node).localname for node in etree.fromstring(text.encode()).iter(etree.Element)
    }


def warned(text: str, version: str = "5.19") -> list[tuple[str, str, str]]:
    return [
        (warning.reason, warning.element_name, warning.attribute_name)
        for warning in sanitize(text, version).warnings
    ]


def refusal(text: str) -> BadRequestException:
    with pytest.raises(BadRequestException) as caught:
        sanitize(text)
    assert (caught.value.error_attribute, caught.value.status) == ("data", 400)
    assert "\n" not in caught.value.message
    return caught.value


def test_every_element_has_a_place_and_its_attributes() -> None:
    placed = {
        child
        for collections in COLLECTIONS.values()
        for collection in collections.values()
        for child in collection.children
    }
    assert placed | {ROOT} == ATTRIBUTES.keys()
    assert COLLECTIONS.keys() <= ATTRIBUTES.keys()
    assert all(attribute in ATTRIBUTES[element] for element, attribute in SINCE)


# What is taken out


REMOVED = [
    (
        broker("<sslContext><sslContext keyStore='file:x'/></sslContext>"),
        (DISALLOWED_ELEMENT, "sslContext", ""),
    ),
    (
        broker("<managementContext><managementContext/></managementContext>"),
        (DISALLOWED_ELEMENT, "managementContext", ""),
    ),
    (
        broker("<plugins><simpleAuthenticationPlugin/></plugins>"),
        (DISALLOWED_ELEMENT, "simpleAuthenticationPlugin", ""),
    ),
    (
        broker("<bean xmlns='http://www.springframework.org/schema/beans' class='X'/>"),
        (DISALLOWED_ELEMENT, "bean", ""),
    ),
    (
        broker("<import xmlns='http://www.springframework.org/schema/beans' resource='x'/>"),
        (DISALLOWED_ELEMENT, "import", ""),
    ),
    (
        broker("<destinations xmlns=''><queue/></destinations>"),
        (DISALLOWED_ELEMENT, "destinations", ""),
    ),
    (broker("<queue physicalName='q'/>"), (DISALLOWED_ELEMENT, "queue", "")),
    (
        broker("<destinations>text<queue physicalName='q'/></destinations>"),
        (DISALLOWED_ELEMENT, "#text", ""),
    ),
    (
        broker("<persistenceAdapter><jdbcPersistenceAdapter/></persistenceAdapter>"),
        (DISALLOWED_ELEMENT, "jdbcPersistenceAdapter", ""),
    ),
    (
        broker("<persistenceAdapter><kahaDB/><kahaDB/></persistenceAdapter>"),
        (DISALLOWED_ELEMENT, "kahaDB", ""),
    ),
    (
        broker("<persistenceAdapter><kahaDB/></persistenceAdapter>" * 2),
        (DISALLOWED_ELEMENT, "persistenceAdapter", ""),
    ),
    (
        broker("<persistenceAdapter><kahaDB directory='/tmp'/></persistenceAdapter>"),
        (DISALLOWED_ATTRIBUTE, "kahaDB", "directory"),
    ),
    (
        broker("<destinations b='c'><queue physicalName='q'/></destinations>"),
        (DISALLOWED_ATTRIBUTE, "destinations", "b"),
    ),
    (broker("", "brokerName='x'"), (DISALLOWED_ATTRIBUTE, "broker", "brokerName")),
    (broker("", "useJmx='true'"), (DISALLOWED_ATTRIBUTE, "broker", "useJmx")),
    (
        broker("", "xmlns:x='urn:x' x:persistent='false'"),
        (DISALLOWED_ATTRIBUTE, "broker", "persistent"),
    ),
    (
        broker(
            "<transportConnectors><transportConnector uri='tcp://0.0.0.0:61616'/></transportConnectors>"
        ),
        (DISALLOWED_ATTRIBUTE, "transportConnector", "uri"),
    ),
    (
        broker("<transportConnectors><transportConnector name='evil'/></transportConnectors>"),
        (INVALID_VALUE, "transportConnector", "name"),
    ),
    (broker("", "persistent='${x}'"), (INVALID_VALUE, "broker", "persistent")),
    (
        broker("<destinations><queue physicalName='q' DLQ='#{true}'/></destinations>"),
        (INVALID_VALUE, "queue", "DLQ"),
    ),
    (
        broker(POLICY.format("<policyEntry topic='&gt;' memoryLimit='&#36;{x}'/>")),
        (INVALID_VALUE, "policyEntry", "memoryLimit"),
    ),
    (broker("", "systemUsage='#bean'"), (INVALID_VALUE, "broker", "systemUsage")),
    (broker("", "taskRunnerPriority='99'"), (INVALID_VALUE, "broker", "taskRunnerPriority")),
    (
        broker("<persistenceAdapter><kahaDB checkpointInterval='4999'/></persistenceAdapter>"),
        (INVALID_VALUE, "kahaDB", "checkpointInterval"),
    ),
    *(
        (
            broker(
                "<systemUsage><systemUsage><memoryUsage>"
                f"<memoryUsage percentOfJvmHeap='{percent}'/>"
                "</memoryUsage></systemUsage></systemUsage>"
            ),
            (INVALID_VALUE, "memoryUsage", "percentOfJvmHeap"),
        )
        for percent in (-1, 71)
    ),
    (
        broker(NETWORK.format("uri='static:(ssl://h:1)' password='p'")),
        (DISALLOWED_ATTRIBUTE, "networkConnector", "password"),
    ),
    (
        broker(
            NETWORK.format("uri='static:(ssl://h:1)' localUri='vm:(broker:(tcp://0.0.0.0:61616))'")
        ),
        (INVALID_VALUE, "networkConnector", "localUri"),
    ),
]


@pytest.mark.parametrize(
    ("text", "warning"),
    REMOVED,
    ids=["-".join(filter(None, warning[1:])) for _, warning in REMOVED],
)
def test_what_is_not_permitted_is_removed_and_named(
    text: str, warning: tuple[str, str, str]
) -> None:
    assert warned(text) == [warning]
    left = sanitize(text).data
    if warning[0] == DISALLOWED_ELEMENT and warning[1] not in ("kahaDB", "persistenceAdapter"):
        assert warning[1] not in names(left)
    elif warning[2]:
        assert all(
            not node.get(warning[2])
            for node in etree.fromstring(left.encode()).iter(f"{{{NAMESPACE}}}{warning[1]}")
        )


def test_a_warning_has_the_apis_names() -> None:
    assert SanitizationWarning(INVALID_VALUE, "broker", "persistent").describe() == {
        "AttributeName": "persistent",
        "ElementName": "broker",
        "Reason": "INVALID_ATTRIBUTE_VALUE_REMOVED",
    }
    assert SanitizationWarning(DISALLOWED_ELEMENT, "sslContext").describe() == {
        "ElementName": "sslContext",
        "Reason": "DISALLOWED_ELEMENT_REMOVED",
    }


def test_twenty_warnings_are_the_most() -> None:
    text = broker("<sslContext/>" * 30)
    assert len(sanitize(text).warnings) == 20
    assert sanitize(text).data == f'<broker xmlns="{NAMESPACE}"></broker>'


WRITTEN = f"""\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- ours -->
<broker xmlns="{NAMESPACE}" persistent=' true '>
  <!-- all queues -->
  <destinationPolicy><policyMap><policyEntries>

    <policyEntry queue="&gt;"   memoryLimit="64 mb"><!-- c --><dispatchPolicy>
        <roundRobinDispatchPolicy></roundRobinDispatchPolicy></dispatchPolicy></policyEntry>
  </policyEntries></policyMap></destinationPolicy>
  <plugins>
  </plugins>
</broker>
"""


@pytest.mark.parametrize(
    "text", [WRITTEN, DEFAULT, WRITTEN.rstrip(), WRITTEN.replace("\n", "\r\n"), broker()]
)
def test_what_is_permitted_stays_as_it_was_written(text: str) -> None:
    assert (sanitize(text).data, sanitize(text).warnings) == (text, ())


def test_what_is_removed_leaves_the_rest_as_it_was_written() -> None:
    more = WRITTEN.replace(" persistent", ' brokerName="x" persistent').replace(
        "  <plugins>", "  <sslContext/>\n  <plugins>\n    <simpleAuthenticationPlugin/>"
    )
    result = sanitize(more)
    assert len(result.warnings) == 3
    # libxml2 writes tags its own way.
    written = WRITTEN.replace("' true '", '" true "').replace("   memory", " memory")
    assert result.data == written.replace("></roundRobinDispatchPolicy>", "/>")
    assert sanitize(result.data).data == result.data


def test_a_broker_gets_values_without_white_space_and_no_comments() -> None:
    clean = permitted(WRITTEN, "5.19")
    assert clean.get("persistent") == "true"
    [entry] = clean.iter(f"{{{NAMESPACE}}}policyEntry")
    assert dict(entry.attrib) == {"queue": ">", "memoryLimit": "64 mb"}
    text = etree.tostring(clean, encoding="unicode")
    assert "roundRobinDispatchPolicy" in names(text)
    assert "plugins" not in names(text), "an empty collection says nothing"
    assert "<!--" not in text


def test_an_older_version_has_its_own_attributes() -> None:
    text = broker("", 'maxUncommittedCount="5"')
    assert warned(text, "5.19") == []
    assert warned(text, "5.18") == [(DISALLOWED_ATTRIBUTE, "broker", "maxUncommittedCount")]


@pytest.mark.parametrize(
    "uri",
    [
        "static:(ssl://b-1234-1.mq.us-east-2.amazonaws.com:61617)",
        "masterslave:(ssl://h:61617,ssl://g:61617)",
        "static:failover:(ssl://h:1,ssl://g:2)?randomize=false&amp;maxReconnectAttempts=0",
        "static:(ssl://orders:hunter2@other:61617)",
        "static:(ssl://[::1]:61617)",
    ],
)
def test_a_network_connector_to_other_brokers_over_tls_stays(uri: str) -> None:
    assert warned(broker(NETWORK.format(f'uri="{uri}" duplex="true"'))) == []


@pytest.mark.parametrize(
    "uri",
    [
        "static:(tcp://h:61616)",
        "static:(ssl://h:1,tcp://h:1)",
        "vm://localhost",
        "static:(vm:(broker:(tcp://0.0.0.0:61616)))",
        "static:(vm://x?brokerConfig=xbean:http://h/x.xml)",
        "static:(ssl://h:1?socket.verifyHostName=false)",
        "static:(ssl://h:1)?nested.socket.verifyHostName=false",
        "static:(ssl://h:1?socket.enabledCipherSuites=X)",
        "multicast://default",
        "static:(http://h:1)",
        "masterslave:(ssl://h:1, ssl://g:1)",
        "ssl://h:1",
        "",
    ],
)
def test_one_by_another_way_does_not(uri: str) -> None:
    assert values.clean("networkConnector", "uri", uri.replace("&amp;", "&")) is None
    refusal(broker(NETWORK.format(f'uri="{uri}"')))  # without one it would not start


@pytest.mark.parametrize(
    ("element", "attribute", "good", "bad"),
    [
        ("queue", "DLQ", ["true", "false", "0", "1", " true\n"], ["yes", "TRUE", "2", ""]),
        ("broker", "persistent", ["true", "FALSE"], ["1", "no", ""]),
        (
            "broker",
            "maxUncommittedCount",
            ["0", "-1", "+7", "2147483647"],
            ["2147483648", "1.0", "0x1", "ten", "", "٣"],
        ),
        (
            "kahaDB",
            "journalDiskSyncInterval",
            ["9223372036854775807"],
            ["9223372036854775808", "1e3"],
        ),
        ("redeliveryPolicy", "collisionAvoidancePercent", ["32767"], ["32768"]),
        (
            "redeliveryPolicy",
            "backOffMultiplier",
            ["5", "-.5", "1.5e3"],
            ["NaN", "INF", "1,5", "."],
        ),
        ("kahaDB", "journalDiskSyncStrategy", ["always", "periodic", "never"], ["Always", ""]),
        (
            "policyEntry",
            "memoryLimit",
            ["0", "64mb", "5 GB", "1k"],
            ["64 tb", "-1", "9999999999 gb", "1.5mb"],
        ),
        ("networkConnector", "prefetchSize", ["1000"], ["3 gb", "x"]),
        (
            "topic",
            "physicalName",
            ["A.B", "größe", "a b"],
            ["", " ", "${x}", "x#{1}", "#ref", " ##{1}", "#null"],
        ),
    ],
)
def test_a_value_is_one_of_its_type(
    element: str, attribute: str, good: list[str], bad: list[str]
) -> None:
    assert [value for value in good if values.clean(element, attribute, value) is None] == []
    assert [value for value in bad if values.clean(element, attribute, value) is not None] == []


# What is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<broker",
        broker("<a>"),
        f"<broker xmlns='{NAMESPACE}'>\x00</broker>",
        broker("&undefined;"),
        "\ud800",
        "<?xml version='1.0'?>",
        broker("<x>" * 5000 + "</x>" * 5000),
    ],
)
def test_what_is_not_xml_is_refused(text: str) -> None:
    assert "not well-formed" in refusal(text).message or "not text" in refusal(text).message


@pytest.mark.parametrize(
    "text",
    [
        "<broker/>",
        "<beans xmlns='http://www.springframework.org/schema/beans'/>",
        f"<policyEntry xmlns='{NAMESPACE}'/>",
        (
            "<beans xmlns='http://www.springframework.org/schema/beans'>"
            f"<broker xmlns='{NAMESPACE}'/></beans>"
        ),
        "<broker xmlns='http://activemq.org/config/1.0'/>",
    ],
)
def test_what_is_no_broker_of_activemqs_namespace_is_refused(text: str) -> None:
    assert NAMESPACE in refusal(text).message


BOMB = (
    "<!DOCTYPE b [<!ENTITY a0 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 20))
    + "]>"
)


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE broker>",
        "<!DOCTYPE broker SYSTEM 'http://127.0.0.1:1/x.dtd'>",
        "<!DOCTYPE b [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>",
        BOMB,
    ],
)
def test_a_document_type_declaration_is_refused_whatever_is_in_it(declaration: str) -> None:
    started = time.monotonic()
    for use in (
        "",
        "<destinations><queue physicalName='&x;'/></destinations>",
        "<destinations>&a19;</destinations>",
    ):
        message = refusal(declaration + broker(use)).message
        assert "root:" not in message
        assert "document type declaration" in message or "not well-formed" in message
    assert time.monotonic() - started < 30


def test_what_is_not_xml_is_not_repeated() -> None:
    error = refusal(broker("<queue physicalName='hunter2hunter2"))
    assert "hunter2" not in repr((error, error.args, error.__cause__))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (broker("<plugins><authorizationPlugin/></plugins>"), "authorizationPlugin needs map"),
        (
            broker(
                "<plugins><authorizationPlugin><map><authorizationMap/></map></authorizationPlugin></plugins>"
            ),
            "authorizationMap needs authorizationEntries",
        ),
        (
            broker(
                "<plugins><authorizationPlugin><map><cachedLDAPAuthorizationMap "
                "queueSearchBase='ou=Queue'/></map></authorizationPlugin></plugins>"
            ),
            "does not offer LDAP",
        ),
        (broker("<destinations><queue/></destinations>"), "queue needs physicalName"),
        (
            broker("<destinations><queue physicalName='${x}'/></destinations>"),
            "queue needs physicalName",
        ),
        (
            broker("<networkConnectors><networkConnector name='n'/></networkConnectors>"),
            "networkConnector needs uri",
        ),
        (
            broker(NETWORK.format("uri='static:(ssl://h:1)'") * 2),
            "the name n is given to more than one",
        ),
    ],
)
def test_what_the_broker_would_not_start_with_is_refused(text: str, reason: str) -> None:
    assert reason in refusal(text).message
