"""The console in Chromium: readable at every width and by keyboard, alive, and closed to others."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from testbed.aws.endpoint import serve
from testbed.trail.lookup import newest, recent
from tests.support import brokers_offline, console_content
from tests.support.aws_endpoint import Served
from tests.support.brokers_offline import KEY, offline, request
from tests.support.browser import (
    chromium,
    errors,
    faults,
    focused,
    keep_picture,
    press,
    resize,
    text,
    unfold,
    visit,
    wait,
)

pytestmark = [pytest.mark.nightly("a real browser"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        offline(tmp_path_factory.mktemp("console") / ".testbed") as testbed,
        serve(testbed) as endpoint,
    ):
        console_content.furnish(testbed)
        yield Served(testbed, endpoint)


@pytest.fixture(scope="module")
def browser(furnished: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), furnished.endpoint.port) as driver:
        yield driver


@pytest.fixture
def page(browser: Chrome, furnished: Served) -> Chrome:
    return visit(browser, furnished.endpoint.console)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1600])
def test_everything_can_be_read(page: Chrome, width: int, dark: bool) -> None:
    resize(page, width, dark=dark)
    unfold(page)
    keep_picture(page, f"{width}-{'dark' if dark else 'light'}", whole=True)
    assert faults(page) == []
    page.find_element(By.CSS_SELECTOR, "#keys button[data-days]").click()
    keep_picture(page, f"{width}-{'dark' if dark else 'light'}-dialog")
    assert faults(page) == []


def test_the_documentation_has_a_picture_of_it(page: Chrome) -> None:
    """Make ``docs/images/console.png`` with CONSOLE_PICTURES=docs/images."""
    resize(page, 1600, 1960)
    keep_picture(page, "console")
    assert faults(page) == []


def test_control_what_cannot_be_read_is_found(page: Chrome) -> None:
    page.execute_script(
        "document.querySelector('h1').style = 'position: relative; left: 1500px; color: #eee';"
        "document.querySelector('h2').style = 'width: 2rem; overflow-wrap: anywhere'"
    )
    found = " ".join(faults(page))
    assert "broken: Brokers of H2" in found
    assert "outside: H1" in found
    assert "faint: H1" in found


def test_nothing_is_refused_by_the_browser(page: Chrome) -> None:
    assert errors(page) == []
    page.execute_script(
        "document.head.append(Object.assign(document.createElement('script'), {text: 'x = 1'}))"
    )
    assert "Content Security Policy" in errors(page)[0]["message"]  # the control


def test_the_page_is_alive_and_keeps_what_the_user_does(page: Chrome, furnished: Served) -> None:
    [details] = page.find_elements(By.CSS_SELECTOR, "#brokers li:first-child details")
    opened = details.get_attribute("id")
    details.find_element(By.TAG_NAME, "summary").click()
    button = page.find_element(By.CSS_SELECTOR, "#brokers button")
    page.execute_script("arguments[0].focus()", button)
    kept = focused(page)
    assert kept.startswith("RebootBroker")
    brokers_offline.add(furnished.testbed, request(name="just-now"))
    wait(page, lambda: "just-now" in text(page, "brokers"))
    assert page.find_element(By.ID, str(opened)).get_attribute("open")
    assert focused(page) == kept


def test_a_button_is_used_by_keyboard_and_shows_the_answer(page: Chrome, furnished: Served) -> None:
    [button] = page.find_elements(By.ID, f"DisableKey-us-east-1-{KEY.rpartition('/')[2]}")
    page.execute_script("arguments[0].focus()", button)
    press(page, Keys.ENTER)
    wait(page, lambda: "orders: CRITICAL_ACTION_REQUIRED" in text(page, "dialog"))
    assert KEY in text(page, "dialog-call")
    press(page, Keys.ESCAPE)
    wait(page, lambda: not page.find_element(By.ID, "dialog").is_displayed())
    assert focused(page) == button.get_attribute("id")
    press(page, Keys.ENTER)
    wait(page, lambda: page.find_element(By.ID, "dialog").is_displayed())
    while focused(page) != "dialog-send":
        press(page, Keys.TAB)
    press(page, Keys.ENTER)
    wait(page, lambda: "NotFoundException No keys here." in text(page, "dialog-result"))


def test_a_broker_is_deleted_by_its_button(page: Chrome, furnished: Served) -> None:
    broker = brokers_offline.add(furnished.testbed, request(name="short-lived"))
    wait(page, lambda: "short-lived" in text(page, "brokers"))
    page.find_element(By.ID, f"DeleteBroker-{broker.broker_id}").click()
    page.find_element(By.ID, "dialog-send").click()
    wait(page, lambda: text(page, "dialog-result").startswith("200"))
    wait(page, lambda: "DELETION_IN_PROGRESS" in text(page, "brokers"))
    press(page, Keys.ESCAPE)
    places = (f"DeleteBroker-{broker.broker_id}", "main")  # the broker may be gone by now
    wait(page, lambda: focused(page) in places)
    assert any(
        record["eventName"] == "DeleteBroker"
        for record in recent(furnished.testbed.trail, broker.account, 100)
    )


def test_a_call_that_was_made_is_not_called_unmade(page: Chrome, furnished: Served) -> None:
    """Whoever reads that a call was not made makes it again."""
    broker = brokers_offline.add(furnished.testbed, request(name="called"))
    wait(page, lambda: "called" in text(page, "brokers"))
    page.execute_script(
        "const { fetch } = window;"
        "window.fetch = (to, how) => (to === '/console/call' ? fetch(to, how)"
        " : Promise.resolve(new Response('The engine hangs.', { status: 500 })));"
    )
    page.find_element(By.ID, f"DeleteBroker-{broker.broker_id}").click()
    page.find_element(By.ID, "dialog-send").click()
    wait(page, lambda: text(page, "dialog-result") != "")
    wait(page, lambda: "The engine hangs." in text(page, "live"))
    assert text(page, "dialog-result").startswith("200")
    assert not page.find_element(By.ID, "dialog-send").is_enabled()


def test_a_broker_is_requested_by_the_form(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "#create summary").click()
    for name, value in (("name", "a name"), ("username", "someone"), ("password", "unspoken-pw-1")):
        page.find_element(By.NAME, name).send_keys(value)
    page.find_element(By.CSS_SELECTOR, "#create-broker button").click()
    wait(page, lambda: "********" in text(page, "dialog-call"))
    page.find_element(By.ID, "dialog-send").click()
    wait(page, lambda: "400 BadRequestException" in text(page, "dialog-result"))
    assert "unspoken-pw-1" not in page.page_source


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


# What a foreign page can try: to read, to call, to send a form, and to show the page in a frame.
_TRIES = """
const [url, done] = arguments;
const body = JSON.stringify({
  operation: "RebootBroker", region: "us-east-1", parameters: {BrokerId: "b-unknown"},
});
const headers = {"X-Console-Token": "guessed", "Content-Type": "application/json"};
const outcome = (promise) => promise.then((answer) => answer.text(), () => "refused");
const frame = document.body.appendChild(document.createElement("iframe"));
const framed = new Promise((resolve) => (frame.onload = () => resolve(
  frame.contentDocument === null ? "refused" : frame.contentDocument.title
)));
frame.src = url;
Promise.all([
  outcome(fetch(url)),
  outcome(fetch(`${url}/panels`, {mode: "no-cors"})),
  outcome(fetch(`${url}/call`, {method: "POST", mode: "no-cors", body})),
  outcome(fetch(`${url}/call`, {method: "POST", body, headers})),
  framed,
]).then(done);
"""


def test_another_sites_page_can_neither_read_nor_call(
    browser: Chrome, furnished: Served, elsewhere: str
) -> None:
    before = newest(furnished.testbed.trail)
    browser.get(elsewhere)
    outcomes = browser.execute_async_script(_TRIES, furnished.endpoint.console)
    assert set(outcomes) == {"refused"}
    assert newest(furnished.testbed.trail) == before


def test_control_the_consoles_own_page_can_do_so(page: Chrome, furnished: Served) -> None:
    read, seen, *_ = page.execute_async_script(_TRIES, furnished.endpoint.console)
    assert "orders" in read
    assert "orders" in seen
