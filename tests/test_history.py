import threading

import pytest
from hypothesis import given
from hypothesis import strategies as some

from testbed.history import Event, History, Kind, Recorder, body_of, identity_of


def test_identities_repeat_with_the_seed_and_differ_without() -> None:
    first, again, other = Recorder(7), Recorder(7), Recorder(8)
    messages = [first.new_message() for _ in range(3)]
    assert messages == [again.new_message() for _ in range(3)]
    assert len(set(messages)) == 3
    assert other.new_message() not in messages
    assert Recorder().new_message() != Recorder().new_message()


def test_a_history_is_fixed_when_it_is_taken() -> None:
    recorder = Recorder()
    recorder.record(Kind.ATTEMPTED, "a")
    history = recorder.history()
    recorder.record(Kind.CONFIRMED, "a")
    assert history.of(Kind.ATTEMPTED) == ("a",)
    assert history.of(Kind.CONFIRMED) == ()


def test_no_event_of_many_threads_gets_lost_or_out_of_order() -> None:
    recorder = Recorder()

    def work() -> None:
        for _ in range(200):
            message = recorder.new_message()
            recorder.record(Kind.ATTEMPTED, message)
            recorder.record(Kind.CONFIRMED, message)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = recorder.history().events
    assert len(events) == 2 * len({event.message for event in events}) == 3200
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_the_longest_pause_is_between_confirmations() -> None:
    assert History().longest_pause() == 0.0
    assert History((Event(Kind.CONFIRMED, "a", 5.0),)).longest_pause() == 0.0
    times = [
        (Kind.CONFIRMED, 1.0),
        (Kind.ATTEMPTED, 1.1),
        (Kind.CONFIRMED, 4.5),
        (Kind.CONFIRMED, 5.0),
        (Kind.RECEIVED, 60.0),
    ]
    assert History(tuple(Event(kind, "a", at) for kind, at in times)).longest_pause() == 3.5


@given(number=some.integers(0, 10**9), size=some.integers(0, 5000))
def test_a_body_carries_its_identity(number: int, size: int) -> None:
    message = f"run-{number}"
    body = body_of(message, size)
    assert identity_of(body) == message
    assert len(body) >= size
    assert len(body) == size or size < len(message) + 7


@given(size=some.integers(0, 300), damage=some.data())
def test_a_damaged_body_is_foreign(size: int, damage: some.DataObject) -> None:
    body = bytearray(body_of("run-1", size))
    position = damage.draw(some.integers(0, len(body) - 1))
    body[position] ^= damage.draw(some.integers(1, 255))
    assert identity_of(bytes(body)) != "run-1"
    assert identity_of(bytes(body_of("run-1", size)[:-1])).startswith("foreign:")


@given(body=some.binary(max_size=200))
def test_any_other_body_is_foreign(body: bytes) -> None:
    assert identity_of(body).startswith("foreign:")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b":",
        b"a:",
        b"a:1",
        b"a:999999999:",
        b"a:-5:",
        b"run-1:1:",
        b"run-1:08:",
        "a:٣:".encode(),
    ],
)
def test_what_only_looks_like_a_body_is_foreign(body: bytes) -> None:
    assert identity_of(body).startswith("foreign:")
