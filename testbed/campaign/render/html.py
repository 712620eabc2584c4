"""A campaign as one HTML page that needs nothing else: no script, font, image or network."""

from markupsafe import Markup

from testbed.campaign.plan import TOPOLOGIES
from testbed.campaign.render import growth, text, timeline
from testbed.campaign.results import Campaign
from testbed.campaign.soak import Soak
from testbed.report import pages


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
                    "sketch": timeline.sketch(played),
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
    return pages.environment("testbed.campaign.render").get_template("page.html").render(values)


def _held(soak: Soak) -> dict[str, object]:
    return {
        "head": growth.HEAD,
        "rows": growth.cells(soak),
        "line": growth.line(soak),
        "pictures": [
            Markup(growth.draw(soak.samples, quantity.name))  # noqa: S704 - it escapes all text
            for quantity in soak.growth
        ],
    }
