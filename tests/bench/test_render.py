"""A result as JSON, as a page, as pictures, and on a terminal."""

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

from rich.console import Console

from testbed.bench.analysis import compare
from testbed.bench.render import html, terminal
from testbed.report.charts import Axis, Bar, Line, bars, lines
from tests.support.bench_results import a_result, a_series


def test_the_page_needs_nothing_else() -> None:
    page = html.render(a_result(), compare([("a.json", a_result()), ("b.json", a_result())]))
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert (
        page.count('class="chart"') == 4
    )  # bars, percentiles, throughput and latency against rate
    assert "ratio" in page
    assert "Generators and broker share" in page


def test_a_comparison_on_the_page_says_that_the_machines_differ() -> None:
    here = a_result()
    there = replace(here, environment={**here.environment, "machine": "aarch64, 64 CPUs"})
    page = html.render(here, compare([("a.json", here), ("b.json", there)]))
    assert "machine: x86_64, 2 CPUs and aarch64, 64 CPUs" in page


def test_what_comes_from_outside_is_escaped() -> None:
    series = a_series(1000, 940)
    evil = replace(
        series,
        sides=tuple(replace(side, label="<script>alert(1)</script>") for side in series.sides),
    )
    page = html.render(a_result(evil))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_result_shows_on_eighty_columns() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    terminal.show(a_result(), console)
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "TLS, plain volume" in text
    assert "sustained" in text
    terminal.show_comparisons(compare([("a", a_result()), ("b", a_result())]), console)


def drawn(picture: str) -> ET.Element:
    return ET.fromstring(f"<div>{picture}</div>")


def places(root: ET.Element, *names: str) -> list[float]:
    """Return what these attributes say, in percent."""
    found = [element.get(name, "") for element in root.iter() for name in names]
    return [float(text.removesuffix("%")) for text in found if text.endswith("%")]


def test_a_chart_of_lines_is_inside_its_frame() -> None:
    root = drawn(
        lines(
            "Title",
            Axis("x", logarithmic=True),
            Axis("y", logarithmic=True),
            [Line("a", ((1, 5), (10, 50), (1e5, 7))), Line("b", ((1, 1),))],
        )
    )
    points = [
        tuple(map(float, pair.split(",")))
        for polyline in root.iter("polyline")
        for pair in polyline.get("points", "").split()
    ]
    assert len(points) == 4
    assert all(0 <= x <= 1000 and 0 <= y <= 280 for x, y in points)
    assert all(0 <= place <= 100 for place in places(root, "cx", "x1", "x2", "x"))


def test_bars_have_a_dot_for_each_round_and_one_baseline() -> None:
    first = Bar("a & b", 100, 90, 120, rounds=(80, 100, 125))
    second = Bar("c", 50, 40, 60, "half", rounds=(40, 50, 60))
    root = drawn(bars("Title", "msg/s", [first, second]))
    assert all(0 <= place <= 100 for place in places(root, "cx", "x1", "x2", "width"))
    dots = [dot for dot in root.iter("circle") if dot.get("class") == "round"]
    assert len(dots) == 6
    heights = [float(dot.get("cy", "")) for dot in dots[:3]]
    assert heights == sorted(heights), "in the order in which they ran"
    baselines = [line for line in root.iter("line") if line.get("class") == "baseline"]
    assert {line.get("x1") for line in baselines} == {f"{98 * 100 / 125:.2f}%"}
    assert [text.text for text in root.iter("text")] == [
        "a & b",
        "100 msg/s",
        "c",
        "50 msg/s; half",
    ]


def test_a_page_has_the_same_baseline_in_its_picture_and_its_table() -> None:
    series = a_series(1000, 940, 700)
    page = html.render(a_result(series))
    for side in series.sides[1:]:
        assert page.count(str(series.ratio(side))) == 2
    assert f"ratio to {series.sides[0].label}" in page


def test_nothing_to_draw_is_no_picture() -> None:
    assert (
        lines(
            "Title",
            Axis("x", logarithmic=True),
            Axis("y", logarithmic=True),
            [Line("a", ((0, 0),))],
        )
        == ""
    )
    assert bars("Title", "msg/s", []) == ""
