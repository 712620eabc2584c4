"""Real ActiveMQ brokers with customers' configurations: only what is permitted takes effect."""

import dataclasses
import itertools
from pathlib import Path

import pytest
from lxml import etree

from testbed.clients import Destination, connect
from testbed.documented.activemq_elements import ATTRIBUTES, COLLECTIONS, NAMESPACE, Value
from testbed.documented.tls import PROFILES
from testbed.engines.activemq import startable, values
from testbed.engines.activemq.configuration import sanitize
from testbed.engines.activemq.engine import RELEASES, ActiveMQ
from testbed.engines.base import Defects, NodeSpec
from testbed.errors import ClientError
from testbed.wire.prober import probe_all
from testbed.wire.verdict import judge, judge_certificate
from tests.support.activemq_node import ALICE, BOB, HOSTNAME, activemq, spec
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers

# Each part of it opens a port or weakens TLS on a broker that takes it unsanitised.
TRANSPORT = '<transportConnector name="plain" uri="tcp://0.0.0.0:61616"/>'
WEAK_URI = (
    "ssl://0.0.0.0:61617?transport.enabledProtocols=SSLv3,TLSv1"
    "&amp;transport.enabledCipherSuites=NULL"
)
HOSTILE = f"""\
<broker xmlns="{NAMESPACE}" xmlns:s="http://www.springframework.org/schema/beans"
    useJmx="true" brokerName="${{keystore.password}}">
  <s:import resource="http://localhost/evil.xml"/>
  <s:bean class="java.lang.ProcessBuilder" init-method="start">
    <s:constructor-arg value="true"/>
  </s:bean>
  <managementContext>
    <managementContext createConnector="true" connectorPort="1099"/>
  </managementContext>
  <sslContext>
    <sslContext keyStore="file:/run/testbed/tls/keystore.p12"
        keyStorePassword="${{keystore.password}}"/>
  </sslContext>
  <persistenceAdapter><kahaDB directory="/run/testbed/elsewhere"/></persistenceAdapter>
  <plugins><simpleAuthenticationPlugin anonymousAccessAllowed="true"/></plugins>
  <destinations><queue physicalName="clean"/></destinations>
  <transportConnectors>{TRANSPORT}
    <transportConnector name="openwire" uri="{WEAK_URI}"/>
  </transportConnectors>
  <jmsBridgeConnectors/>
</broker>"""
DOCUMENTED = {61617, 5671, 61614, 8883, 61619, 8162}


def with_configuration(data: str, version: str = "5.19", **changes: object) -> NodeSpec:
    return dataclasses.replace(spec(version), configuration=data, **changes)  # type: ignore[arg-type]


def test_a_hostile_configuration_opens_nothing_and_weakens_nothing(tmp_path: Path) -> None:
    assert len(sanitize(HOSTILE).warnings) >= 10
    with activemq(tmp_path, with_configuration(HOSTILE)) as node:
        assert node.listening().keys() == DOCUMENTED
        for name, scan in probe_all(
            node.addresses, server_name=HOSTNAME, ca_file=node.ca_file
        ).items():
            assert judge(scan, PROFILES["ACTIVEMQ"]) == () == judge_certificate(scan), name
        with pytest.raises(ClientError):
            connect(dataclasses.replace(node.address("stomp"), password="wrong-password"))
        assert node.run("ls", "/run/testbed", user="activemq").split() == [
            "etc",
            "node.env",
            "start",
            "tls",
            "tmp",
        ], "its data is on the volume"


def test_control_the_same_configuration_unsanitised_opens_a_port_in_plaintext(
    tmp_path: Path,
) -> None:
    class Unsanitised(ActiveMQ):
        def files(self, node: NodeSpec) -> dict[str, bytes]:
            files = super().files(dataclasses.replace(node, defects=None))
            document = files["etc/activemq.xml"]
            return {
                **files,
                "etc/activemq.xml": document.replace(
                    b"</transportConnectors>", TRANSPORT.encode() + b"</transportConnectors>"
                ),
            }

    # The control publishes the port; the configuration makes the broker listen there.
    with activemq(
        tmp_path, with_configuration("", defects=Defects(plaintext_listener=True)), Unsanitised()
    ) as node:
        assert node.listening().keys() - DOCUMENTED == {61616}
        scan = probe_all(node.plaintext, server_name=HOSTNAME, ca_file=node.ca_file)[
            "openwire-plaintext"
        ]
        assert any(answer.served for answer in scan.plaintext)


def test_an_authorization_map_is_in_force(tmp_path: Path) -> None:
    """One user may do everything and the other nothing; the broker is ready nevertheless."""
    entries = "".join(
        f'<authorizationEntry {kind}="&gt;" read="readers" write="writers" admin="writers"/>'
        for kind in ("queue", "topic")
    )
    entries = f"<authorizationEntries>{entries}</authorizationEntries>"
    plugin = f"<map><authorizationMap>{entries}</authorizationMap></map>"
    plugins = f"<plugins><authorizationPlugin>{plugin}</authorizationPlugin></plugins>"
    data = f'<broker xmlns="{NAMESPACE}">{plugins}</broker>'
    with activemq(tmp_path, with_configuration(data)) as node:
        queue = Destination.queue("orders")
        with connect(node.address("stomp", BOB)) as client:
            client.publish(queue, b"of a writer")
            client.subscribe(queue)
            message = client.receive()
            assert message
            assert message.body == b"of a writer"
        with pytest.raises(ClientError), connect(node.address("stomp", ALICE)) as client:
            client.publish(queue, b"of nobody")


# Everything that is permitted


SPECIAL = {
    "memoryLimit": "64 mb",
    "prefetchSize": "100",
    "uri": "static:(ssl://localhost:1)",
    "selector": "a = 'b'",
    "dropOnly": "x.*",
    "messageGroupMapFactoryType": "simple",
    "topic": "T.>",
    "queue": "Q.>",
    "physicalName": "P",
    "persistent": "true",
    "advisorySupport": "true",
    "schedulerSupport": "true",
    "deleteAllMessagesOnStartup": "false",
    "userName": ALICE.username,
}
TYPICAL = {
    "boolean": "true",
    "integer": "10",
    "long": "6000",
    "short": "10",
    "double": "1.5",
    "string": "x",
}
ONE_OF = (
    "queue",
    "topic",
    "tempQueue",
    "tempTopic",
)  # what an entry applies to: the broker accepts one
NUMBERS = itertools.count()


def whole(name: str, turn: int) -> etree._Element:
    """Return the element with all attributes and children; of alternatives, the ``turn``-th."""
    node = etree.Element(f"{{{NAMESPACE}}}{name}")
    choices = [attribute for attribute in ONE_OF if attribute in ATTRIBUTES[name]]
    for attribute, allowed in ATTRIBUTES[name].items():
        if attribute in choices and attribute != choices[turn % len(choices)]:
            continue
        if values.clean(name, attribute, text := _typical(name, attribute, allowed)) is not None:
            node.set(attribute, text)
    for holder, collection in COLLECTIONS.get(name, {}).items():
        fit = [
            child
            for child in collection.children
            if (holder, child) not in startable._NOT_IN and not child.startswith("queryBased")
        ]
        if holder == "wrapped":
            fit = ["fixedCountSubscriptionRecoveryPolicy"]
        children = [fit[turn % len(fit)]] if collection.single else fit
        turns = (
            range(6)
            if holder in ("policyEntries", "redeliveryPolicyEntries", "authorizationEntries")
            else [turn]
        )
        etree.SubElement(node, f"{{{NAMESPACE}}}{holder}").extend(
            whole(child, number) for child in children for number in turns
        )
    return node


def _typical(name: str, attribute: str, allowed: Value) -> str:
    if allowed.choices:
        return allowed.choices[-1]
    if allowed.maximum:
        return str(allowed.maximum)
    if attribute == "name":
        return f"name{next(NUMBERS)}"
    return SPECIAL.get(attribute, TYPICAL[allowed.kind])


@pytest.mark.parametrize("version", first_then_nightly(RELEASES, "the other release of the engine"))
def test_a_broker_starts_with_everything_that_is_permitted(tmp_path: Path, version: str) -> None:
    data = etree.tostring(whole("broker", 0), encoding="unicode")
    assert {warning.attribute_name for warning in sanitize(data, version).warnings} <= {
        "maxUncommittedCount"
    }
    with activemq(tmp_path, with_configuration(data, version)) as node:
        assert node.listening().keys() == DOCUMENTED
