"""A campaign on the terminal and as tables of the documentation."""

from collections.abc import Iterator, Sequence

from testbed.campaign.plan import TOPOLOGIES
from testbed.campaign.results import Campaign, Played, Row

HEAD = (
    "fault",
    "rounds",
    "confirmed",
    "lost",
    "duplicated",
    "unexpected",
    "out of order",
    "to recover, median",
    "worst",
)


def line(played: Played) -> str:
    """Return one line about a round."""
    verdict = "ok" if played.ok else "NOT OK"
    recovery = "" if played.recovery is None else f", recovered after {played.recovery:.1f} s"
    account = f" {played.account}{recovery}" if played.account else ""
    error = f" {played.error}" if played.error else ""
    return f"{verdict}: {played.round}:{account}{error}"


def cells(row: Row) -> tuple[str, ...]:
    """Return what stands in a table below ``HEAD``."""
    counts = (
        row.rounds,
        row.confirmed,
        row.lost,
        row.duplicated,
        row.unexpected,
        row.disordered,
    )
    times = (row.median, row.worst)
    return (
        row.title,
        *(f"{count:,}" for count in counts),
        *("" if time is None else f"{time:.1f} s" for time in times),
    )


def markdown(campaign: Campaign) -> str:
    """Return the tables, one for each topology."""
    return "\n".join(_markdown(campaign)) + "\n"


def _markdown(campaign: Campaign) -> Iterator[str]:
    minutes = f"{campaign.seconds / 60:.0f} minutes"
    # The command, not the seed: several results that were put together have several.
    yield f"Made by `{campaign.command}`, {campaign.started.date().isoformat()}, {minutes}."
    yield ""
    for name, value in campaign.environment.items():
        yield f"- {name}: {value}"
    if campaign.broken_off:
        yield ""
        yield f"**{campaign.broken_off}**"
    for topology, rows in campaign.rows():
        yield ""
        yield f"### {TOPOLOGIES[topology].title}"
        yield ""
        yield _table_line(HEAD)
        yield "|---" + "|--:" * (len(HEAD) - 1) + "|"
        for row in rows:
            yield _table_line(cells(row))
    if failed := [played for played in campaign.played if not played.ok]:
        # The tables alone would not tell a round that broke off from one that lost nothing.
        yield ""
        of_all = f"{len(failed)} of {len(campaign.played)} rounds"
        yield f"**{of_all} did not come out as they have to:**"
        yield ""
        yield from (f"- {line(played)}" for played in failed)


def _table_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def terminal(campaign: Campaign) -> str:
    """Return the tables in columns, and the verdict."""
    return "\n".join(_terminal(campaign))


def _terminal(campaign: Campaign) -> Iterator[str]:
    for topology, rows in campaign.rows():
        yield ""
        yield TOPOLOGIES[topology].title
        yield from columns([HEAD, *map(cells, rows)])
    total = campaign.total()
    yield ""
    if campaign.broken_off:
        yield campaign.broken_off
    yield (
        f"{'ok' if campaign.ok else 'NOT OK'}: {total.rounds} rounds and their controls, "
        f"{total.confirmed:,} messages confirmed, {total.lost} lost, "
        f"{total.unexpected} unexpected, {total.disordered} out of order"
    )


def columns(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines; the first column is aligned to the left, the others to the right."""
    widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
    for texts in lines:
        first, *others = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(texts, widths, strict=True))
        )
        yield "  ".join(["", first, *others])
