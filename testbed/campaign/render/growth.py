"""What was held during a soak: a table, and a small picture of each thing."""

from html import escape

from testbed.campaign.growth import Sample
from testbed.campaign.soak import Soak

HEAD = ("held by the testbed", "after the warm-up", "at the end", "grown by the slope", "limit")
_WIDTH, _HEIGHT, _LEFT = 640.0, 90.0, 52.0
_UNITS = {"memory": "memory of the endpoint, MiB", "disk": "state folder, MiB"}


def cells(soak: Soak) -> list[tuple[str, ...]]:
    """Return what stands in a table below ``HEAD``."""
    return [
        (
            _UNITS.get(each.name, each.name),
            f"{each.first:g}",
            f"{each.last:g}",
            f"{each.grown:+g}",
            "" if each.limit is None else f"{each.limit:g}",
        )
        for each in soak.growth
    ]


def line(soak: Soak) -> str:
    """Return the verdict in one line."""
    total = soak.campaign.total()
    grown = [each.name for each in soak.growth if not each.ok]
    what = f"grown: {', '.join(grown)}" if grown else "nothing has grown"
    return (
        f"{'ok' if soak.ok else 'NOT OK'}: {soak.campaign.seconds / 60:.0f} minutes, {total.rounds}"
        f" rounds, {total.confirmed:,} messages confirmed, {total.lost} lost, {soak.calls:,} calls "
        f"to KMS, {soak.created} brokers created and deleted, "
        f"{what if soak.growth else 'too short to tell growth'}"
    )


def draw(samples: tuple[Sample, ...], name: str) -> str:
    """Return the picture of one thing over time, from 0 on."""
    points = [(sample.at, float(getattr(sample, name))) for sample in samples]
    end = max((at for at, _ in points), default=0.0) or 1.0
    peak = max((held for _, held in points), default=0.0) or 1.0
    floor, width, height = _HEIGHT - 22, _WIDTH - _LEFT - 10, _HEIGHT - 32
    path = " ".join(
        f"{_LEFT + width * at / end:.1f},{floor - height * held / peak:.1f}" for at, held in points
    )
    title = escape(_UNITS.get(name, name), quote=True)
    return (
        f'<svg class="chart" role="img" aria-label="{title}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">'
        f'<path class="axis" d="M{_LEFT:g} 10V{floor:g}H{_WIDTH - 10:g}"/>'
        f'<polyline class="confirmed" points="{path}"/>'
        f'<text class="end" x="{_LEFT - 5:g}" y="18">{peak:g}</text>'
        f'<text class="end" x="{_LEFT - 5:g}" y="{floor:g}">0</text>'
        f'<text x="{_LEFT:g}" y="{_HEIGHT - 6:g}">{title}</text>'
        f'<text class="end" x="{_WIDTH - 10:g}" y="{_HEIGHT - 6:g}">{end:.0f} s</text></svg>'
    )
