"""A campaign on the terminal, as tables and as a page."""

from dataclasses import replace

from testbed.campaign.render import html, text, timeline
from tests.support.campaign import a_campaign, played


def test_the_page_needs_nothing_else_and_has_a_time_line_a_round() -> None:
    page = html.render(a_campaign(played(), played(lost=True)))
    assert page.count('class="timeline"') == 2
    assert "Not every round came out as it has to." in page
    for outside in ("<script", "http://", "https://", "<the>"):
        assert outside not in page


def test_a_time_line_shows_the_fault_the_rates_and_the_states() -> None:
    sketch = timeline.sketch(played())
    assert [line.text for line in sketch.lines] == [
        "fault: none",
        "broker: RUNNING, 1 of 1 nodes",
        "Killed <the> node.",
        "fault: injected",
        "fault: ended",
        "broker: RUNNING, 0 of 1 nodes",
        "recovered after 4.0 s",
    ]
    assert sketch.confirmed
    assert sketch.received


def test_a_round_that_failed_early_has_its_picture_too() -> None:
    early = replace(
        played(recovery=None), rates=(), states=(), injected=0.0, seconds=0.0, error="no broker"
    )
    assert "fault: none" in html.render(a_campaign(early))


def test_a_fault_lasts_to_the_end_of_a_round_that_breaks_off() -> None:
    broken_off = replace(played(recovery=None), ended=0.0, error="no broker")
    sketch = timeline.sketch(broken_off)
    bars = sketch.bars(sketch.timeline.lanes[0])
    assert [bar.change.state for bar in bars] == ["none", "injected"]
    assert all(bar.width >= 0 for bar in bars)


def test_the_tables_have_a_row_for_each_fault() -> None:
    tables = text.markdown(a_campaign(played(), played(control="transient", lost=True)))
    assert "| kill | 1 | 1 | 0 | 0 | 0 | 0 | 4.0 s | 4.0 s |" in tables
    assert "| kill, control: transient | 1 | 1 | 1 |" in tables


def test_the_tables_name_the_rounds_that_failed() -> None:
    sound = text.markdown(a_campaign())
    assert sound.startswith("Made by `testbed campaign run --seed 1`, 2026-01-31, 1 minutes.")
    assert "did not come out" not in sound
    broken_off = replace(played(recovery=None), error="the broker did not come back")
    tables = text.markdown(a_campaign(played(), broken_off))
    assert "**1 of 2 rounds did not come out as they have to:**" in tables
    assert "the broker did not come back" in tables.splitlines()[-1]


def test_what_broke_off_is_said_everywhere() -> None:
    reason = "It broke off: no <disk>."
    broken_off = replace(a_campaign(), broken_off=reason)
    assert text.terminal(broken_off).splitlines()[-2] == reason
    assert text.terminal(broken_off).splitlines()[-1].startswith("NOT OK")
    assert f"**{reason}**" in text.markdown(broken_off)
    page = html.render(broken_off)
    assert "Every round came out as it has to. It broke off: no &lt;disk&gt;." in page


def test_the_terminal_ends_with_the_verdict() -> None:
    assert text.terminal(a_campaign()).splitlines()[-1].startswith("ok: 1 rounds")
    lost = text.terminal(a_campaign(played(lost=True)))
    assert lost.splitlines()[-1].startswith("NOT OK")
