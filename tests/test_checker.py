"""The checker on histories with a known account: empty, sane, and each way to go wrong."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from testbed.checker import check
from testbed.history import Event, History, Kind
from tests.support.history_reference import reference

KINDS = {
    "a": Kind.ATTEMPTED,
    "c": Kind.CONFIRMED,
    "f": Kind.FAILED,
    "u": Kind.UNKNOWN,
    "r": Kind.RECEIVED,
}


def history(events: str) -> History:
    """Parse a history; ``"a1 c1 r1"`` is message 1 attempted, confirmed, received."""
    return History(
        tuple(Event(KINDS[word[0]], word[1:], float(at)) for at, word in enumerate(events.split()))
    )


def test_an_empty_history_proves_nothing() -> None:
    account = check(History())
    assert (
        account.attempted,
        account.confirmed,
        account.received,
        account.lost,
        account.unexpected,
    ) == (0, 0, 0, (), ())
    assert not account.ok


def test_attempts_alone_prove_nothing() -> None:
    account = check(history("a1 u1 a2"))
    assert account.unknown == ("1", "2")
    assert not account.ok


def test_all_confirmed_and_received_once_is_sane() -> None:
    account = check(history("a1 c1 a2 r1 c2 r2"))
    assert account.ok
    assert (account.attempted, account.confirmed, account.received) == (2, 2, 2)
    assert not account.lost
    assert not account.duplicated
    assert not account.unexpected
    assert not account.unknown
    assert not account.recovered


def test_received_before_its_confirmation_is_sane() -> None:
    assert check(history("a1 r1 c1")).ok


def test_confirmed_and_never_received_is_lost() -> None:
    account = check(history("a1 c1 a2 c2 a3 c3 r2"))
    assert account.lost == ("1", "3")
    assert not account.ok


def test_nothing_received_loses_all() -> None:
    assert check(history("a1 c1 a2 c2")).lost == ("1", "2")


def test_a_duplicate_is_counted_and_allowed() -> None:
    account = check(history("a1 c1 r1 r1 r1 a2 c2 r2"))
    assert account.duplicated == ("1",)
    assert account.received == 2
    assert account.ok


def test_a_duplicate_does_not_make_up_for_a_loss() -> None:
    account = check(history("a1 c1 a2 c2 r1 r1"))
    assert account.lost == ("2",)
    assert not account.ok


@pytest.mark.parametrize(
    "events", ["a1 c1 r1 r2", "r2 a1 c1 r1", "a1 c1 r1 r2 a2 c2", "a1 c1 r1 a2 f2 r2"]
)
def test_out_of_nowhere_before_its_attempt_or_after_a_refusal_is_unexpected(events: str) -> None:
    account = check(history(events))
    assert account.unexpected == ("2",)
    assert not account.ok


def test_an_unknown_outcome_may_go_either_way() -> None:
    account = check(history("a1 u1 a2 u2 r2 a3 c3 r3"))
    assert account.unknown == ("1", "2")
    assert account.recovered == ("2",)
    assert account.ok


def test_a_late_confirmation_decides_an_unknown_outcome() -> None:
    assert check(history("a1 u1 c1")).lost == ("1",)


def test_a_refusal_is_no_loss() -> None:
    account = check(history("a1 c1 r1 a2 f2"))
    assert account.failed == 1
    assert account.lost == ()
    assert account.ok


@pytest.mark.parametrize("events", ["c1", "u1 a1", "f1", "a1 c1 f1", "a1 f1 c1"])
def test_an_impossible_history_is_refused(events: str) -> None:
    with pytest.raises(ValueError, match="^1 is "):
        check(history(events))


def test_the_account_reads_as_one_sentence() -> None:
    assert str(check(history("a1 c1 a2 u2 r2 r2 r9"))) == (
        "2 attempted, 1 confirmed, 2 received, 1 lost, 1 duplicated, 1 unexpected, "
        "1 of unknown outcome (1 of them received)"
    )


# Any run: each message has one outcome and a number of receptions, all interleaved.
FATES = some.lists(
    some.tuples(some.sampled_from("cfu"), some.integers(0, 3)), min_size=1, max_size=40
)


@given(fates=FATES, shuffle=some.randoms(use_true_random=False))
def test_every_message_is_accounted_for_whatever_the_order(
    fates: list[tuple[str, int]], shuffle: Random
) -> None:
    events = []
    for number, (outcome, times) in enumerate(fates):
        steps = [f"{outcome}{number}", *[f"r{number}"] * times]
        shuffle.shuffle(steps)
        events.append([f"a{number}", *steps])
    merged = []
    while events := [steps for steps in events if steps]:
        merged.append(shuffle.choice(events).pop(0))

    account = check(history(" ".join(merged)))

    def numbers(condition: Callable[[str, int], bool]) -> set[str]:
        return {str(number) for number, fate in enumerate(fates) if condition(*fate)}

    assert set(account.lost) == numbers(lambda outcome, times: outcome == "c" and times == 0)
    assert set(account.duplicated) == numbers(lambda outcome, times: times > 1)
    assert set(account.unexpected) == numbers(lambda outcome, times: outcome == "f" and times > 0)
    assert set(account.unknown) == numbers(lambda outcome, times: outcome == "u")
    assert set(account.recovered) == numbers(lambda outcome, times: outcome == "u" and times > 0)
    assert (
        account.attempted
        == len(fates)
        == account.confirmed
        + len(account.unknown)
        + len(numbers(lambda outcome, times: outcome == "f"))
    )


# Order: "a1>p:q" is sent by p to q, "r1>c" is received by c, "R1>c" is redelivered to c.


def parsed(events: str) -> list[Event]:
    read = []
    for at, word in enumerate(events.split()):
        step, _, where = word.partition(">")
        client, _, destination = where.partition(":")
        kind, again = KINDS[step[0].lower()], step[0] == "R"
        read.append(Event(kind, step[1:], float(at), client, destination, again))
    return read


def disordered(events: str) -> tuple[str, ...]:
    account = check(parsed(events))
    assert check(parsed(events), ordered=False).disordered == ()
    assert account.ok is not bool(account.disordered)
    return account.disordered


SENT = "a1>p:q c1 a2>p:q c2 a3>p:q c3 "


@pytest.mark.parametrize(
    ("received", "late"),
    [
        ("r1>c r2>c r3>c", ()),
        ("r2>c r1>c r3>c", ("1",)),
        ("r3>c r1>c r2>c", ("1", "2")),  # both were sent before 3
        ("r1>c r2>c r1>c r3>c", ()),  # a duplicate
        ("r2>c R1>c r3>c", ()),  # what the broker delivers again may be late
        ("r1>c R3>c r2>c", ()),  # and may be early
        ("r2>c r3>c r1>d", ()),  # another consumer, after a loss of the connection or beside it
        ("r2 r1 r3", ()),  # received by nobody knows whom
    ],
)
def test_a_queue_keeps_the_order_of_each_sender_for_each_receiver(
    received: str, late: tuple[str, ...]
) -> None:
    assert disordered(SENT + received) == late


@pytest.mark.parametrize(
    "events",
    [
        "a1>p:q c1 a2>o:q c2 r2>c r1>c",  # two senders, or one that reconnected
        "a1>p:q c1 a2>p:s c2 r2>c r1>c",  # two queues
        "a1 c1 a2 c2 r2>c r1>c",  # sent by nobody knows whom
    ],
)
def test_order_is_promised_to_one_sender_and_one_queue(events: str) -> None:
    assert disordered(events) == ()


@pytest.mark.parametrize(
    ("received", "unexpected"),
    [
        ("r1>c:q", ()),
        ("r1>c:s", ("1",)),
        ("r1>c:q r1>c:s", ("1",)),  # again, and from another queue
        ("r1>c", ()),  # received nobody knows where
    ],
)
def test_a_message_is_received_where_it_was_sent(
    received: str, unexpected: tuple[str, ...]
) -> None:
    account = check(parsed(f"a1>p:q c1 {received}"))
    assert account.unexpected == unexpected
    assert account.ok is not bool(unexpected)
    assert check(parsed(f"a1>p c1 {received}")).ok  # sent nobody knows where


def test_messages_out_of_order_are_in_the_sentence() -> None:
    account = check(
        [
            *(Event(Kind.ATTEMPTED, name, 0.0, "p", "q") for name in "12"),
            *(Event(Kind.RECEIVED, name, 1.0, "c") for name in "21"),
        ]
    )
    assert str(account).endswith("(2 of them received), 1 out of order")


# Any history at all, impossible ones included, against a model that is slow and plainly right.
def histories(kinds: Iterable[Kind], clients: str) -> some.SearchStrategy[list[Event]]:
    return some.lists(
        some.builds(
            Event,
            kind=some.sampled_from(list(kinds)),
            message=some.sampled_from("12345"),
            at=some.just(0.0),
            client=some.sampled_from(["", *clients]),
            destination=some.sampled_from(["", "q", "s"]),
            redelivered=some.sampled_from([False, False, False, True]),
        ),
        max_size=16,
    )


IN_ANY_ORDER = some.permutations(range(6)).map(
    lambda order: [
        *(Event(Kind.ATTEMPTED, str(number), 0.0, "p", "q") for number in range(6)),
        *(Event(Kind.RECEIVED, str(number), 1.0, "c", "q") for number in order),
    ]
)


@given(
    events=histories(Kind, "ab")
    | histories((Kind.ATTEMPTED, Kind.RECEIVED), "a")
    | IN_ANY_ORDER.flatmap(
        lambda events: histories(Kind, "pc").map(lambda more: [*events[:8], *more, *events[8:]])
    )
    | IN_ANY_ORDER,
    ordered=some.booleans(),
)
def test_the_checker_agrees_with_the_reference(events: list[Event], ordered: bool) -> None:
    expected = reference(events, ordered=ordered)
    if expected is None:
        with pytest.raises(ValueError, match="is "):
            check(events, ordered=ordered)
    else:
        assert asdict(check(events, ordered=ordered)) == expected


def test_two_hundred_thousand_events_take_a_moment() -> None:
    """They are read once, so a generator will do."""

    def events() -> Iterator[Event]:
        for number in range(66_667):
            message = f"run-{number:07d}"
            yield Event(Kind.ATTEMPTED, message, 0.0, "p", "q")
            yield Event(Kind.CONFIRMED, message, 0.0)
            yield Event(Kind.RECEIVED, message, 0.0, "c", "q")

    started = time.process_time()
    assert check(events()).received == 66_667
    assert time.process_time() - started < 10.0  # half a second on a fair machine
