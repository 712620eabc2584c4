"""Whole rounds of worker processes on a toy server: what ``test_load`` holds of real brokers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from testbed.bench.load.fleet import Fleet
from testbed.bench.results import limit, throughput
from testbed.bench.rounds import Plan, plan, play
from testbed.bench.run import Observer, alternate, at_rates
from testbed.bench.spec import Case, Workload, load_driver, load_workload
from testbed.bench.target import Encryption
from testbed.errors import ClientError
from tests.support.amqp_server import AmqpServer

DRIVER = replace(load_driver("rabbitmq"), connections=1)


@pytest.fixture
def server() -> Iterator[AmqpServer]:
    started = AmqpServer()
    yield started
    started.close()


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet() as started:
        yield started


def short(name: str) -> Workload:
    """Return a very short workload, with a rate that a busy machine sustains."""
    return replace(load_workload(name).shortened(0.1, 0.3, 1), window=20, rate=50.0)


def impatient(planned: Plan) -> Plan:
    return replace(planned, jobs=tuple(replace(job, patience=0.5) for job in planned.jobs))


@pytest.mark.parametrize("name", ["durable-1k", "transient-64k", "fan-out", "request-reply"])
def test_every_message_arrives_once(fleet: Fleet, server: AmqpServer, name: str) -> None:
    workload = short(name)
    measured = play(fleet, plan(workload, DRIVER, server.target()), 0.1, 0.3)
    assert measured.ok
    assert measured.account
    assert measured.account.attempted > 0
    assert measured.sample
    assert throughput(workload, measured) > 0
    assert measured.broker is None  # no container


def test_visits_are_counted(fleet: Fleet, server: AmqpServer) -> None:
    measured = play(fleet, plan(short("connect"), DRIVER, server.target()), 0.1, 0.3)
    assert measured.connected > 0
    assert measured.confirmation.count > 0
    assert measured.account is None


def test_a_lost_message_makes_the_round_no_result(fleet: Fleet, server: AmqpServer) -> None:
    server.lose = 5
    planned = impatient(plan(short("durable-1k"), DRIVER, server.target()))
    measured = play(fleet, planned, 0.1, 0.3)
    assert measured.account
    assert measured.account.lost == (f"{planned.run:08x}-0-4",)
    assert not measured.ok


@pytest.mark.parametrize("what", ["refuse", "ignore"])
def test_a_message_without_a_confirmation_makes_the_round_no_result(
    fleet: Fleet, server: AmqpServer, what: str
) -> None:
    setattr(server, what, 5)
    planned = impatient(plan(short("durable-1k"), DRIVER, server.target()))
    measured = play(fleet, planned, 0.1, 0.3)
    assert not measured.ok
    assert measured.failure.startswith("not all messages were confirmed")


def test_a_wrong_password_ends_the_round(fleet: Fleet, server: AmqpServer) -> None:
    planned = plan(short("durable-1k"), DRIVER, server.target(password="another"))
    with pytest.raises(ClientError, match="refused the login"):
        play(fleet, planned, 0.1, 0.1)


def test_sides_alternate_and_tell_the_observer(fleet: Fleet, server: AmqpServer) -> None:
    class Labels(Observer):
        seen: list[str] = []  # noqa: RUF012 - of this test

        def finished(self, case: Case, label: str, *_: object) -> None:
            self.seen.append(label)

    case = Case(replace(short("durable-1k"), rounds=2), DRIVER, (Encryption(),), section="One")
    targets = {"A": server.target(), "B": server.target()}
    series = alternate(case, targets, fleet, Labels())
    assert [len(side.rounds) for side in series.sides] == [2, 2]
    assert series.section == "One"
    assert Labels.seen[:2] == ["A", "B"]
    assert sorted(Labels.seen) == ["A"] * (len(Labels.seen) // 2) + ["B"] * (len(Labels.seen) // 2)


def test_rates_that_are_kept_are_sustained(fleet: Fleet, server: AmqpServer) -> None:
    case = Case(short("durable-1k"), DRIVER, ())
    curve = at_rates(case, "A", server.target(), [40.0, 20.0], fleet)
    assert [point.rate for point in curve.points] == [20.0, 40.0]
    for point in curve.points:
        if point.sustained:
            workload = replace(case.workload, rate=point.rate)
            assert limit(workload, DRIVER, point.round) == "rate"
