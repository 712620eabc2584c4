"""A time line's places in a picture: across in percent, so that text is as large at any width."""

from dataclasses import dataclass
from functools import cached_property
from math import log10

from testbed.timeline import Change, Lane, Moment, Timeline

# Pixels, from top to bottom: rows of numbers, the plot, the lanes, the axis.
NUMBER, PLOT, LANE, AXIS = 16, 88, 24, 20
_NARROWEST = 240  # pixels across, on a telephone
_LETTER = 7  # pixels across, at most
_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """A state from ``x`` on; ``text`` is empty where it does not fit."""

    x: float
    width: float
    change: Change
    text: str


@dataclass(frozen=True)
class Mark:
    """A numbered moment; ``row`` is that of its number, from the bottom."""

    x: float
    row: int
    number: int
    moment: Moment


@dataclass(frozen=True)
class Line:
    """One line of the list below the picture: a moment with its number, or a lane's change."""

    at: float
    number: int
    text: str
    kind: str


@dataclass(frozen=True)
class Sketch:
    """A time line with its places."""

    timeline: Timeline

    def x(self, at: float) -> float:
        """Return the place of a time, in percent."""
        return round(100 * min(max(at, 0.0), self._end) / self._end, 2)

    @property
    def _end(self) -> float:
        return max(self.timeline.seconds, 0.1)

    @property
    def peak(self) -> float:
        """The highest rate, at the top of the plot."""
        rates = (max(rate.confirmed, rate.received) for rate in self.timeline.rates)
        return max(rates, default=0.0) or 1.0

    @property
    def confirmed(self) -> str:
        """The path of messages confirmed, in a box of 1000 by 100."""
        return self._stairs([(rate.at, rate.confirmed) for rate in self.timeline.rates])

    @property
    def received(self) -> str:
        """The path of messages received; empty if none were."""
        if not any(rate.received for rate in self.timeline.rates):
            return ""
        return self._stairs([(rate.at, rate.received) for rate in self.timeline.rates])

    def _stairs(self, rates: list[tuple[float, float]]) -> str:
        ends = [*(at for at, _ in rates[1:]), self._end]
        corners = []
        for (at, rate), end in zip(rates, ends, strict=False):
            y = f"{round(100 * (1 - rate / self.peak), 2):g}"
            corners += [f"{10 * self.x(at):g} {y}", f"{10 * self.x(end):g} {y}"]
        return f"M{'L'.join(corners)}" if corners else ""

    def bars(self, lane: Lane) -> list[Bar]:
        """Return the states of a lane."""
        ends = [*(change.at for change in lane.changes[1:]), self._end]
        bars = []
        for change, end in zip(lane.changes, ends, strict=False):
            x, width = self.x(change.at), round(self.x(end) - self.x(change.at), 2)
            fits = _LETTER * (len(change.state) + 1) <= width * _NARROWEST / 100
            bars.append(Bar(x, width, change, change.state if fits else ""))
        return bars

    @cached_property
    def marks(self) -> list[Mark]:
        """Number the moments; no number lies on another, even on a telephone."""
        marks: list[Mark] = []
        free: list[float] = []  # from where on each row is free, in percent
        for number, moment in enumerate(self.timeline.moments, 1):
            x = self.x(moment.at)
            row = next((row for row, place in enumerate(free) if place <= x), len(free))
            free[row : row + 1] = [x + 100 * NUMBER / _NARROWEST]
            marks.append(Mark(x, row, number, moment))
        return marks

    @property
    def top(self) -> int:
        """Where the plot begins, in pixels."""
        return NUMBER * max((mark.row + 1 for mark in self.marks), default=0) + 4

    def number(self, mark: Mark) -> int:
        """Return where a number ends, in pixels."""
        return self.top - 4 - NUMBER * mark.row

    def y(self, lane: int) -> int:
        """Return where a lane begins, or with their number the axis, in pixels."""
        return self.top + PLOT + 6 + LANE * lane

    @property
    def height(self) -> int:
        """The whole height in pixels."""
        return self.y(len(self.timeline.lanes)) + AXIS

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places of the axis with their text, whole seconds where it is long enough."""
        rough = self._end / _TICKS
        magnitude = 10.0 ** int(log10(rough) // 1)
        step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough)
        return [
            (self.x(number * step), f"{number * step:g} s")
            for number in range(int(self._end / step) + 1)
        ]

    @property
    def lines(self) -> list[Line]:
        """Return everything that the picture shows but the rates, in words and in order."""
        lines = [
            Line(
                mark.moment.at,
                mark.number,
                f"{mark.moment.what}, refused" if mark.moment.refused else mark.moment.what,
                "bad" if mark.moment.refused else "",
            )
            for mark in self.marks
        ]
        for lane in self.timeline.lanes:
            lines += [
                Line(
                    change.at,
                    0,
                    f"{lane.name}: {change.state}",
                    change.kind,
                )
                for change in lane.changes
            ]
        return sorted(lines, key=lambda line: (line.at, not line.number))
