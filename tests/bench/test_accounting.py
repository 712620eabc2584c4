"""Whether the cheap account says what the checker says of the full history."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.bench.load.accounting import Outstanding, Sent, Tally, account, message_name
from testbed.bench.statistics import Latencies, distribution
from testbed.checker import Account, check
from testbed.history import Event, History, Kind

RUN = 7
OUTCOMES = st.sampled_from(
    [Kind.CONFIRMED, Kind.CONFIRMED, Kind.CONFIRMED, Kind.FAILED, Kind.UNKNOWN]
)


def tally(*numbers: int, producer: int = 0) -> Tally:
    tally = Tally()
    for number in numbers:
        tally.add(producer, number)
    return tally


def sets(outcome: Account) -> dict[str, object]:
    """Return an account without the order of its messages."""
    return {
        name: set(value) if isinstance(value, tuple) else value
        for name, value in vars(outcome).items()
    }


@settings(max_examples=300)
@given(
    producers=st.lists(st.lists(OUTCOMES, max_size=12), min_size=1, max_size=3),
    received=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 14)), max_size=60),
    consumers=st.integers(1, 3),
)
def test_the_account_is_the_checkers(
    producers: list[list[Kind]], received: list[tuple[int, int]], consumers: int
) -> None:
    events = []
    sent = []
    for producer, outcomes in enumerate(producers):
        for number, outcome in enumerate(outcomes):
            events += [
                Event(kind, message_name(RUN, producer, number), 0.0)
                for kind in (Kind.ATTEMPTED, outcome)
            ]
        numbers = {
            kind: tuple(n for n, outcome in enumerate(outcomes) if outcome is kind) for kind in Kind
        }
        sent.append(Sent(producer, len(outcomes), numbers[Kind.FAILED], numbers[Kind.UNKNOWN]))
    events += [
        Event(Kind.RECEIVED, message_name(RUN, producer, number), 0.0)
        for producer, number in received
    ]
    tallies = [Tally() for _ in range(consumers)]
    for at, (producer, number) in enumerate(received):
        tallies[at % consumers].add(producer, number)
    assert sets(
        account(RUN, sent, [received_tally.packed() for received_tally in tallies])
    ) == sets(check(History(tuple(events))))


def test_a_lost_message_is_named() -> None:
    outcome = account(RUN, [Sent(0, 5)], [tally(0, 1, 3, 4).packed()])
    assert outcome.lost == ("00000007-0-2",)
    assert not outcome.ok


def test_a_message_of_another_run_is_unexpected() -> None:
    outcome = account(RUN, [Sent(0, 1)], [tally(0).packed(), tally(3, producer=9).packed()])
    assert outcome.unexpected == ("00000007-9-3",)
    assert not outcome.ok


def test_many_messages_are_accounted_for_quickly() -> None:
    counts = Tally()
    counts.of(0, 2_000_000)[:2_000_000] = b"\1" * 2_000_000
    outcome = account(RUN, [Sent(0, 2_000_000)], [counts.packed()])
    assert outcome.ok
    assert outcome.received == 2_000_000


def test_a_message_that_comes_again_and_again_is_a_duplicate() -> None:
    outcome = account(RUN, [Sent(0, 1)], [tally(*[0] * 300).packed()])
    assert (outcome.duplicated, outcome.received) == (("00000007-0-0",), 1)


def test_nothing_sent_is_not_ok() -> None:
    assert not account(RUN, [], []).ok


@pytest.mark.parametrize(
    "order",
    [
        [(0, False), (1, False), (2, False)],
        [(2, True)],
        [(1, False), (2, True)],
        [(2, False), (1, True), (1, True)],
    ],
)
def test_settled_in_any_order(order: list[tuple[int, bool]]) -> None:
    times = Latencies()
    sent = Outstanding(times)
    sent.add(2, 0)
    assert sent.add(1, 1_000_000) == 2
    for number, multiple in order:
        sent.answer(number, 5_000_000, multiple=multiple)
    assert (sent.confirmed, len(sent), sent.unanswered()) == (3, 0, ())
    assert distribution([times.encoded()]).count == 3
    sent.add(1, 5_000_000)
    sent.answer(3, 6_000_000, confirmed=False)
    assert (sent.confirmed, sent.refused, len(sent)) == (3, [3], 0)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.booleans()), max_size=40))
def test_every_number_is_settled_once(answers: list[tuple[int, bool, bool]]) -> None:
    sent = Outstanding(Latencies())
    sent.add(31, 0)
    outcome: dict[int, bool] = {}
    for number, multiple, confirmed in answers:
        for confirmed_number in range(number + 1) if multiple else (number,):
            outcome.setdefault(confirmed_number, confirmed)
        sent.answer(number, 1, multiple=multiple, confirmed=confirmed)
    counted = Counter(outcome.values())
    assert (sent.confirmed, len(sent.refused), len(sent)) == (
        counted[True],
        counted[False],
        31 - len(outcome),
    )
