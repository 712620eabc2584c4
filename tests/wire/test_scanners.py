"""The prober against two scanners that share no code with it: the same listeners, the same answers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from testbed.documented.tls import PROFILES, RABBITMQ_SUITES, Suite, TlsProfile
from testbed.engines.base import Defects
from testbed.wire.prober import probe_all
from testbed.wire.scan import ListenerScan
from testbed.wire.verdict import judge
from tests.support import rabbitmq_node
from tests.support.broker_node import HOSTNAME, BrokerNode
from tests.support.long import LONG
from tests.support.scanners import Scanners, beside

pytestmark = pytest.mark.containers
RABBITMQ = PROFILES["RABBITMQ"]
CBC = Suite("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0xC014)
DEFECTS = {
    "one suite too many": TlsProfile(("TLSv1.2",), (*RABBITMQ_SUITES, CBC)),
    "one suite too few": TlsProfile(("TLSv1.2",), RABBITMQ_SUITES[:1]),
}
# testssl.sh takes 8 s and more for a listener: one, besides the two of the last test, and the others where there is time.
SOME = [("standing_activemq", "openwire")]
OTHERS = [
    ("standing_rabbitmq", "amqps"),
    ("standing_rabbitmq", "management"),
    *(("standing_activemq", name) for name in ("amqp", "stomp", "mqtt", "wss", "console")),
]


class Side:
    """Our scans of a node, and the scanners beside it, each when it is first asked for."""

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
    made = Side()
    with made._opened:
        yield made


def accepted(scan: ListenerScan) -> dict[str, tuple[int, ...]]:
    return {
        each.version: tuple(suite.code for suite in each.accepted)
        for each in scan.versions
        if each.accepted
    }


def port_of(node: BrokerNode, name: str) -> int:
    return next(
        listener.container_port
        for listener in node.engine.listeners(node.spec.version)
        if listener.name == name
    )


def sets(suites: dict[str, tuple[int, ...]]) -> dict[str, set[int]]:
    return {version: set(codes) for version, codes in suites.items()}


@pytest.mark.parametrize("engine", ["standing_rabbitmq", "standing_activemq"])
def test_sslscan_agrees_on_every_suite_in_order_and_on_every_group(
    request: pytest.FixtureRequest, side: Side, engine: str
) -> None:
    node = request.getfixturevalue(engine)
    theirs, scans = side.of(node)
    for name, scan in scans.items():
        found = theirs.sslscan(port_of(node, name))
        assert found.suites == accepted(scan), name
        twelve = scan.version("TLSv1.2")
        assert twelve and found.groups == {group.code for group in twelve.groups}, name
        exchanges = {suite.code: twelve.exchange(suite) for suite in twelve.accepted}
        assert found.bits == {
            code: exchange.group.bits for code, exchange in exchanges.items() if exchange
        }, name


@pytest.mark.parametrize(
    ("engine", "name"), [*SOME, *(pytest.param(*other, marks=LONG) for other in OTHERS)]
)
def test_testssl_agrees_suite_by_suite(
    request: pytest.FixtureRequest, side: Side, engine: str, name: str
) -> None:
    node = request.getfixturevalue(engine)
    theirs, scans = side.of(node)
    assert sets(theirs.testssl(port_of(node, name)).suites) == sets(accepted(scans[name]))


def test_one_suite_too_many_and_one_too_few_are_caught_by_all_three(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def try_one(defect: str) -> tuple[str, set[tuple[str, str]], set[int], set[int]]:
        folder = tmp_path_factory.mktemp("defect")
        defects = Defects(tls=DEFECTS[defect])
        with (
            rabbitmq_node.rabbitmq(folder, rabbitmq_node.spec(defects=defects)) as node,
            beside(node.containers, node.container) as theirs,
        ):
            scan = probe_all(
                {"amqps": node.addresses["amqps"]}, server_name=HOSTNAME, ca_file=node.ca_file
            )["amqps"]
            found = [theirs.sslscan(5671).suites, theirs.testssl(5671).suites]
            assert [sets(each) for each in found] == [sets(accepted(scan))] * 2
            ours = {(each.kind, each.subject) for each in judge(scan, RABBITMQ)}
            return defect, ours, set(found[0]["TLSv1.2"]), set(found[1]["TLSv1.2"])

    documented = {suite.code for suite in RABBITMQ_SUITES}
    expected = {
        "one suite too many": ({("extra suite", CBC.iana)}, documented | {CBC.code}),
        "one suite too few": (
            {("missing suite", RABBITMQ_SUITES[1].iana)},
            documented - {RABBITMQ_SUITES[1].code},
        ),
    }
    with ThreadPoolExecutor(2) as side_by_side:
        for defect, ours, sslscan, testssl in side_by_side.map(try_one, DEFECTS):
            assert (ours, sslscan, testssl) == (
                expected[defect][0],
                expected[defect][1],
                expected[defect][1],
            ), defect
