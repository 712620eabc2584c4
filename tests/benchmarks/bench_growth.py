"""Whether a served testbed grows: 200 brokers that come and go, and 100,000 calls of KMS.

    pytest -s tests/benchmarks/bench_growth.py

`GROWTH_CYCLES` and `GROWTH_CALLS` in the environment are other numbers. Each prints what the
process holds at the beginning and ten times in between, and fails when it has grown at the end. The
trail keeps every call, on disk: the size of its file is no fault.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.aws_endpoint import scope
from tests.support.growth import Held, ServedProcess, served_process

pytestmark = [pytest.mark.containers, pytest.mark.timeout(4 * 3600)]
CYCLES = int(os.environ.get("GROWTH_CYCLES", "200"))
CALLS = int(os.environ.get("GROWTH_CALLS", "100000"))
_CLIENTS = 4


@pytest.fixture(scope="module")
def served() -> Iterator[ServedProcess]:
    with served_process() as served:
        yield served


def tenths(total: int, work: Callable[[int], None], look: Callable[[], Held]) -> list[Held]:
    """Do ``work`` with the numbers up to ``total``; print and return what is held in between."""
    held, started = [look()], time.monotonic()
    print(f"\n{0:>8}  {held[0]}")
    for tenth in range(10):
        for number in range(total * tenth // 10, total * (tenth + 1) // 10):
            work(number)
        held.append(look())
        seconds = time.monotonic() - started
        print(f"{total * (tenth + 1) // 10:>8}  {held[-1]}  {seconds:.0f} s", flush=True)
    return held


def test_brokers_that_come_and_go(served: ServedProcess) -> None:
    key = served.testbed.new_key("for brokers that come and go")
    served.cycle(key, "first")
    held = tenths(
        CYCLES, lambda number: served.cycle(key, f"broker-{number}"), lambda: served.held(key)
    )
    assert held[-1].exceeds(held[0], descriptors=10, threads=5, mebibytes=40) == {}
    assert held[-1].exceeds(held[5], descriptors=5, threads=5, mebibytes=15) == {}


def test_calls_of_kms(served: ServedProcess) -> None:
    key = served.testbed.new_key("for many calls")
    body = json.dumps({"KeyId": key, "Plaintext": "AAAA"}).encode()
    headers = {"Authorization": scope("kms"), "X-Amz-Target": "TrentService.Encrypt"}

    def calls(_: int) -> None:
        """Make a hundredth of all calls, by some clients at once, each over one connection."""
        failed: list[int] = []

        def client() -> None:
            connection = served.clients.connect()
            for _ in range(CALLS // 100 // _CLIENTS):
                connection.request("POST", "/", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failed.append(answer.status)
            connection.close()

        threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []

    calls(0)
    held = tenths(100, calls, lambda: served.held(key))
    assert held[-1].exceeds(held[0], descriptors=10, threads=5, mebibytes=30) == {}
    assert held[-1].exceeds(held[5], descriptors=5, threads=5, mebibytes=10) == {}
