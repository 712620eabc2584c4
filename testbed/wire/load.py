"""Hundreds of half-open and of refused handshakes, and whether the broker still serves.

For brokers on this machine only, and limited in number, rate and time.
"""

import ipaddress
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from testbed.checker import Account, check
from testbed.clients.base import Address, Destination
from testbed.errors import ClientError
from testbed.history import History, Kind
from testbed.traffic import Traffic, drain
from testbed.wire import tls_messages
from testbed.wire.connection import Agreed, ListenerAddress, handshake

MOST_HELD, MOST_A_SECOND, MOST_SECONDS = 2_000, 500.0, 120.0
_TICK = 0.02  # seconds
_IN_FLIGHT = 64
# Connections for each one to hold: a listener that hangs up at once is not flooded.
_TRIES = 20


@dataclass(frozen=True)
class Held:
    """Half-open handshakes: a ClientHello was sent, and nothing more.

    Of ``begun`` the listener closed ``hung_up``, each of which was replaced. Between ``least`` and
    ``most`` were open at a time, once ``requested`` had begun. ``unconnected`` could not connect.
    """

    requested: int
    begun: int
    hung_up: int
    unconnected: int
    least: int
    most: int
    seconds: float


@dataclass(frozen=True)
class Refused:
    """Handshakes that no listener may accept, with a count of each answer."""

    tried: int
    accepted: int
    answers: tuple[tuple[str, int], ...]
    seconds: float

    @property
    def a_second(self) -> float:
        return self.tried / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class UnderLoad:
    """Confirmed traffic beside a load.

    ``confirmed`` counts messages during the load. The pauses are the longest times without a
    confirmation, in seconds.
    """

    loads: tuple[Held | Refused, ...]
    account: Account
    confirmed: int
    pause: float
    pause_before: float

    @property
    def served(self) -> bool:
        """Messages were confirmed, none was lost, and every outcome is known."""
        return (
            self.account.ok
            and not self.account.unknown
            and not self.account.failed
            and self.confirmed > 0
        )


Load = Callable[[], Held | Refused]


def hold_half_open(
    listener: ListenerAddress, suites: Sequence[int], *, count: int, seconds: float
) -> Held:
    """Hold ``count`` handshakes of TLS 1.2 open, for ``seconds`` once all have been begun.

    Raises ``ClientError`` for a listener on another machine, ``ValueError`` beyond the limits.
    """
    _require_bounds(listener, count <= MOST_HELD, seconds)
    message = tls_messages.client_hello("TLSv1.2", suites, listener.server_name)
    holding = _Holding((listener.host, listener.port), message)
    started = time.monotonic()
    with holding:
        while (
            len(holding) < count
            and holding.tried < _TRIES * count
            and time.monotonic() - started < listener.timeout + seconds
        ):
            holding.begin(min(50, count - len(holding)))
            holding.listen(_TICK)
        least = most = len(holding)
        full = time.monotonic()
        while time.monotonic() - full < seconds:
            holding.listen(_TICK)
            least, most = min(least, len(holding)), max(most, len(holding))
            if holding.tried < _TRIES * count:
                holding.begin(min(50, count - len(holding)))
    return Held(
        count,
        holding.begun,
        holding.hung_up,
        holding.unconnected,
        least,
        most,
        time.monotonic() - started,
    )


class _Holding:
    """The open sockets."""

    def __init__(self, address: tuple[str, int], message: bytes) -> None:
        self._address, self._message = address, message
        self._selector = selectors.DefaultSelector()
        self.begun = self.hung_up = self.unconnected = 0

    def __len__(self) -> int:
        return len(self._selector.get_map())

    @property
    def tried(self) -> int:
        return self.begun + self.unconnected

    def begin(self, count: int) -> None:
        for _ in range(count):
            try:
                opened = socket.create_connection(self._address, 5.0)
            except OSError:
                self.unconnected += 1
                return
            try:
                opened.sendall(self._message)
                opened.settimeout(0)
            except OSError:
                opened.close()
                self.begun, self.hung_up = self.begun + 1, self.hung_up + 1
                continue
            self.begun += 1
            self._selector.register(opened, selectors.EVENT_READ)

    def listen(self, seconds: float) -> None:
        """Read from the listener, and close the sockets that it has closed."""
        for key, _ in self._selector.select(seconds):
            connection: socket.socket = key.fileobj  # type: ignore[assignment] # all are sockets
            try:
                closed = not connection.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                closed = True
            if closed:
                self.hung_up += 1
                self._selector.unregister(connection)
                connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr] # all are sockets
        self._selector.close()


def attempt_refused(listener: ListenerAddress, *, a_second: float, seconds: float) -> Refused:
    """Try ``a_second`` handshakes of TLS 1.1 a second; no documented listener accepts them.

    Raises as ``hold_half_open`` does.
    """
    _require_bounds(listener, a_second <= MOST_A_SECOND, seconds)
    suites = (0xC014, 0xC013, 0x0035, 0x002F)
    answers: Counter[str] = Counter()
    accepted, tried, slots = 0, 0, threading.Semaphore(_IN_FLIGHT)
    lock = threading.Lock()

    def one() -> None:
        nonlocal accepted
        try:
            answer = handshake(listener, "TLSv1.1", suites)
            with lock:
                accepted += isinstance(answer, Agreed)
                answers["accepted" if isinstance(answer, Agreed) else str(answer)] += 1
        finally:
            slots.release()

    started = time.monotonic()
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        while (now := time.monotonic()) - started < seconds:
            due = started + tried / a_second
            if due > now:
                time.sleep(min(due - now, _TICK))
                continue
            slots.acquire()  # a slow listener is asked less often, not more in parallel
            tried += 1
            pool.submit(one)
    return Refused(tried, accepted, tuple(answers.most_common()), time.monotonic() - started)


def _require_bounds(listener: ListenerAddress, few: bool, seconds: float) -> None:
    if not few or seconds > MOST_SECONDS:
        raise ValueError(
            f"at most {MOST_HELD} at once, {MOST_A_SECOND:g} a second and {MOST_SECONDS:g} s"
        )
    try:
        addresses = {
            str(entry[4][0])
            for entry in socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM)
        }
    except OSError as error:
        raise ClientError(f"{listener.host} has no address: {error}") from error
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise ClientError(
            f"{listener.host} is not this machine.",
            hint="Only the testbed's own brokers are put under load.",
        )


def run_under_load(
    address: Address,
    destination: Destination,
    loads: Sequence[Load],
    *,
    rate: float = 50.0,
    before: float = 2.0,
) -> UnderLoad:
    """Send ``rate`` confirmed messages a second to a queue, and run ``loads`` beside them.

    The loads start after ``before`` seconds, all in parallel. Raises ``ClientError`` when no
    message is confirmed at first, and what a load raises.
    """
    with Traffic(address, destination, rate=rate) as traffic:
        traffic.wait_confirmed(1, 30.0)
        begun = time.monotonic()
        time.sleep(before)
        loaded = time.monotonic()
        with ThreadPoolExecutor(len(loads)) as pool:
            results = tuple(pool.map(lambda load: load(), loads))
        ended = time.monotonic()
    history = drain(address, destination, traffic.recorder)
    during = _confirmations(history, loaded, ended)
    return UnderLoad(
        results,
        check(history),
        len(during),
        _pause(during, loaded, ended),
        _pause(_confirmations(history, begun, loaded), begun, loaded),
    )


def _confirmations(history: History, begin: float, end: float) -> list[float]:
    return [
        event.at
        for event in history.events
        if event.kind is Kind.CONFIRMED and begin <= event.at <= end
    ]


def _pause(times: Sequence[float], begin: float, end: float) -> float:
    """Return the longest gap, those before the first and after the last included."""
    return max(later - earlier for earlier, later in pairwise([begin, *times, end]))
