"""Traffic and drain over a broker in memory that loses, repeats and disconnects on demand.

These tests are about the accounting: the checker has to find every fault, and nothing else. The
same traffic over real brokers is in clients/test_clients.py.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import pytest

from testbed.checker import Account, check
from testbed.clients import Address, Destination, Message
from testbed.errors import ClientError, ConnectionRefused, NotConfirmed
from testbed.history import History, Kind, Recorder, body_of
from testbed.traffic import Traffic, drain

ADDRESS = Address("memory", "nowhere", 0, "user", "password")
QUEUE = Destination.queue("orders")
FAST: dict[str, Any] = {"rate": 2000.0}
SHORT = {"quiet": 0.05, "patience": 0.4}


@dataclass
class Memory:
    """One queue. ``on_publish`` decides the fate of the n-th message and its confirmation."""

    on_publish: Callable[[int], str] = lambda number: "ok"
    queue: deque[bytes] = field(default_factory=deque)
    up: bool = True
    published: int = 0
    open_clients: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def connect(self, address: Address) -> "MemoryClient":
        if not self.up:
            raise ConnectionRefused("the broker is away")
        with self.lock:
            self.open_clients += 1
        return MemoryClient(self)


class MemoryClient:
    def __init__(self, broker: Memory) -> None:
        self.broker, self.closed = broker, False
        self.unacknowledged: list[bytes] = []

    def publish(self, destination: Destination, body: bytes, *, timeout: float = 10.0) -> None:
        with self.broker.lock:
            self.broker.published += 1
            fate = self.broker.on_publish(self.broker.published) if self.broker.up else "away"
            if fate in ("ok", "taken, not confirmed", "twice", "garbled"):
                self.broker.queue.append(body[:-1] + b"?" if fate == "garbled" else body)
            if fate == "twice":
                self.broker.queue.append(body)
        if fate in ("taken, not confirmed", "away"):
            raise NotConfirmed("no answer")
        if fate == "refused":
            raise ClientError("refused")
        if fate == "bug":
            raise RuntimeError("a bug")

    def subscribe(self, destination: Destination) -> None:
        self._check()

    def receive(self, *, timeout: float = 10.0) -> Message | None:
        end = time.monotonic() + timeout
        while True:
            self._check()
            with self.broker.lock:
                if self.broker.queue:
                    body = self.broker.queue.popleft()
                    self.unacknowledged.append(body)
                    return Message(body, partial(self.unacknowledged.remove, body))
            if time.monotonic() >= end:
                return None
            time.sleep(0.005)

    def close(self) -> None:
        with self.broker.lock:
            if not self.closed:
                self.broker.open_clients -= 1
                self.broker.queue.extendleft(reversed(self.unacknowledged))
            self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check(self) -> None:
        if not self.broker.up:
            raise ConnectionRefused("the broker is away")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def run(broker: Memory, count: int = 50, **how: Any) -> Account:
    recorder = Recorder(1)
    with Traffic(
        ADDRESS, QUEUE, count=count, recorder=recorder, connect=broker.connect, **(FAST | how)
    ) as traffic:
        traffic.wait(10)
    account = check(drain(ADDRESS, QUEUE, recorder, connect=broker.connect, **SHORT))
    assert broker.open_clients == 0
    return account


def only(number: int, fate: str) -> Callable[[int], str]:
    return lambda published: fate if published == number else "ok"


def test_a_sound_broker_is_found_sound() -> None:
    account = run(Memory())
    assert account.ok
    assert account.confirmed == account.received == 50
    assert not account.duplicated
    assert not account.unknown


def test_with_a_consumer_beside_the_publisher_too() -> None:
    account = run(Memory(), consume=True)
    assert account.ok
    assert account.confirmed == account.received == 50
    assert not account.duplicated


def test_a_confirmed_message_that_is_dropped_is_found() -> None:
    account = run(Memory(only(20, "dropped")))
    assert len(account.lost) == 1
    assert account.lost[0].endswith("-0000020")
    assert not account.ok


def test_a_repeated_message_is_found_and_allowed() -> None:
    account = run(Memory(only(20, "twice")))
    assert len(account.duplicated) == 1
    assert account.ok


def test_a_changed_message_is_both_lost_and_unexpected() -> None:
    account = run(Memory(only(20, "garbled")))
    assert len(account.lost) == len(account.unexpected) == 1
    assert account.unexpected[0].startswith("foreign:")
    assert not account.ok


def test_what_somebody_else_sent_is_unexpected() -> None:
    account = run(Memory(queue=deque([b"not ours", body_of("another-run-1")])))
    assert len(account.unexpected) == 2
    assert not account.lost


def test_a_message_taken_without_confirmation_is_recovered() -> None:
    account = run(Memory(only(20, "taken, not confirmed")))
    assert len(account.unknown) == len(account.recovered) == 1
    assert account.ok
    assert account.confirmed == 49


def test_a_refused_message_is_not_lost() -> None:
    account = run(Memory(only(20, "refused")))
    assert account.failed == 1
    assert account.ok
    assert account.confirmed == 49


def test_traffic_goes_on_after_an_outage() -> None:
    broker, recorder = Memory(), Recorder()
    with Traffic(
        ADDRESS, QUEUE, consume=True, recorder=recorder, connect=broker.connect, **FAST
    ) as traffic:
        traffic.wait_confirmed(20, timeout=5)
        broker.up = False
        time.sleep(0.1)  # a confirmation may be on its way
        with pytest.raises(
            ClientError, match="^0 messages instead of 1 were confirmed within 0.4 s$"
        ):
            traffic.wait_confirmed(1, timeout=0.4)
        broker.up = True
        traffic.wait_confirmed(20, timeout=5)
    account = check(drain(ADDRESS, QUEUE, recorder, connect=broker.connect, **SHORT))
    assert account.ok
    assert 1 <= len(account.unknown) <= 2
    assert recorder.history().longest_pause() > 0.4


def test_a_broker_that_is_away_from_the_start_is_reported_at_once() -> None:
    with (
        pytest.raises(ConnectionRefused),
        Traffic(ADDRESS, QUEUE, consume=True, connect=Memory(up=False).connect),
    ):
        pass


def test_traffic_ends_when_stopped_and_not_before() -> None:
    broker = Memory()
    with Traffic(ADDRESS, QUEUE, count=10**9, connect=broker.connect, **FAST) as traffic:
        with pytest.raises(ClientError, match="had not ended after 0.1 s"):
            traffic.wait(0.1)
        history = traffic.stop()
        assert traffic.stop() == history
    time.sleep(0.05)
    assert (
        broker.published == len(history.of(Kind.ATTEMPTED)) == len(history.of(Kind.CONFIRMED)) > 0
    )
    assert broker.open_clients == 0


def test_ctrl_c_ends_it_too() -> None:
    broker = Memory()
    with (
        pytest.raises(KeyboardInterrupt),
        Traffic(ADDRESS, QUEUE, consume=True, connect=broker.connect, **FAST),
    ):
        raise KeyboardInterrupt
    assert broker.open_clients == 0


def test_the_rate_is_kept() -> None:
    begun = time.monotonic()
    run(Memory(), count=20, rate=50.0)
    assert 0.35 <= time.monotonic() - begun <= 3


def test_a_bug_is_not_mistaken_for_an_outage() -> None:
    broker = Memory(only(3, "bug"))
    traffic = Traffic(ADDRESS, QUEUE, connect=broker.connect, **FAST)
    with pytest.raises(RuntimeError, match="a bug"), traffic:
        traffic.wait(5)
    assert broker.open_clients == 0


def test_a_bug_ends_the_wait_for_confirmations() -> None:
    broker = Memory(only(3, "bug"))
    traffic = Traffic(ADDRESS, QUEUE, connect=broker.connect, **FAST)
    with pytest.raises(RuntimeError, match="a bug"), traffic:
        traffic.wait_confirmed(1000, 60)


# Draining


def confirmed(recorder: Recorder, broker: Memory, number: int) -> list[bytes]:
    bodies = []
    for _ in range(number):
        message = recorder.new_message()
        recorder.record(Kind.ATTEMPTED, message)
        recorder.record(Kind.CONFIRMED, message)
        bodies.append(body_of(message))
    return bodies


def test_a_drain_waits_for_what_is_late() -> None:
    broker, recorder = Memory(), Recorder()
    first, late = confirmed(recorder, broker, 2)
    broker.queue.append(first)
    timer = threading.Timer(0.25, broker.queue.append, [late])
    timer.start()
    account = check(drain(ADDRESS, QUEUE, recorder, connect=broker.connect, **SHORT))
    timer.join()
    assert account.ok
    assert account.received == 2


def test_a_drain_waits_for_nothing_of_another_destination() -> None:
    broker, recorder = Memory(), Recorder()
    message = recorder.new_message()
    recorder.record(Kind.ATTEMPTED, message, "client-1", "somewhere else")
    recorder.record(Kind.CONFIRMED, message)
    start = time.monotonic()
    drain(ADDRESS, QUEUE, recorder, quiet=0.05, patience=30.0, connect=broker.connect)
    assert time.monotonic() - start < 15.0


def test_control_an_impatient_drain_would_call_it_lost() -> None:
    broker, recorder = Memory(), Recorder()
    first, _late = confirmed(recorder, broker, 2)
    broker.queue.append(first)
    history = drain(ADDRESS, QUEUE, recorder, quiet=0.05, patience=0.05, connect=broker.connect)
    assert len(check(history).lost) == 1


def test_a_drain_reads_on_after_all_that_was_expected() -> None:
    broker, recorder = Memory(), Recorder()
    broker.queue.extend([*confirmed(recorder, broker, 3), b"one", b"two"])
    assert (
        len(check(drain(ADDRESS, QUEUE, recorder, connect=broker.connect, **SHORT)).unexpected) == 2
    )


def test_a_drain_survives_an_outage_shorter_than_its_patience() -> None:
    broker, recorder = Memory(up=False), Recorder()
    broker.queue.extend(confirmed(recorder, broker, 3))
    timer = threading.Timer(0.1, setattr, [broker, "up", True])
    timer.start()
    account = check(drain(ADDRESS, QUEUE, recorder, quiet=0.05, patience=3, connect=broker.connect))
    timer.join()
    assert account.ok
    assert account.received == 3


def test_a_drain_without_a_broker_says_so() -> None:
    with pytest.raises(ConnectionRefused, match="away"):
        drain(ADDRESS, QUEUE, Recorder(), connect=Memory(up=False).connect, **SHORT)


def test_a_drain_of_a_queue_without_end_ends() -> None:
    broker = Memory()
    stop = threading.Event()

    def refill() -> None:
        while not stop.wait(0.005):
            broker.queue.append(b"more")

    thread = threading.Thread(target=refill)
    thread.start()
    try:
        with pytest.raises(ClientError, match="orders had no end within 0.3 s"):
            drain(ADDRESS, QUEUE, Recorder(), limit=0.3, connect=broker.connect, **SHORT)
    finally:
        stop.set()
        thread.join()


def test_draining_nothing_takes_no_longer_than_the_silence() -> None:
    begun = time.monotonic()
    assert drain(ADDRESS, QUEUE, Recorder(), connect=Memory().connect, **SHORT) == History()
    assert time.monotonic() - begun < 0.3
