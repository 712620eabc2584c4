"""How long a listener waits for a client that stops in the middle of a handshake."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from testbed.wire import tls_messages
from testbed.wire.byte_reader import NotTls
from testbed.wire.connection import ListenerAddress, Stream, refusal
from testbed.wire.scan import HalfOpen, Refusal

STAGES = ("connected", "half a ClientHello", "a ClientHello")


def wait(
    addresses: Mapping[str, tuple[str, int]],
    *,
    server_name: str,
    version: str,
    suites: Sequence[int],
    patience: float,
) -> dict[str, tuple[HalfOpen, ...]]:
    """Stop a handshake with every listener (name -> host, port) at each of ``STAGES``.

    All in parallel, for at most about ``patience`` seconds. Never raises for what a listener does.
    """
    whole = tls_messages.client_hello(version, suites, server_name)
    sent = {STAGES[0]: b"", STAGES[1]: whole[: len(whole) // 2], STAGES[2]: whole}
    questions = [(name, stage) for name in addresses for stage in STAGES]

    def one(question: tuple[str, str]) -> HalfOpen:
        return _wait(
            ListenerAddress(*addresses[question[0]], server_name, patience),
            question[1],
            sent[question[1]],
        )

    with ThreadPoolExecutor(len(questions) or 1) as pool:
        answers = list(pool.map(one, questions))
    return {
        name: tuple(
            answer
            for (listener_name, _), answer in zip(questions, answers, strict=True)
            if listener_name == name
        )
        for name in addresses
    }


def _wait(listener: ListenerAddress, stage: str, sent: bytes) -> HalfOpen:
    started, received = time.monotonic(), b""
    try:
        with Stream(listener) as stream:
            try:
                stream.socket.sendall(sent)
                while True:
                    stream.more()
            except (OSError, EOFError) as error:
                received, ended = stream.received, _ended(error, stream.received)
    except OSError as error:
        ended = Refusal("unreachable", str(error))
    return HalfOpen(
        stage, received[:1] == bytes([tls_messages.HANDSHAKE]), ended, time.monotonic() - started
    )


def _ended(error: Exception, received: bytes) -> Refusal:
    """Return the listener's last alert, or how the connection ended without one."""
    last = b""
    with suppress(NotTls):
        while record := tls_messages.record(received):
            kind, last, received = record
        if last and kind == tls_messages.ALERT and not isinstance(error, TimeoutError):
            return Refusal("alert", str(tls_messages.alert(last)))
    return refusal(error, b"")
