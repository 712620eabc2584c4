"""Charts as inline SVG: bars and lines, readable without script or colour, on light or dark.

Places across are in percent of the width that there is, so that text is as large at any width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from html import escape

_LEFT, _TOP, _BOTTOM = 72.0, 12.0, 46.0  # around it
_BOX = 1000.0  # the plot's own width: it is stretched
_BAR, _ROW = 24.0, 66.0  # heights of a bar, and of all that belongs to it
# Dashes distinguish the lines without colour; the colours are the page's (--c0 ...).
_DASHES = ("", "7 4", "2 4", "10 4 2 4", "1 3", "12 3")
COLOURS = 6
_MOST_DOTS = 24  # points of a line that are marked


@dataclass(frozen=True)
class Line:
    """``points`` are x and y in rising x. A line without a label is in no legend."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bar:
    """``low`` and ``high`` are the interval of ``value``, and ``rounds`` what it comes from."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    rounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Axis:
    """``ticks`` are the marks (value, text), chosen automatically if empty."""

    label: str
    _: KW_ONLY
    logarithmic: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


def lines(title: str, x: Axis, y: Axis, drawn: Sequence[Line], height: float = 280.0) -> str:
    """Draw a chart of lines, ``height`` pixels high; empty when there is nothing to draw."""
    visible = [
        Line(line.label, points)
        for line in drawn
        if (points := tuple(p for p in line.points if _drawable(p[0], x) and _drawable(p[1], y)))
    ]
    if not visible:
        return ""
    xs, ys = zip(*(point for line in visible for point in line.points), strict=True)
    across = _scale([*xs, *(tick for tick, _ in x.ticks)], x, 0.0, 100.0)
    bottom = height - _BOTTOM
    up = _scale(ys, y, bottom, _TOP)
    plot, dots = [], []
    for number, line in enumerate(visible):
        places = [(across.at(px), up.at(py)) for px, py in line.points]
        path = " ".join(f"{_BOX / 100 * px:.1f},{py:.1f}" for px, py in places)
        plot.append(f'<polyline class="{_colour(number)}"{_dash(number)} points="{path}"/>')
        if len(places) <= _MOST_DOTS:
            dots += [_dot(f"{_colour(number)} dot", px, py) for px, py in places]
    box = f'viewBox="0 0 {_BOX:g} {height:g}" preserveAspectRatio="none"'
    stretched = f'<svg width="100%" height="{height:g}" {box}>{"".join(plot)}</svg>'
    chart = _picture(title, [*_grid(x, across, up, bottom), stretched, *dots], height)
    legend = _legend([line.label for line in visible if line.label])
    return f'<div class="plot">{_upright(y, up, bottom)}{chart}</div>{legend}'


def bars(title: str, unit: str, drawn: Sequence[Bar]) -> str:
    """Draw bars one below the other with their rounds, and a line at the first, the baseline."""
    if not any(bar.value for bar in drawn):
        return ""
    scale = 98 / max(max(bar.high, bar.value, *bar.rounds) for bar in drawn)
    baseline = f"{scale * drawn[0].value:.2f}%"
    parts: list[str] = []
    for number, bar in enumerate(drawn):
        y = number * _ROW + 34
        parts.append(_text("", "0", y - 20, bar.label))
        note = f"; {bar.note}" if bar.note else ""
        parts.append(_text("soft", "0", y - 5, f"{_number(bar.value)} {unit}{note}"))
        width = f'width="{scale * bar.value:.2f}%" height="{_BAR:g}"'
        parts.append(f'<rect class="{_colour(number)} bar" x="0" y="{y:g}" {width}/>')
        middle = y + _BAR / 2
        low, high = f"{scale * bar.low:.2f}%", f"{scale * bar.high:.2f}%"
        parts.append(_straight("whisker", low, high, middle, middle))
        parts += [_straight("whisker", end, end, middle - 5, middle + 5) for end in (low, high)]
        # Rounds from top to bottom, in the order in which they ran.
        step = (_BAR - 6) / max(len(bar.rounds) - 1, 1)
        parts += [
            _dot("round", scale * rate, y + 3 + step * place)
            for place, rate in enumerate(bar.rounds)
        ]
        parts.append(_straight("baseline", baseline, baseline, y - 2, y + _BAR + 2))
    return _picture(title, parts, len(drawn) * _ROW)


def _colour(number: int) -> str:
    return f"c{number % COLOURS}"


def _dash(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _dot(kind: str, x: float, y: float) -> str:
    return f'<circle class="{kind}" cx="{x:.2f}%" cy="{y:.1f}" r="3"/>'


def _straight(kind: str, x1: str, x2: str, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" x2="{x2}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


@dataclass(frozen=True)
class _Scale:
    at: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]


def _drawable(value: float, axis: Axis) -> bool:
    return math.isfinite(value) and (value > 0 or not axis.logarithmic)


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    if axis.logarithmic:
        low, high = low / 1.1, high * 1.1
        ticks = axis.ticks or _decades(low, high)
        spanned = math.log(high / low)
        return _Scale(lambda value: start + (end - start) * math.log(value / low) / spanned, ticks)
    low = 0.0 if low >= 0 else low
    high = high * 1.05 or 1.0
    return _Scale(
        lambda value: start + (end - start) * (value - low) / (high - low),
        axis.ticks or _even(low, high),
    )


def _decades(low: float, high: float) -> tuple[tuple[float, str], ...]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 1000 else (1,)
    return tuple(
        (value, _number(value))
        for exponent in exponents
        for step in steps
        if low <= (value := step * 10.0**exponent) <= high
    )


def _even(low: float, high: float) -> tuple[tuple[float, str], ...]:
    rough = (high - low) / 5
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough)
    return tuple(
        (value, _number(value))
        for number in range(math.ceil(low / step), math.floor(high / step) + 1)
        if (value := number * step) <= high
    )


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _grid(x: Axis, across: _Scale, up: _Scale, bottom: float) -> list[str]:
    parts = [_straight("grid", "0%", "100%", up.at(value), up.at(value)) for value, _ in up.ticks]
    parts.append(_straight("axis", "0%", "0%", _TOP, bottom))
    parts.append(_straight("axis", "0%", "100%", bottom, bottom))
    for value, mark in across.ticks:
        at = across.at(value)
        parts.append(_straight("axis", f"{at:.2f}%", f"{at:.2f}%", bottom, bottom + 4))
        kind = "start" if at < 2 else "end" if at > 95 else "middle"
        parts.append(_text(kind, f"{at:.2f}%", bottom + 17, mark))
    parts.append(_text("middle", "50%", bottom + 38, x.label))
    return parts


def _upright(y: Axis, up: _Scale, bottom: float) -> str:
    """Draw the labels to the left of a plot."""
    middle = (_TOP + bottom) / 2
    parts = [_text("end", f"{_LEFT - 6:g}", up.at(value) + 4, mark) for value, mark in up.ticks]
    parts.append(_text("middle", "14", middle, y.label, f' transform="rotate(-90 14 {middle:g})"'))
    size = f'width="{_LEFT:g}" height="{bottom + _BOTTOM:g}"'
    return f'<svg {size} aria-hidden="true">{"".join(parts)}</svg>'


def _text(kind: str, x: str, y: float, text: str, attributes: str = "") -> str:
    return f'<text class="{kind}" x="{x}" y="{y:.1f}"{attributes}>{escape(text)}</text>'


def _legend(labels: Sequence[str]) -> str:
    items = []
    for number, label in enumerate(labels):
        stroke = f'class="{_colour(number)}" stroke-width="2" fill="none"{_dash(number)}'
        line = f'<svg width="34" height="10" aria-hidden="true"><path {stroke} d="M0 5H34"/></svg>'
        items.append(f"<li>{line} {escape(label)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>' if items else ""


def _picture(title: str, parts: Sequence[str], height: float) -> str:
    size, label = f'width="100%" height="{height:g}"', escape(title, quote=True)
    head = f'<svg class="chart" role="img" aria-label="{label}" {size}>'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
