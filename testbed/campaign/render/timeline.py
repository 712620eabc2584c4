"""A round's time line as inline SVG: messages a second, the fault, and the broker's states."""

from html import escape

from testbed.campaign.results import Played, State

_WIDTH, _HEIGHT = 640.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 46.0
_STRIP = 10.0  # height of the states below the chart


def draw(played: Played) -> str:
    """Return the picture. It needs neither script nor colour."""
    end = max(played.seconds, 1.0)
    peak = max((max(rate.confirmed, rate.received) for rate in played.rates), default=0.0) or 1.0
    floor = _HEIGHT - _BOTTOM

    def x(at: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * min(at, end) / end, 1)

    def y(rate: float) -> float:
        return round(floor - (floor - _TOP) * rate / peak, 1)

    def stairs(points: list[tuple[float, float]]) -> str:
        return "".join(
            f"{'L' if n else 'M'}{x(at)} {y(rate)}" for n, (at, rate) in enumerate(points)
        )

    confirmed = stairs([(rate.at, rate.confirmed) for rate in played.rates])
    received = stairs([(rate.at, rate.received) for rate in played.rates])
    parts = []
    if played.injected:
        width = max(x(played.ended) - x(played.injected), 2.0)
        parts.append(
            f'<rect class="fault" x="{x(played.injected)}" y="{_TOP}" width="{width:.1f}" '
            f'height="{floor - _TOP}"><title>{escape(played.description)}</title></rect>'
        )
        if played.recovery is not None:
            at = x(played.ended + played.recovery)
            title = f"<title>recovered after {played.recovery:.1f} s</title>"
            parts.append(f'<path class="back" d="M{at} {_TOP}V{floor}">{title}</path>')
    parts += [
        f'<path class="axis" d="M{_LEFT} {_TOP}V{floor}H{_WIDTH - _RIGHT}"/>',
        f'<path class="received" d="{received}"/>' if received else "",
        f'<path class="confirmed" d="{confirmed}"/>' if confirmed else "",
        f'<text class="end" x="{_LEFT - 5}" y="{_TOP + 8}">{peak:,.0f}/s</text>',
        f'<text class="end" x="{_LEFT - 5}" y="{floor}">0</text>',
    ]
    ends = [state.at for state in played.states[1:]] + [end]
    for state, until in zip(played.states, ends, strict=False):
        at, width = x(state.at), max(x(until) - x(state.at), 0.5)
        parts.append(
            f'<rect class="{_kind(state)}" x="{at}" y="{floor + 5}" width="{width:.1f}" '
            f'height="{_STRIP}"><title>{_words(state)}</title></rect>'
        )
    for number in range(5):
        at = end * number / 4
        text = f'x="{x(at)}" y="{_HEIGHT - 10}">{at:.0f} s</text>'
        parts.append(f'<text class="{"end" if number == 4 else "middle"}" {text}')
    label = escape(str(played.round), quote=True)
    box = f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}"'
    return f'<svg class="chart" role="img" aria-label="{label}" {box}>{"".join(parts)}</svg>'


def _kind(state: State) -> str:
    if state.broker_state != "RUNNING":
        return "other"
    return "whole" if state.running == state.nodes else "less"


def _words(state: State) -> str:
    nodes = f"{state.running} of {state.nodes} nodes run"
    return escape(f"{state.broker_state}, {nodes}, from {state.at:.1f} s on")
