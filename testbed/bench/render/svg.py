"""Charts as inline SVG: bars and lines, readable without script or colour, on light or dark."""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from html import escape

_WIDTH, _HEIGHT = 640.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 16.0, 12.0, 46.0
# Dashes distinguish the lines without colour; the colours are the page's (--c0 ...).
_DASHES = ("", "7 4", "2 4", "10 4 2 4", "1 3", "12 3")
COLOURS = 6
_MOST_DOTS = 24  # points of a line that are marked


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
    """``ticks`` are the marks (value, text), chosen automatically if empty."""

    label: str
    _: KW_ONLY
    logarithmic: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


def lines(title: str, x: Axis, y: Axis, drawn: Sequence[Line]) -> str:
    """Draw a chart of lines; empty when there is nothing to draw."""
    visible = [
        Line(line.label, points)
        for line in drawn
        if (points := tuple(p for p in line.points if _drawable(p[0], x) and _drawable(p[1], y)))
    ]
    if not visible:
        return ""
    xs, ys = zip(*(point for line in visible for point in line.points), strict=True)
    across = _scale([*xs, *(tick for tick, _ in x.ticks)], x, _LEFT, _WIDTH - _RIGHT)
    up = _scale(ys, y, _HEIGHT - _BOTTOM, _TOP)
    parts = _grid(x, y, across, up)
    for number, line in enumerate(visible):
        dots = [(f"{across.at(px):.1f}", f"{up.at(py):.1f}") for px, py in line.points]
        path = " ".join(f"{px},{py}" for px, py in dots)
        parts.append(
            f'<polyline class="{_colour(number)}" fill="none" stroke-width="2"{_dash(number)} '
            f'points="{path}"/>'
        )
        if len(dots) <= _MOST_DOTS:
            dot = f"{_colour(number)} dot"
            parts += [f'<circle class="{dot}" cx="{px}" cy="{py}" r="3"/>' for px, py in dots]
    return _picture(title, parts, _HEIGHT) + _legend([line.label for line in visible])


def waterfall(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Draw bars one below the other, each with what is missing to the one above."""
    if not any(bar.value for bar in bars):
        return ""
    row, top, width = 46.0, 6.0, _WIDTH - 4
    scale = width / max(max(bar.high, bar.value) for bar in bars)
    parts: list[str] = []
    above = 0.0
    for number, bar in enumerate(bars):
        y = top + number * row
        if above > bar.value:
            parts.append(_bar("gone", scale * bar.value, y + 16, scale * (above - bar.value)))
        parts.append(_bar(f"{_colour(number)} bar", 0, y + 16, scale * bar.value))
        low, high = scale * bar.low, scale * bar.high
        whisker = f"M{low:.1f} {y + 22:.1f}v8m0 -4H{high:.1f}m0 -4v8"
        parts.append(f'<path class="whisker" d="{whisker}"/>')
        note = f", {bar.note}" if bar.note else ""
        text = escape(f"{bar.label}: {_number(bar.value)} {unit}{note}")
        parts.append(f'<text x="0" y="{y + 12:.1f}">{text}</text>')
        above = bar.value
    return _picture(title, parts, top + len(bars) * row + 4)


def _bar(kind: str, x: float, y: float, width: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="20"/>'


def _colour(number: int) -> str:
    return f"c{number % COLOURS}"


def _dash(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


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
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
    for value, mark in up.ticks:
        at = up.at(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>')
        parts.append(_text("end", f"{_LEFT - 6}", f"{at + 4:.1f}", mark))
    for value, mark in across.ticks:
        at = across.at(value)
        parts.append(f'<path class="axis" d="M{at:.1f} {bottom}v4"/>')
        parts.append(_text("middle", f"{at:.1f}", f"{bottom + 17}", mark))
    parts.append(_text("middle", f"{(_LEFT + right) / 2}", f"{_HEIGHT - 8}", x.label))
    middle = (_TOP + bottom) / 2
    rotated = f' transform="rotate(-90 14 {middle})"'
    parts.append(_text("middle", "14", f"{middle}", y.label, rotated))
    return parts


def _text(anchor: str, x: str, y: str, text: str, attributes: str = "") -> str:
    return f'<text class="{anchor}" x="{x}" y="{y}"{attributes}>{escape(text)}</text>'


def _legend(labels: Sequence[str]) -> str:
    items = []
    for number, label in enumerate(labels):
        stroke = f'class="{_colour(number)}" stroke-width="2" fill="none"{_dash(number)}'
        line = f'<svg width="34" height="10" aria-hidden="true"><path {stroke} d="M0 5H34"/></svg>'
        items.append(f"<li>{line} {escape(label)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _picture(title: str, parts: Sequence[str], height: float) -> str:
    box, label = f'viewBox="0 0 {_WIDTH:g} {height:g}"', escape(title, quote=True)
    head = f'<svg class="chart" role="img" aria-label="{label}" {box}>'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
