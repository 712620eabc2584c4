"""Which ports are chosen."""

import socket

import pytest

from testbed.errors import TestbedError
from testbed.runtime import ports


def test_ports_are_chosen_once_and_below_those_of_outgoing_connections() -> None:
    chosen = [port for _ in range(20) for port in ports.free(3)]
    assert len(set(chosen)) == 60
    assert all(20000 <= port < 32768 for port in chosen)


def test_a_range_is_kept_to_and_what_listens_in_it_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        port = listener.getsockname()[1]
        monkeypatch.setenv("TESTBED_PORTS", f"{port}-{port + 9}")
        assert port < ports.free(1)[0] <= port + 9
        with pytest.raises(TestbedError, match="No port is free"):
            ports.free(10)


def test_a_process_that_makes_brokers_for_weeks_does_not_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TESTBED_PORTS", "19000-19009")
    first = ports.free(4)
    others = ports.free(6)
    assert len({*first, *others}) == 10, "none twice while there is another"
    assert ports.free(4) == first, "then those that were handed out longest ago"
    with pytest.raises(TestbedError, match="No port is free"):
        ports.free(11)


@pytest.mark.parametrize("text", ["21000", "x-y", "21999-21000", "0-9", "65000-65536", "-"])
def test_what_is_no_range_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TESTBED_PORTS", text)
    with pytest.raises(TestbedError, match=f"TESTBED_PORTS is not a range of ports: {text}"):
        ports.free(1)
