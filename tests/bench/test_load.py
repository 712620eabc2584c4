"""Load on real brokers: every generator and pattern, and controls that have to fail."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.bench.load import make_generator
from testbed.bench.load.accounting import SAMPLE, Outstanding
from testbed.bench.load.base import Receiver, Shape
from testbed.bench.load.fleet import Fleet
from testbed.bench.results import Round, limit, throughput
from testbed.bench.rounds import plan, play
from testbed.bench.run import alternate
from testbed.bench.spec import Case, Workload, load_driver, load_workload
from testbed.bench.statistics import Latencies, Ratio, Verdict
from testbed.bench.target import Encryption
from testbed.clients.base import Destination
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from tests.support.bench_brokers import Broker
from tests.support.broker_node import retry_login
from tests.support.nightly import first_then_nightly

pytestmark = pytest.mark.containers
ENGINES = ("rabbitmq", "activemq")
ANOTHER = pytest.mark.nightly("the other workloads and clients")
MEASURES = pytest.mark.nightly("differences measured over 20 seconds")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet() as started:
        yield started


def short(name: str, **changes: Any) -> Workload:
    return replace(load_workload(name).shortened(0.2, 0.6, 1), **{"window": 100, **changes})


def one(
    fleet: Fleet,
    brokers: dict[str, Broker],
    by: str,
    work: Workload,
    encryption: str = "tls",
    **changes: Any,
) -> Round:
    chosen = replace(load_driver(by), **changes)
    target = brokers["rabbitmq" if chosen.engine == "RABBITMQ" else "activemq"].target(
        chosen, Encryption.parse(encryption)
    )
    return play(fleet, plan(work, chosen, target), work.warm_up, work.duration)


@pytest.mark.parametrize(
    ("name", "encryption"),
    [
        ("durable-1k", "tls"),
        pytest.param("durable-1k", "plaintext", marks=ANOTHER),
        pytest.param("durable-100b", "tls", marks=ANOTHER),
        pytest.param("durable-1m", "tls", marks=ANOTHER),
        pytest.param("transient-64k", "tls", marks=ANOTHER),
        pytest.param("confirm-each", "tls", marks=ANOTHER),
        pytest.param("fan-out", "tls", marks=ANOTHER),
        ("request-reply", "tls"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_fast_generators_lose_nothing(
    fleet: Fleet, brokers: dict[str, Broker], engine: str, name: str, encryption: str
) -> None:
    work = short(name, window=4 if name == "durable-1m" else 100)
    measured = one(fleet, brokers, engine, work, encryption)
    assert measured.ok, measured.account
    assert measured.account
    assert measured.account.attempted > 0
    assert not measured.account.unknown
    assert not measured.account.duplicated
    assert measured.sample
    assert measured.sample.ok
    assert measured.sample.attempted >= measured.account.attempted // SAMPLE
    assert measured.end_to_end.count == pytest.approx(measured.received * measured.seconds, abs=1)
    assert measured.broker
    assert measured.broker.cores > 0


@pytest.mark.parametrize(
    "name",
    [
        "rabbitmq-pika",
        pytest.param("rabbitmq-amqp10", marks=ANOTHER),
        "activemq-java",
        pytest.param("activemq-amqp10", marks=ANOTHER),
        pytest.param("activemq-stomp", marks=ANOTHER),
        pytest.param("activemq-stomp-ws", marks=ANOTHER),
        pytest.param("activemq-mqtt", marks=ANOTHER),
        pytest.param("activemq-mqtt-ws", marks=ANOTHER),
    ],
)
def test_the_users_clients_lose_nothing(
    fleet: Fleet, brokers: dict[str, Broker], name: str
) -> None:
    measured = one(fleet, brokers, name, short("durable-1k"))
    assert measured.ok, measured.account
    assert measured.account
    assert measured.account.attempted > 0


@pytest.mark.parametrize("name", [*ENGINES, "rabbitmq-pika"])
def test_bodies_of_a_file_arrive_as_they_are(
    fleet: Fleet, brokers: dict[str, Broker], tmp_path: Path, name: str
) -> None:
    """The control is ``test_a_damaged_body_is_found``: receivers know what they should get."""
    file = tmp_path / "orders.json"
    file.write_text('{"order": 1, "of": "the same"}')
    measured = one(fleet, brokers, name, short("durable-1k", payload=str(file)))
    assert measured.ok, measured.account
    assert measured.sample
    assert measured.sample.attempted > 0


def test_transactions_are_confirmed_by_their_commit(
    fleet: Fleet, brokers: dict[str, Broker]
) -> None:
    measured = one(
        fleet,
        brokers,
        "activemq",
        short("durable-1k", confirmation="transaction", transaction=50, window=200),
        connections=2,
    )
    assert measured.ok, measured.account
    assert measured.account
    assert measured.account.attempted % 50 == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_handshakes_are_counted(fleet: Fleet, brokers: dict[str, Broker], engine: str) -> None:
    work = short("connect")
    measured = one(fleet, brokers, engine, work)
    assert throughput(work, measured) == measured.connected > 0
    assert measured.confirmation.at(50) > 0
    assert measured.account is None
    assert measured.ok


def test_a_rate_is_kept(fleet: Fleet, brokers: dict[str, Broker]) -> None:
    """One of its 30 messages may be missing, so a busy machine may answer up to 200 ms late."""
    work = short("rate-1k", rate=10.0, duration=3.0)
    measured = one(fleet, brokers, "rabbitmq", work)
    assert measured.confirmed == pytest.approx(10, rel=0.2)
    assert limit(work, load_driver("rabbitmq"), measured) == "rate"


@pytest.mark.parametrize("route", ["direct", "published", "inside"])
def test_every_route_leads_to_the_broker(
    fleet: Fleet, brokers: dict[str, Broker], route: str
) -> None:
    assert one(fleet, brokers, "rabbitmq", short("durable-1k"), route=route).ok


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"])
def test_a_suite_can_be_forced(brokers: dict[str, Broker], suite: str) -> None:
    chosen = load_driver("activemq")
    target = brokers["activemq"].target(chosen, Encryption(suite=suite))
    receiver = make_generator("fast", target).receiver(Destination.queue("suite"), Shape())
    assert suite in receiver._connection.cipher  # type: ignore[attr-defined]
    receiver.close(delete=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stolen_message_makes_the_round_no_result(
    fleet: Fleet, brokers: dict[str, Broker], engine: str
) -> None:
    """The control of the account: a stranger takes messages from the queue during the round."""
    chosen = load_driver(engine)
    target = brokers[engine].target(chosen)
    work = short("durable-1k", duration=1.0)
    planned = plan(work, chosen, target)
    planned = replace(planned, jobs=tuple(replace(job, patience=1.0) for job in planned.jobs))
    queue = planned.jobs[0].assignments[0].destination
    thieves: list[Receiver] = []

    def steal(progress: object) -> None:
        if not thieves:
            thieves.append(
                make_generator("fast", target).receiver(queue, Shape(prefetch=5, acknowledge=1))
            )
        thieves[0].poll()

    try:
        measured = play(fleet, planned, work.warm_up, work.duration, steal)
    finally:
        for thief in thieves:
            thief.close()
    assert not measured.ok
    assert measured.account
    assert measured.account.lost


@pytest.mark.nightly("a lost message in a whole run; every push finds one in a round")
def test_a_run_with_a_lost_message_is_refused(
    fleet: Fleet, brokers: dict[str, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = plan

    def robbed(*arguments: object, **options: object) -> object:
        planned = real(*arguments, **options)  # type: ignore[arg-type]
        consuming = replace(
            planned.jobs[1],
            assignments=(
                replace(planned.jobs[1].assignments[0], destination=Destination.queue("elsewhere")),
            ),
            patience=0.5,
        )
        return replace(planned, jobs=(planned.jobs[0], consuming))

    monkeypatch.setattr("testbed.bench.run.plan", robbed)
    chosen = load_driver("activemq")
    case = Case(short("durable-1k"), chosen, ())
    with pytest.raises(ClientError, match="not all messages arrived"):
        alternate(case, {"x": brokers["activemq"].target(chosen)}, fleet)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_message_of_another_run_ends_the_round(
    fleet: Fleet, brokers: dict[str, Broker], engine: str
) -> None:
    chosen = load_driver(engine)
    target = brokers[engine].target(chosen)
    planned = plan(short("durable-1k"), chosen, target)
    queue = planned.jobs[0].assignments[0].destination
    generator = make_generator("fast", target)
    generator.receiver(queue, Shape()).close()  # there is the queue
    outstanding = Outstanding(Latencies())
    sender = generator.sender(queue, Shape(), run=1, producer=0, outstanding=outstanding)
    sender.send([0])
    while len(outstanding):
        sender.poll()
    sender.close()
    with pytest.raises(ClientError, match="another run"):
        play(fleet, planned, 0.1, 0.3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_body_is_found(brokers: dict[str, Broker], engine: str) -> None:
    chosen = load_driver(engine)
    generator = make_generator("fast", brokers[engine].target(chosen))
    queue = Destination.queue(f"damaged-{engine}")
    receiver = generator.receiver(queue, Shape())
    outstanding = Outstanding(Latencies())
    sender = generator.sender(
        queue, Shape(content=b"not what is expected"), run=1, producer=0, outstanding=outstanding
    )
    sender.send([0])

    def receive() -> None:
        for _ in range(100):
            sender.poll()
            receiver._connection.read(0.1)  # type: ignore[attr-defined]
            receiver.poll()

    with pytest.raises(ClientError, match="damaged"):
        receive()
    sender.close()
    receiver.close(delete=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_password_is_refused(brokers: dict[str, Broker], engine: str) -> None:
    target = brokers[engine].target(load_driver(engine))
    target = replace(target, address=replace(target.address, password="not-the-password"))
    with pytest.raises(NotAuthorized):
        retry_login(lambda: make_generator("fast", target).visit())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_certificate_is_verified(
    brokers: dict[str, Broker], engine: str, tmp_path: Path
) -> None:
    target = brokers[engine].target(load_driver(engine))
    with pytest.raises(ConnectionRefused, match="another host name"):
        make_generator("fast", replace(target, server_name="somewhere.else")).visit()
    other = brokers["activemq" if engine == "rabbitmq" else "rabbitmq"].ca_file
    with pytest.raises(ConnectionRefused, match="not trusted"):
        make_generator(
            "fast", replace(target, address=replace(target.address, ca_file=other))
        ).visit()


def test_a_broker_that_is_gone_is_one_error(fleet: Fleet, brokers: dict[str, Broker]) -> None:
    chosen = load_driver("rabbitmq")
    target = brokers["rabbitmq"].target(chosen)
    gone = replace(target, address=replace(target.address, port=1), container="")
    with pytest.raises(ClientError, match="no connection"):
        play(fleet, plan(short("durable-1k"), chosen, gone), 0.1, 0.1)


@pytest.mark.parametrize(
    ("engine", "name"),
    first_then_nightly(
        [
            (engine, name)
            for engine in ENGINES
            for name in ("confirm-each", "connect", "request-reply")
        ],
        "the other workloads and clients",
    ),
)
def test_sides_that_take_turns_lose_nothing_and_leave_each_other_alone(
    fleet: Fleet, brokers: dict[str, Broker], engine: str, name: str
) -> None:
    """The sides work one at a time: the broker is looked at during a side's own turns alone."""
    # Readings may be 100 ms late in each turn, as on a busy machine.
    work = short(name, duration=1.2, confirmation="each", turn=0.2)
    chosen = replace(load_driver(engine), connections=1)
    targets = {
        text: brokers[engine].target(chosen, Encryption.parse(text))
        for text in ("plaintext", "tls")
    }
    series = alternate(Case(work, chosen, ()), targets, fleet)
    for side in series.sides:
        (measured,) = side.rounds
        assert throughput(work, measured) > 0
        assert measured.account is None or measured.account.attempted > 0
        assert measured.broker
        assert 0 < measured.broker.seconds <= 1.5 * work.duration
        if name == "confirm-each":
            assert measured.received == pytest.approx(measured.confirmed, rel=0.2)
            # One message after the other: what the turns last is what the messages took.
            assert 0.2 < measured.confirmed * measured.confirmation.at(50) / 1000 < 1.2


@pytest.mark.nightly("an engine that answers slowly")
def test_a_broker_whose_counters_take_a_second_is_not_metered_in_turns(
    fleet: Fleet, brokers: dict[str, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with an engine on another machine, whose answers take a second: fine in whole rounds."""
    monkeypatch.setattr("testbed.runtime.usage._Kernel.of", lambda *_: None)
    chosen = load_driver("rabbitmq")
    target = brokers["rabbitmq"].target(chosen)
    for turn in (0.1, 0.0):
        case = Case(replace(short("confirm-each"), turn=turn), chosen, ())
        series = alternate(case, {"A": target, "B": target}, fleet)
        assert [side.rounds[0].broker is None for side in series.sides] == [turn > 0] * 2


# Only real differences may be found. Small ones are for a quiet machine: see
# benchmarks/bench_planted.py. Here each gets three attempts, because this machine may be busy.


def compared(fleet: Fleet, broker: Broker, handicap: float = 0.0) -> Ratio:
    """Compare A with B on one listener in turns; B's producer wastes a share of its time."""
    chosen = load_driver("rabbitmq")
    work = replace(load_workload("confirm-each").shortened(0.1, 0.5, 8), turn=0.05)
    target = broker.target(chosen)
    series = alternate(
        Case(work, chosen, ()),
        {"A": target, "B": target},
        fleet,
        handicaps={"B": handicap},
    )
    return series.ratio(series.sides[1])


@MEASURES
def test_a_planted_slowdown_is_found(fleet: Fleet, brokers: dict[str, Broker]) -> None:
    ratios = (compared(fleet, brokers["rabbitmq"], 0.3) for _ in range(3))
    assert any(ratio.verdict is Verdict.LOWER for ratio in ratios)


@MEASURES
def test_two_identical_sides_are_not_called_different(
    fleet: Fleet, brokers: dict[str, Broker]
) -> None:
    ratios = (compared(fleet, brokers["rabbitmq"]) for _ in range(3))
    assert any(ratio.verdict is Verdict.NOISE for ratio in ratios)
