"""Confirmed traffic to a broker, through its outages, with a history of every message.

A message is sent once. If the broker does not confirm it, its outcome is unknown, and the next one
is sent over a new connection: sending it again would hide its fate.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Self

from testbed import clients
from testbed.clients.base import Address, Client, Destination
from testbed.errors import ClientError, NotConfirmed
from testbed.history import History, Kind, Recorder, body_of, identity_of

Connect = Callable[[Address], Client]

_POLL_SECONDS = 0.2  # how often a consumer checks whether to stop
_RETRY_SECONDS = 0.25  # between attempts to connect


class Traffic:
    """Publishes, and with ``consume`` also consumes, in threads while the ``with`` block runs.

    At most ``count`` messages of ``size`` bytes are sent, ``rate`` per second; each has ``timeout``
    seconds to be confirmed. Share one ``recorder`` between runs to account for them together. A
    consumer connects as ``receive_by`` does, if that is given.
    """

    def __init__(
        self,
        address: Address,
        destination: Destination,
        *,
        count: int = 100_000,
        rate: float = 50.0,
        size: int = 64,
        timeout: float = 5.0,
        consume: bool = False,
        recorder: Recorder | None = None,
        connect: Connect = clients.connect,
        receive_by: Connect | None = None,
    ) -> None:
        self.recorder = recorder or Recorder()
        self._address, self._destination, self._connect = address, destination, connect
        self._receive_by = receive_by or connect
        self._count, self._pause, self._size, self._timeout = count, 1 / rate, size, timeout
        consume = consume or receive_by is not None
        self._kinds = (self._consume, self._publish) if consume else (self._publish,)
        self._threads: list[threading.Thread] = []  # the publisher's is the last
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._confirmed = 0
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Connect and start. Raises ``ClientError`` if the broker cannot be reached."""
        with ExitStack() as opened:
            # Subscribe before the first message: a topic keeps none for late subscribers.
            connected = [opened.enter_context(self._open(work)) for work in self._kinds]
            opened.pop_all()  # the threads close them
        for work, client in zip(self._kinds, connected, strict=True):
            thread = threading.Thread(
                target=self._keep_going,
                args=(work, client),
                name=f"traffic {work.__name__}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> History:
        """Finish the message in flight and return the history. Raises what a thread raised."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        return self.recorder.history()

    def wait(self, timeout: float) -> None:
        """Wait until all messages are sent. Raises ``ClientError`` after ``timeout`` seconds."""
        self._threads[-1].join(timeout)
        if self._threads[-1].is_alive():
            raise ClientError(f"the traffic had not ended after {timeout:g} s")

    def wait_confirmed(self, more: int, timeout: float) -> None:
        """Wait for ``more`` confirmations from now on.

        Raises ``ClientError`` after ``timeout`` seconds, and at once what a thread has raised.
        """
        with self._progress:
            before = self._confirmed
            if not self._progress.wait_for(
                lambda: self._failure or self._confirmed >= before + more, timeout
            ):
                raise ClientError(
                    f"{self._confirmed - before} messages instead of {more} were confirmed "
                    f"within {timeout:g} s"
                )
            if self._failure:
                raise self._failure

    def _open(self, work: Callable[[Client], None]) -> Client:
        connect = self._receive_by if work == self._consume else self._connect
        client = connect(self._address)
        if work == self._consume:
            try:
                client.subscribe(self._destination)
            except BaseException:
                client.close()
                raise
        return client

    def _keep_going(self, work: Callable[[Client], None], client: Client | None) -> None:
        """Do ``work`` until it is done, with a new client after each outage."""
        try:
            while True:
                try:
                    with client or self._open(work) as connected:
                        work(connected)
                except ClientError:  # an outage
                    client = None
                    if self._stopping.wait(_RETRY_SECONDS):
                        return
                else:
                    return
        except BaseException as error:  # noqa: BLE001 - no outage: stop() raises it
            with self._progress:
                self._failure = error
                self._progress.notify_all()

    def _publish(self, client: Client) -> None:
        """Send until nothing is left. Raises ``ClientError`` if the client has to be replaced."""
        due, me, where = time.monotonic(), self.recorder.new_client(), self._destination.name
        while self._count > 0 and not self._stopping.is_set():
            self._count -= 1
            message = self.recorder.new_message()
            self.recorder.record(Kind.ATTEMPTED, message, me, where)
            try:
                client.publish(
                    self._destination, body_of(message, self._size), timeout=self._timeout
                )
            except NotConfirmed:
                self.recorder.record(Kind.UNKNOWN, message)
                raise
            except ClientError:
                self.recorder.record(Kind.FAILED, message)
                raise
            self.recorder.record(Kind.CONFIRMED, message)
            with self._progress:
                self._confirmed += 1
                self._progress.notify_all()
            due = max(due + self._pause, time.monotonic() - self._pause)
            self._stopping.wait(max(0.0, due - time.monotonic()))

    def _consume(self, client: Client) -> None:
        take = partial(_take, client, self.recorder, self.recorder.new_client(), self._destination)
        while not self._stopping.is_set():
            take(_POLL_SECONDS)


def _take(
    client: Client, recorder: Recorder, name: str, destination: Destination, timeout: float
) -> str:
    """Receive, record and acknowledge a message; return its identity, or "" after ``timeout`` s."""
    message = client.receive(timeout=timeout)
    if message is None:
        return ""
    identity = identity_of(message.body)
    recorder.record(
        Kind.RECEIVED, identity, name, destination.name, redelivered=message.redelivered
    )
    message.acknowledge()
    return identity


def drain(
    address: Address,
    destination: Destination,
    recorder: Recorder,
    *,
    quiet: float = 1.0,
    patience: float = 15.0,
    limit: float = 300.0,
    connect: Connect = clients.connect,
) -> History:
    """Receive the rest of ``destination`` into ``recorder`` and return the history.

    It ends after ``quiet`` seconds of silence if everything confirmed has been received, and after
    ``patience`` seconds if something is missing: ending too early would look like a loss.
    Connections are retried within ``patience``. Raises the last ``ClientError`` if there was no
    connection for that long, and ``ClientError`` if messages still arrive after ``limit`` seconds.
    """
    end = time.monotonic() + limit
    before = recorder.history()
    # A recorder may be shared by several destinations, each of which is drained.
    elsewhere = {e.message for e in before if e.destination not in ("", destination.name)}
    missing = set(before.of(Kind.CONFIRMED)) - set(before.of(Kind.RECEIVED)) - elsewhere
    heard = time.monotonic()  # the last arrival or subscription
    while True:
        try:
            with connect(address) as client:
                client.subscribe(destination)
                take = partial(_take, client, recorder, recorder.new_client(), destination)
                heard = time.monotonic()
                while (now := time.monotonic()) < end:
                    left = heard + (patience if missing else quiet) - now
                    if left <= 0:
                        return recorder.history()
                    if identity := take(min(left, _POLL_SECONDS)):
                        missing.discard(identity)
                        heard = time.monotonic()
        except ClientError:
            if time.monotonic() - heard > patience:
                raise
            time.sleep(_RETRY_SECONDS)
        if time.monotonic() >= end:
            raise ClientError(f"{destination.name} had no end within {limit:g} s")
