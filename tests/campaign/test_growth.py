"""The slope, the limits, and how they are shown."""

from dataclasses import replace

import pytest

from testbed.campaign.growth import LIMITS, Sample, growths, slope
from testbed.campaign.render import growth, html
from tests.support.campaign import a_campaign, played, samples, soaked


def test_the_slope_is_that_of_the_line_whatever_an_outlier_says() -> None:
    points = [(float(x), 2.0 * x) for x in range(20)]
    assert slope(points) == 2
    points[10] = (10.0, 9_999.0)
    assert slope(points) == 2
    assert slope(points[:1]) == 0


def test_flat_lines_are_ok_and_so_is_a_jump_during_the_warm_up() -> None:
    assert soaked().ok
    flat = samples()
    cold = (Sample(0.0, 10.0, 5, 2, 3, 3, 40, 0.1), *flat[1:])
    assert all(each.ok for each in growths(cold))


@pytest.mark.parametrize("name", ["containers", "volumes"])
def test_one_that_is_left_behind_is_noticed_and_one_that_goes_again_is_not(name: str) -> None:
    flat = samples()

    def grown(numbers: range) -> list[str]:
        taken = [
            replace(sample, **{name: getattr(sample, name) + (number in numbers)})
            for number, sample in enumerate(flat)
        ]
        return [each.name for each in growths(taken) if not each.ok]

    half = len(flat) // 2
    assert grown(range(half, len(flat))) == [name]
    assert grown(range(half, half + 1)) == grown(range(len(flat) - 1, len(flat))) == []


@pytest.mark.parametrize("name", LIMITS)
def test_growth_of_each_is_noticed(name: str) -> None:
    grown = soaked(**{name: 5.0})
    assert not grown.ok
    assert [each.name for each in grown.growth if not each.ok] == [name]
    assert "NOT OK: 1 minutes, 1 rounds, 1 messages confirmed, 0 lost, 1,200 calls" in (
        growth.line(grown)
    )
    assert f"grown: {name}" in growth.line(grown)


def test_a_loss_and_too_few_samples_are_not_ok() -> None:
    assert not soaked(played(lost=True)).ok
    assert growths(samples()[:1]) == ()


def test_disk_is_shown_and_not_judged() -> None:
    assert soaked(disk=50.0).ok


def test_the_page_has_the_table_and_a_picture_of_each() -> None:
    page = html.render(a_campaign(), soaked())
    assert "What was held" in page
    assert page.count('class="chart"') == 7
    assert "What was held" not in html.render(a_campaign())
    assert "memory of the endpoint, MiB" in growth.draw(samples(), "memory")
