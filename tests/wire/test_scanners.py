"""The prober against two scanners that share no code with it: they find the same."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.documented.tls import PROFILES, RABBITMQ_SUITES, Suite, TlsProfile
from testbed.engines.base import Defects
from testbed.wire.prober import probe_all
from testbed.wire.scan import ListenerScan
from testbed.wire.verdict import judge
from tests.support import rabbitmq_node
from tests.support.broker_node import HOSTNAME, BrokerNode
from tests.support.scanners import Scanners, beside

pytestmark = pytest.mark.containers
RABBITMQ = PROFILES["RABBITMQ"]
CBC = Suite("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0xC014)
DEFECTS = {
    "one suite too many": TlsProfile(("TLSv1.2",), (*RABBITMQ_SUITES, CBC)),
    "one suite too few": TlsProfile(("TLSv1.2",), RABBITMQ_SUITES[:1]),
}
LISTENERS = {
    "rabbitmq_node": ("amqps", "management"),
    "activemq_node": ("openwire", "amqp", "stomp", "mqtt", "wss", "console"),
}
TESTSSL = pytest.mark.nightly("testssl.sh; every push compares with sslscan")


class Side:
    """Our scans of a node, and the scanners in its network, each created on first use."""

    def __init__(self) -> None:
        self._opened = ExitStack()
        self._known: dict[str, tuple[Scanners, dict[str, ListenerScan]]] = {}

    def of(self, node: BrokerNode) -> tuple[Scanners, dict[str, ListenerScan]]:
        if node.container not in self._known:
            scans = probe_all(node.addresses, server_name=HOSTNAME, ca_file=node.ca_file)
            self._known[node.container] = (
                self._opened.enter_context(beside(node.containers, node.container)),
                scans,
            )
        return self._known[node.container]


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    side = Side()
    with side._opened:
        yield side


def accepted(scan: ListenerScan) -> dict[str, tuple[int, ...]]:
    return {
        version_scan.version: tuple(suite.code for suite in version_scan.accepted)
        for version_scan in scan.versions
        if version_scan.accepted
    }


def port_of(node: BrokerNode, name: str) -> int:
    return next(
        listener.container_port
        for listener in node.engine.listeners(node.spec.version)
        if listener.name == name
    )


def sets(suites: dict[str, tuple[int, ...]]) -> dict[str, set[int]]:
    return {version: set(codes) for version, codes in suites.items()}


@pytest.mark.parametrize("engine", ["rabbitmq_node", "activemq_node"])
def test_sslscan_agrees_on_every_suite_in_order_and_on_every_group(
    request: pytest.FixtureRequest, side: Side, engine: str
) -> None:
    node = request.getfixturevalue(engine)
    theirs, scans = side.of(node)
    for name, scan in scans.items():
        report = theirs.sslscan(port_of(node, name))
        assert report.suites == accepted(scan), name
        twelve = scan.version("TLSv1.2")
        assert twelve, name
        assert report.groups == {group.code for group in twelve.groups}, name
        exchanges = {suite.code: twelve.exchange(suite) for suite in twelve.accepted}
        assert report.bits == {
            code: exchange.group.bits for code, exchange in exchanges.items() if exchange
        }, name


@TESTSSL
@pytest.mark.parametrize(
    ("engine", "name"), [(engine, name) for engine, names in LISTENERS.items() for name in names]
)
def test_testssl_agrees_suite_by_suite(
    request: pytest.FixtureRequest, side: Side, engine: str, name: str
) -> None:
    node = request.getfixturevalue(engine)
    theirs, scans = side.of(node)
    assert sets(theirs.testssl(port_of(node, name)).suites) == sets(accepted(scans[name]))


@pytest.mark.parametrize("scanner", ["sslscan", pytest.param("testssl", marks=TESTSSL)])
@pytest.mark.parametrize(
    ("defect", "difference"),
    [("one suite too many", "extra suite"), ("one suite too few", "missing suite")],
)
def test_a_wrong_set_of_suites_is_seen_by_the_prober_and_a_scanner(
    tmp_path: Path, defect: str, difference: str, scanner: str
) -> None:
    with (
        rabbitmq_node.rabbitmq(
            tmp_path, rabbitmq_node.spec(defects=Defects(tls=DEFECTS[defect]))
        ) as node,
        beside(node.containers, node.container) as theirs,
    ):
        scan = probe_all(
            {"amqps": node.addresses["amqps"]}, server_name=HOSTNAME, ca_file=node.ca_file
        )["amqps"]
        suites = sets(getattr(theirs, scanner)(5671).suites)
    subject = CBC if difference == "extra suite" else RABBITMQ_SUITES[1]
    assert (
        suites
        == sets(accepted(scan))
        == {"TLSv1.2": {suite.code for suite in DEFECTS[defect].suites}}
    )
    assert {(difference.kind, difference.subject) for difference in judge(scan, RABBITMQ)} == {
        (difference, subject.iana)
    }
