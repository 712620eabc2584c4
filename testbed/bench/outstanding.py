"""Messages that were sent and that the broker has not answered for. Pure.

Numbers are settled one by one or all up to one, in any order, as AMQP's confirmations do.
"""

from testbed.bench.accounting import SAMPLE
from testbed.bench.latencies import Latencies
from testbed.history import Kind


class Outstanding:
    """Numbers count up from 0. ``latencies`` gets the time from sending to confirmation of each.

    ``sample`` has the events of every ``SAMPLE``-th message: kind, number, when (ns).
    """

    def __init__(self, latencies: Latencies) -> None:
        self.latencies = latencies
        self.attempted = 0
        self.confirmed = 0
        self.refused: list[int] = []
        self.sample: list[tuple[Kind, int, int]] = []
        self._sent: dict[int, int] = {}  # number -> when (ns)
        self._lowest = 0  # nothing below is unsettled

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, count: int, now: int) -> int:
        """``count`` more are sent at ``now`` (ns); the number of the first."""
        first = self.attempted
        for number in range(first, first + count):
            self._sent[number] = now
            if not number % SAMPLE:
                self.sample.append((Kind.ATTEMPTED, number, now))
        self.attempted += count
        return first

    def settle(
        self, number: int, now: int, *, multiple: bool = False, confirmed: bool = True
    ) -> None:
        """``number``, and with ``multiple`` all unsettled before it, is answered for; twice is harmless."""
        numbers = range(self._lowest, number + 1) if multiple else (number,)
        for each in numbers:
            sent = self._sent.pop(each, None)
            if sent is None:
                continue
            if confirmed:
                self.confirmed += 1
                self.latencies.add(now - sent)
            else:
                self.refused.append(each)
            if not each % SAMPLE:
                self.sample.append((Kind.CONFIRMED if confirmed else Kind.FAILED, each, now))
        if multiple:
            self._lowest = max(self._lowest, number + 1)
        else:
            while self._lowest < self.attempted and self._lowest not in self._sent:
                self._lowest += 1

    def unknown(self) -> tuple[int, ...]:
        """Those without an answer."""
        return tuple(self._sent)
