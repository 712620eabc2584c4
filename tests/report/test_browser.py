"""The pages that are written, in Chromium: readable at every width, in light and in dark.

With CONSOLE_PICTURES=docs/images the pictures of the documentation are made anew, of the report
that REPORT names, or else of one scenario's.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from testbed import report, scenario
from testbed.bench.render import html as bench_page
from testbed.campaign.render import html as campaign_page
from testbed.report import html as report_page
from tests.support import run_content
from tests.support.bench_results import a_result, a_series
from tests.support.browser import chromium, errors, faults, keep_picture, resize, unfold
from tests.support.campaign import a_campaign, played, soaked

pytestmark = [pytest.mark.nightly("a real browser"), pytest.mark.timeout(600)]
PAGES: dict[str, Callable[[], str]] = {
    "report": lambda: report_page.render(run_content.full_run()),
    "campaign": lambda: campaign_page.render(a_campaign(played(), played(lost=True)), soaked()),
    "benchmark": lambda: bench_page.render(a_result(a_series(12404, 9972, 8799))),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1600])
@pytest.mark.parametrize("name", PAGES)
def test_everything_can_be_read(
    browser: Chrome, tmp_path: Path, name: str, width: int, dark: bool
) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGES[name]())
    browser.get(page.as_uri())
    resize(browser, width, dark=dark)
    unfold(browser)
    keep_picture(browser, f"{name}-{width}-{'dark' if dark else 'light'}", whole=True)
    assert faults(browser) == []
    assert errors(browser) == []


@pytest.fixture
def real_report(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    if folder := os.environ.get("REPORT"):
        return Path(folder).resolve()
    testbed = request.getfixturevalue("testbed")
    report.write(scenario.run_all(scenario.find(["key_disabled"]), testbed), tmp_path)
    return tmp_path


@pytest.mark.containers
def test_the_documentation_has_pictures_of_a_real_run(browser: Chrome, real_report: Path) -> None:
    browser.get((real_report / "report.html").as_uri())
    resize(browser, 1200)
    keep_picture(browser, "report")
    keep_picture(browser, "key-disabled", of=".timeline")
    assert faults(browser) == []
    for width in (390, 1600):
        resize(browser, width)
        unfold(browser)
        assert faults(browser) == []
