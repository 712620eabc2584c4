"""What the brokers' own load generators print."""

import pytest

from testbed.bench.yardstick import activemq_rate, perftest_rate
from testbed.errors import ClientError


def line(time: str, sent: str, confirmed: str, received: str) -> str:
    """Return a line that PerfTest prints every second."""
    rates = f"sent: {sent} msg/s, returned: 0 msg/s, confirmed: {confirmed} msg/s, nacked: 0 msg/s"
    latency = "min/median/75th/95th/99th consumer latency: 1/2/3/4/5 µs"
    start = f"id: test-114030-123, time {time} s"
    return f"{start}, {rates}, received: {received} msg/s, {latency}"


PERFTEST = "\n".join(
    [
        "id: test-114030-123, starting consumer #0",
        "id: test-114030-123, starting producer #0",
        line("1.000", "9,000", "1,000", "500"),
        line("6.000", "9000", "8000", "7,000"),
        line("7.000", "9000", "8200", "9000"),
        "id: test-114030-123, sending rate avg: 7000 msg/s",
        "",
    ]
)


def test_perftest_is_read_after_its_warm_up() -> None:
    assert perftest_rate(PERFTEST, warm_up=5.0) == 8000  # received; confirmed is 8,100
    with pytest.raises(ClientError, match="sending rate avg"):
        perftest_rate(PERFTEST, warm_up=50.0)


def test_activemqs_tool_is_read() -> None:
    assert activemq_rate("measured 4000 3000 2000\n") == 1500
    with pytest.raises(ClientError, match="no output"):
        activemq_rate("")
