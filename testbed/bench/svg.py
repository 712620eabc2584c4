"""Pictures as inline SVG: bars and lines, readable without a script, in colour or not, on light or dark."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 16.0, 12.0, 46.0
# Shape and dashes tell the lines apart where colour does not; the colours are the page's (--c0 ...).
_DASHES = ("", "7 4", "2 4", "10 4 2 4", "1 3", "12 3")
COLOURS = 6


@dataclass(frozen=True)
class Line:
    """``points`` are x and y in rising x."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bar:
    """``note`` stands above the bar; ``low`` and ``high`` are the interval of ``value``."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Axis:
    """``ticks`` fixes the marks (value, text), otherwise they are chosen."""

    label: str
    logarithmic: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


def lines(title: str, x: Axis, y: Axis, drawn: Sequence[Line]) -> str:
    """A chart of lines; empty when there is nothing to draw."""
    drawn = [
        Line(each.label, tuple(p for p in each.points if _drawable(p[0], x) and _drawable(p[1], y)))
        for each in drawn
    ]
    drawn = [each for each in drawn if each.points]
    if not drawn:
        return ""
    across = _scale(
        [p[0] for each in drawn for p in each.points] + [tick for tick, _ in x.ticks],
        x,
        _LEFT,
        _WIDTH - _RIGHT,
    )
    up = _scale([p[1] for each in drawn for p in each.points], y, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(x, y, across, up)]
    for number, each in enumerate(drawn):
        path = " ".join(f"{across.at(px):.1f},{up.at(py):.1f}" for px, py in each.points)
        dash = (
            f' stroke-dasharray="{_DASHES[number % len(_DASHES)]}"'
            if _DASHES[number % len(_DASHES)]
            else ""
        )
        parts.append(
            f'<polyline class="c{number % COLOURS}" fill="none" stroke-width="2"{dash} points="{path}"/>'
        )
        if len(each.points) <= 24:
            parts += [
                f'<circle class="c{number % COLOURS} dot" cx="{across.at(px):.1f}" cy="{up.at(py):.1f}" r="3"/>'
                for px, py in each.points
            ]
    legend = _legend([each.label for each in drawn])
    return _picture(title, parts, _HEIGHT) + legend


def waterfall(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Bars one below the other, each with what is missing to the one above."""
    if not bars or not any(bar.value for bar in bars):
        return ""
    row, top, room = 46.0, 6.0, _WIDTH - 4
    widest = max(max(bar.high, bar.value) for bar in bars)
    parts = []
    for number, bar in enumerate(bars):
        y = top + number * row
        width = room * bar.value / widest
        if number and bars[number - 1].value > bar.value:
            before = room * bars[number - 1].value / widest
            parts.append(
                f'<rect class="gone" x="{width:.1f}" y="{y + 16:.1f}" width="{before - width:.1f}" height="20"/>'
            )
        parts.append(
            f'<rect class="c{number % COLOURS} bar" x="0" y="{y + 16:.1f}" width="{width:.1f}" height="20"/>'
        )
        low, high = room * bar.low / widest, room * bar.high / widest
        parts.append(
            f'<path class="whisker" d="M{low:.1f} {y + 22:.1f}v8m0 -4H{high:.1f}m0 -4v8"/>'
        )
        said = f"{bar.label}: {_number(bar.value)} {unit}{f', {bar.note}' if bar.note else ''}"
        parts.append(f'<text x="0" y="{y + 12:.1f}">{escape(said)}</text>')
    return _picture(title, parts, top + len(bars) * row + 4)


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


def _grid(x: Axis, y: Axis, across: _Scale, up: _Scale) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>']
    for value, text in up.ticks:
        at = up.at(value)
        parts.append(
            f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/><text class="end" x="{_LEFT - 6}" y="{at + 4:.1f}">{escape(text)}</text>'
        )
    for value, text in across.ticks:
        at = across.at(value)
        parts.append(
            f'<path class="axis" d="M{at:.1f} {bottom}v4"/><text class="middle" x="{at:.1f}" y="{bottom + 17}">{escape(text)}</text>'
        )
    parts.append(
        f'<text class="middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}">{escape(x.label)}</text>'
    )
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text class="middle" x="14" y="{middle}" transform="rotate(-90 14 {middle})">{escape(y.label)}</text>'
    )
    return parts


def _legend(labels: Sequence[str]) -> str:
    items = []
    for number, label in enumerate(labels):
        dash = (
            f' stroke-dasharray="{_DASHES[number % len(_DASHES)]}"'
            if _DASHES[number % len(_DASHES)]
            else ""
        )
        line = f'<svg width="34" height="10" aria-hidden="true"><path class="c{number % COLOURS}" stroke-width="2" fill="none"{dash} d="M0 5H34"/></svg>'
        items.append(f"<li>{line} {escape(label)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _picture(title: str, parts: Sequence[str], height: float) -> str:
    box = f'viewBox="0 0 {_WIDTH:g} {height:g}"'
    return f'<svg class="chart" role="img" aria-label="{escape(title, quote=True)}" {box}><title>{escape(title)}</title>{"".join(parts)}</svg>'
