"""A campaign as one HTML page that needs nothing else: no script, font, image or network."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from testbed.campaign.plan import TOPOLOGIES
from testbed.campaign.render import growth, text, timeline
from testbed.campaign.results import Campaign
from testbed.campaign.soak import Soak
from testbed.report.text import printable


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("testbed.campaign.render", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )


def render(campaign: Campaign, soak: Soak | None = None) -> str:
    """Return the whole page; with what was held, if ``campaign`` is a soak's."""
    topologies = [
        {
            "title": TOPOLOGIES[topology].title,
            "rows": [text.cells(row) for row in rows],
            "played": [
                {
                    "of": played,
                    "line": text.line(played),
                    "picture": Markup(timeline.draw(played)),  # noqa: S704 - it escapes all text
                }
                for played in campaign.played
                if played.round.topology == topology
            ],
        }
        for topology, rows in campaign.rows()
    ]
    values = {
        "held": _held(soak) if soak else None,
        "campaign": campaign,
        "total": campaign.total(),
        "head": text.HEAD,
        "topologies": topologies,
    }
    return _environment().get_template("page.html").render(values)


def _held(soak: Soak) -> dict[str, object]:
    return {
        "head": growth.HEAD,
        "rows": growth.cells(soak),
        "line": growth.line(soak),
        "pictures": [
            Markup(growth.draw(soak.samples, each.name))  # noqa: S704 - it escapes all text
            for each in soak.growth
        ],
    }
