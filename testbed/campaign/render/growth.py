"""What was held during a soak: a table, and a small picture of each thing."""

from testbed.campaign.growth import Sample
from testbed.campaign.soak import Soak
from testbed.report import charts

HEAD = ("held by the testbed", "after the warm-up", "at the end", "grown", "limit")
_HEIGHT = 220.0  # pixels of a picture
_UNITS = {"memory": "memory of the endpoint, MiB", "disk": "state folder, MiB"}


def cells(soak: Soak) -> list[tuple[str, ...]]:
    """Return what stands in a table below ``HEAD``."""
    return [
        (
            _UNITS.get(quantity.name, quantity.name),
            f"{quantity.first:g}",
            f"{quantity.last:g}",
            f"{quantity.grown:+g}",
            "" if quantity.limit is None else f"{quantity.limit:g}",
        )
        for quantity in soak.growth
    ]


def line(soak: Soak) -> str:
    """Return the verdict in one line."""
    total = soak.campaign.total()
    grown = [quantity.name for quantity in soak.growth if not quantity.ok]
    what = f"grown: {', '.join(grown)}" if grown else "nothing has grown"
    return (
        f"{'ok' if soak.ok else 'NOT OK'}: {soak.campaign.seconds / 60:.0f} minutes, {total.rounds}"
        f" rounds, {total.confirmed:,} messages confirmed, {total.lost} lost, {soak.calls:,} calls "
        f"to KMS, {soak.created} brokers created and deleted, "
        f"{what if soak.growth else 'too short to tell growth'}"
    )


def draw(samples: tuple[Sample, ...], name: str) -> str:
    """Return the picture of one thing over time, from 0 on."""
    what = _UNITS.get(name, name)
    points = tuple((sample.at, float(getattr(sample, name))) for sample in samples)
    axes = charts.Axis("seconds"), charts.Axis(what)
    return charts.lines(what, *axes, [charts.Line("", points)], _HEIGHT)
