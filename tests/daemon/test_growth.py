"""What clients and brokers take of a served testbed is given back: descriptors, threads, memory."""

from collections.abc import Iterator

import pytest

from testbed.https.server import CONNECTIONS
from tests.support.growth import ServedProcess, served_process, settled

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def served() -> Iterator[ServedProcess]:
    with served_process() as served:
        yield served


def test_bursts_of_all_connections_are_answered_and_leave_nothing(served: ServedProcess) -> None:
    key = served.testbed.new_key("for many at once")
    request = {"KeyId": key, "Plaintext": "AAAA"}
    served.burst(CONNECTIONS, "TrentService.Encrypt", request)  # memory of the first stays
    before = served.held(key)
    for _ in range(5):
        assert served.burst(CONNECTIONS, "TrentService.Encrypt", request) == [200] * CONNECTIONS
    tolerated = {"descriptors": 10, "threads": 5, "mebibytes": 30}
    held = settled(lambda: served.held(key), lambda held: not held.exceeds(before, **tolerated), 60)
    assert held.exceeds(before, **tolerated) == {}


@pytest.mark.nightly("brokers that come and go; every push has bursts of calls")
def test_brokers_that_come_and_go_leave_nothing(served: ServedProcess) -> None:
    """As two hundred of them in `tests/benchmarks/bench_growth.py`."""
    key = served.testbed.new_key("for brokers that come and go")
    served.cycle(key, "first")
    before = served.held(key)
    for number in range(2):
        served.cycle(key, f"broker-{number}")
    tolerated = {"descriptors": 2, "threads": 2, "mebibytes": 20}
    held = settled(lambda: served.held(key), lambda held: not held.exceeds(before, **tolerated), 30)
    assert held.exceeds(before, **tolerated) == {}
