"""A result as JSON, as a page, as pictures, and on a terminal."""

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

from rich.console import Console

from testbed.bench.analysis import compare
from testbed.bench.render import html, terminal
from testbed.bench.render.svg import Axis, Bar, Line, lines, waterfall
from tests.support.bench_results import a_result, a_series


def test_the_page_needs_nothing_else() -> None:
    page = html.render(a_result(), compare([("a.json", a_result()), ("b.json", a_result())]))
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert (
        page.count('class="chart"') == 4
    )  # waterfall, percentiles, throughput and latency against rate
    assert "ratio" in page
    assert "Generators and broker share" in page


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
    return ET.fromstring(picture.partition("</svg>")[0] + "</svg>")


def test_pictures_are_well_formed_and_inside_their_frame() -> None:
    picture = lines(
        "Title",
        Axis("x", logarithmic=True),
        Axis("y", logarithmic=True),
        [Line("a", ((1, 5), (10, 50), (1e5, 7))), Line("b", ((1, 1),))],
    )
    root = drawn(picture)
    points = [
        float(number)
        for polyline in root.iter("polyline")
        for pair in polyline.get("points", "").split()
        for number in pair.split(",")
    ]
    assert points
    assert min(points) >= 0
    assert max(points) <= 640
    bars = drawn(
        waterfall("Title", "msg/s", [Bar("a & b", 100, 90, 110), Bar("c", 50, 40, 60, "half")])
    )
    assert all(float(bar.get("width", "0")) <= 640 for bar in bars.iter("rect"))
    assert any("a & b" in (text_element.text or "") for text_element in bars.iter("text"))


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
    assert waterfall("Title", "msg/s", []) == ""
