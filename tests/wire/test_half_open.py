"""Handshakes that are begun and left alone: who hangs up, when, and how."""

import socket
import time

from testbed.wire import half_open
from testbed.wire.scan import HalfOpen, Refusal
from testbed.wire.tls_messages import offered
from tests.support.tls_servers import NAME, serving

CLOSE_NOTIFY = b"\x15\x03\x03\0\2\1\0"


def waited(port: int, patience: float) -> tuple[HalfOpen, ...]:
    answers = half_open.wait(
        {"a": ("127.0.0.1", port)},
        server_name=NAME,
        version="TLSv1.2",
        suites=offered("TLSv1.2"),
        patience=patience,
    )
    assert list(answers) == ["a"]
    assert [answer.stage for answer in answers["a"]] == list(half_open.STAGES)
    return answers["a"]


def test_a_listener_that_waits_for_ever_costs_no_more_than_the_patience() -> None:
    with serving(lambda connection: time.sleep(3)) as port:
        begun = time.monotonic()
        answers = waited(port, 0.5)
        assert time.monotonic() - begun < 2.5
    assert [answer.ended for answer in answers] == [Refusal("timeout")] * 3
    assert all(0.4 < answer.seconds < 2.5 and not answer.answered for answer in answers)


def test_one_that_hangs_up_is_timed_and_its_last_words_are_kept() -> None:
    def handle(connection: socket.socket) -> None:
        started = b"\x16\x03\x03\0\4\2\0\0\0" if len(connection.recv(4096)) > 600 else b""
        time.sleep(0.3)
        connection.sendall(started + CLOSE_NOTIFY)

    with serving(handle) as port:
        connected, half, whole = waited(port, 2.0)
    assert connected.ended == Refusal("timeout"), "it never got anything to read"
    assert half.ended == whole.ended == Refusal("alert", "warning close_notify")
    assert all(0.2 < answer.seconds < 2 for answer in (half, whole))
    assert whole.answered
    assert not half.answered


def test_one_that_closes_at_once_and_nobody() -> None:
    with serving(lambda connection: None) as port:
        assert {answer.ended.kind for answer in waited(port, 2.0)} == {"closed"}
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    assert {answer.ended.kind for answer in waited(port, 2.0)} == {"unreachable"}
