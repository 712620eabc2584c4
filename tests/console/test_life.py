"""A testbed led through the console alone: a broker created, its key disabled and enabled again."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from testbed.aws.endpoint import serve
from testbed.broker.model import Broker
from testbed.console.calls import USER_AGENT
from testbed.kms.base import USER_ACCOUNT
from testbed.testbed import Testbed
from testbed.trail.filters import by_service
from testbed.trail.lookup import recent
from tests.support.aws_endpoint import Served
from tests.support.browser import chromium, errors, faults, keep_picture, text, visit, wait

pytestmark = [
    pytest.mark.containers,
    pytest.mark.nightly("a broker led through the console in a real browser"),
    pytest.mark.timeout(900),
]
CALLS = ["CreateBroker", "DisableKey", "RebootBroker", "EnableKey", "DeleteBroker"]
NAME, PASSWORD = "orders", "correct-horse-of-the-console-1"


@pytest.fixture(scope="module")
def running(testbed: Testbed) -> Iterator[Served]:
    with serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


@pytest.fixture(scope="module")
def key(testbed: Testbed) -> str:
    return testbed.new_key("of the console's broker")


@pytest.fixture(scope="module")
def page(running: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile"), running.endpoint.port) as driver:
        yield visit(driver, running.endpoint.console)


def push(page: Chrome, identity: str) -> str:
    """Push a button, make the call, and return what the dialog says of it."""
    page.find_element(By.ID, identity).click()
    page.find_element(By.ID, "dialog-send").click()
    wait(page, lambda: text(page, "dialog-result") != "")
    answer = text(page, "dialog-result")
    page.find_element(By.ID, "dialog-close").click()
    return answer


def broker(testbed: Testbed) -> Broker:
    return testbed.brokers.peek(NAME)


def shows(page: Chrome, identity: str, words: str, testbed: Testbed) -> None:
    """Wait until a broker's card has these words, while maintenance goes on."""

    def holds() -> bool:
        testbed.upkeep.maintain(identity)
        return words in text(page, f"broker-{identity}")

    wait(page, holds, 300)


def test_a_broker_is_led_through_the_console(page: Chrome, running: Served, key: str) -> None:
    testbed, subject = running.testbed, f"us-east-1-{key.rpartition('/')[2]}"
    page.find_element(By.CSS_SELECTOR, "#create summary").click()
    engine = page.find_element(By.NAME, "engine")
    engine.find_element(By.XPATH, "option[. = 'RABBITMQ 4.2']").click()
    for name, value in (
        ("name", NAME),
        ("username", "someone"),
        ("password", PASSWORD),
        ("key", key),
    ):
        page.find_element(By.NAME, name).send_keys(value)
    page.find_element(By.CSS_SELECTOR, "#create-broker button").click()
    page.find_element(By.ID, "dialog-send").click()
    wait(page, lambda: text(page, "dialog-result").startswith("200"))
    page.find_element(By.ID, "dialog-close").click()
    identity = broker(testbed).broker_id
    shows(page, identity, "RUNNING", testbed)

    assert push(page, f"DisableKey-{subject}").startswith("200")
    shows(page, identity, "RABBITMQ_INVALID_KMS_KEY", testbed)
    assert "CRITICAL_ACTION_REQUIRED" in text(page, f"broker-{identity}")
    refused = push(page, f"RebootBroker-{identity}")
    assert refused.startswith("400 BadRequestException")
    page.execute_script("document.getElementById('create').open = false; scrollTo(0, 0)")
    keep_picture(page, "life", whole=True)
    assert faults(page) == []

    assert push(page, f"EnableKey-{subject}").startswith("200")
    shows(page, identity, "RUNNING", testbed)
    page.find_element(By.CSS_SELECTOR, f"#broker-{identity} a[href*=logs]").click()
    wait(page, lambda: "rabbit" in text(page, "logs").lower())
    assert PASSWORD not in page.page_source
    assert errors(page) == []

    assert push(page, f"DeleteBroker-{identity}").startswith("200")
    wait(page, lambda: identity not in text(page, "brokers"), 120)
    called = [
        record["eventName"]
        for record in recent(testbed.trail, USER_ACCOUNT, 10_000)
        if record.get("userAgent") == USER_AGENT and not by_service(record)
    ]
    assert called[::-1] == CALLS
