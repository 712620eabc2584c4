"""Half-open and refused handshakes by the hundred, and a broker that has to go on serving."""

import socket
import time
import uuid
from typing import Any

import pytest

from testbed.checker import Account
from testbed.clients import Address, Destination
from testbed.documented.tls import PROFILES
from testbed.errors import ClientError
from testbed.wire.connection import ListenerAddress
from testbed.wire.load import (
    Held,
    Refused,
    UnderLoad,
    attempt_refused,
    hold_half_open,
    run_under_load,
)
from tests.support.broker_node import HOSTNAME
from tests.support.tls_servers import NAME, Pki, python_tls, serving

SUITES = [suite.code for suite in PROFILES["RABBITMQ"].suites]


# Against toy listeners


def test_as_many_as_wanted_are_held() -> None:
    arrived: list[bytes] = []

    def hold(connection: socket.socket) -> None:
        arrived.append(connection.recv(4096))
        while connection.recv(4096):
            pass

    with serving(hold) as port:
        result = hold_half_open(
            ListenerAddress("127.0.0.1", port, NAME), SUITES, count=60, seconds=0.3
        )
    assert (
        result.requested,
        result.begun,
        result.least,
        result.most,
        result.hung_up,
        result.unconnected,
    ) == (
        60,
        60,
        60,
        60,
        0,
        0,
    )
    assert len(arrived) == 60
    assert all(message.startswith(b"\x16\x03\x01") for message in arrived)


def test_those_that_are_hung_up_on_are_replaced_and_counted() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(4096)
        time.sleep(0.2)

    with serving(hang_up) as port:
        result = hold_half_open(
            ListenerAddress("127.0.0.1", port, NAME), SUITES, count=20, seconds=0.8
        )
    assert result.hung_up >= 20
    assert result.begun > 20
    assert result.most == 20


def test_a_listener_that_hangs_up_at_once_is_not_run_over_and_a_closed_port_is_counted() -> None:
    with serving(lambda connection: None) as port:
        result = hold_half_open(
            ListenerAddress("127.0.0.1", port, NAME, 1.0), SUITES, count=5, seconds=0.5
        )
    assert result.begun < 21 * 5
    assert result.hung_up > 0
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        closed = reserved.getsockname()[1]
    assert (
        hold_half_open(
            ListenerAddress("127.0.0.1", closed, NAME, 1.0), SUITES, count=5, seconds=0.1
        ).unconnected
        >= 5
    )


def test_refusals_come_at_the_rate_that_was_asked_for_and_are_named(pki: Pki) -> None:
    with python_tls(pki, "ECDHE-RSA-AES256-GCM-SHA384") as port:
        result = attempt_refused(ListenerAddress("127.0.0.1", port, NAME), a_second=50, seconds=1.0)
    assert result.tried <= 51
    assert result.accepted == 0
    assert dict(result.answers) == {"alert: fatal protocol_version": result.tried}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_control_a_listener_that_accepts_is_seen(pki: Pki) -> None:
    with python_tls(pki, "ALL:@SECLEVEL=0", "TLSv1", "TLSv1_1") as port:
        result = attempt_refused(ListenerAddress("127.0.0.1", port, NAME), a_second=20, seconds=0.5)
    assert result.accepted == result.tried > 0


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0"])
def test_only_ever_on_this_machine(host: str) -> None:
    for load in (
        lambda listener: hold_half_open(listener, SUITES, count=1, seconds=0.1),
        lambda listener: attempt_refused(listener, a_second=1, seconds=0.1),
    ):
        with pytest.raises(ClientError, match="is not this machine"):
            load(ListenerAddress(host, 9, NAME))


def test_and_never_without_bounds() -> None:
    listener = ListenerAddress("127.0.0.1", 9, NAME)
    with pytest.raises(ValueError, match="at most 2000 at once"):
        hold_half_open(listener, SUITES, count=2001, seconds=1)
    for a_second, seconds in ((501, 1), (1, 121)):
        with pytest.raises(ValueError, match="500 a second and 120 s"):
            attempt_refused(listener, a_second=a_second, seconds=seconds)


def test_what_it_takes_to_have_served() -> None:
    def with_account(**values: Any) -> UnderLoad:
        sound = {
            "attempted": 9,
            "confirmed": 9,
            "received": 9,
            "failed": 0,
            "lost": (),
            "duplicated": (),
            "unexpected": (),
            "unknown": (),
            "recovered": (),
        }
        account = Account(**{**sound, **values})
        return UnderLoad((), account, 5, 0.1, 0.1)

    assert with_account().served
    assert with_account(duplicated=("1",)).served
    for bad in (
        {"lost": ("1",)},
        {"unknown": ("1",)},
        {"unexpected": ("1",)},
        {"failed": 1},
        {"confirmed": 0},
    ):
        assert not with_account(**bad).served
    assert not UnderLoad((), with_account().account, 0, 0.1, 0.1).served


# On real brokers


CASES = [
    ("rabbitmq", "amqps", "amqp"),
    ("activemq", "stomp", "stomp"),
    ("activemq", "wss", "stomp-ws"),
]


def loaded(
    node: Any, name: str, protocol: str, count: int, a_second: float, seconds: float
) -> UnderLoad:
    host, port = node.addresses[name]
    listener = ListenerAddress(host, port, HOSTNAME, timeout=20.0)
    suites = [suite.code for suite in PROFILES[node.engine.type].suites]
    address: Address = (
        node.address(protocol)
        if node.engine.type == "RABBITMQ"
        else node.address(name, protocol=protocol)
    )
    return run_under_load(
        address,
        Destination.queue(f"load.{uuid.uuid4().hex}"),
        [
            lambda: hold_half_open(listener, suites, count=count, seconds=seconds),
            lambda: attempt_refused(listener, a_second=a_second, seconds=seconds),
        ],
    )


def check_it(result: UnderLoad, count: int, a_second: float) -> None:
    half_open, rejected = result.loads
    assert isinstance(half_open, Held)
    assert isinstance(rejected, Refused)
    assert result.served, result
    assert half_open.most >= count * 0.9, result.loads
    assert rejected.accepted == 0, result.loads
    assert rejected.a_second > a_second / 20, result.loads
    assert all(answer == "alert: fatal protocol_version" for answer, _ in rejected.answers), (
        rejected.answers
    )
    assert result.pause < 20, result
    print(result.loads)
    print(f"{result.account}; {result.confirmed} confirmed, ", end="")
    print(f"longest pause {result.pause:.2f} s, before {result.pause_before:.2f} s")


@pytest.mark.nightly("load on the listeners of real brokers")
@pytest.mark.containers
@pytest.mark.parametrize(("engine", "listener", "protocol"), CASES[:2])
def test_a_broker_serves_on(
    request: pytest.FixtureRequest, engine: str, listener: str, protocol: str
) -> None:
    check_it(
        loaded(request.getfixturevalue(f"{engine}_node"), listener, protocol, 100, 40, 3.0),
        100,
        40,
    )


@pytest.mark.nightly("load on the listeners of real brokers")
@pytest.mark.containers
@pytest.mark.parametrize(("engine", "listener", "protocol"), CASES)
def test_a_broker_serves_on_under_a_thousand_half_open_and_two_hundred_refused_a_second(
    request: pytest.FixtureRequest, engine: str, listener: str, protocol: str
) -> None:
    check_it(
        loaded(request.getfixturevalue(f"{engine}_node"), listener, protocol, 1000, 200, 30.0),
        1000,
        200,
    )


def signal_to_broker(node: Any, signal: str) -> None:
    kill = f'[ "$(cat $each/comm)" != beam.smp ] || kill -{signal} "${{each#/proc/}}"'
    node.run("sh", "-c", f"for each in /proc/[0-9]*; do {kill}; done")


@pytest.mark.nightly("load on the listeners of real brokers")
@pytest.mark.containers
def test_control_a_broker_that_stops_serving_is_found(rabbitmq_node: Any) -> None:
    def stop() -> Refused:
        """Stop the broker for longer than a message is waited for."""
        signal_to_broker(rabbitmq_node, "STOP")
        time.sleep(6.0)
        signal_to_broker(rabbitmq_node, "CONT")
        return Refused(0, 0, (), 6.0)

    result = run_under_load(
        rabbitmq_node.address("amqp"), Destination.queue(f"load.{uuid.uuid4().hex}"), [stop]
    )
    assert not result.served
    assert result.account.unknown
    assert not result.account.lost
    assert result.pause >= 4
