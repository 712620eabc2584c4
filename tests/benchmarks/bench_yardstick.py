"""Our load generators against the brokers' own: ours have to be at least as fast.

    pytest -s tests/benchmarks/bench_yardstick.py

On one broker, in turns, as `testbed bench yardstick` does. If ours were slower, the broker would
not be the limit of what the testbed measures.
"""

import pytest

from testbed.bench.yardstick import compare_generators
from testbed.testbed import Testbed

pytestmark = pytest.mark.containers


@pytest.mark.parametrize("engine", ["RABBITMQ", "ACTIVEMQ"])
def test_ours_is_at_least_as_fast(engine: str) -> None:
    with Testbed() as testbed:
        comparison = compare_generators(testbed, engine)
    print(f"\n{comparison}")
    assert comparison.ratio.high >= 1, "slower than the broker's own by more than the noise"
    assert comparison.ratio.median >= 0.97
