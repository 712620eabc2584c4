"""Debian's Chromium without a window, driven by Selenium, and what can be measured in it."""

import base64
import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from testbed.runtime import debian

PACKAGES = ("chromium", "chromium-driver")

# What is outside of the page, text wider than its box in a drawing, text whose contrast with
# its background is below 4.5 (WCAG 2.2, 1.4.3), and words that are broken although a line has room
# for them: identifiers of more than 30 characters may be. Elements for screen readers alone are
# clipped.
_FAULTS = """
const faults = [], width = document.documentElement.clientWidth;
const kind = (e) => e.id || e.className.baseVal || e.className;
const name = (e) => `${e.tagName} ${kind(e)}: ${e.textContent.trim().slice(0, 60)}`;
const clips = [...document.querySelectorAll("*")]
  .filter((p) => getComputedStyle(p).clipPath !== "none");
const clipped = (e) => e.closest(".skip") || clips.some((p) => p.contains(e));
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour[3] !== 0) return colour;
  }
  return [255, 255, 255];
};
const words = (node) => [...(node.nodeType === 3 ? node.textContent.matchAll(/[^\\s-]+/g) : [])]
  .filter((word) => word[0].length <= 30);
if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");
for (const e of document.body.querySelectorAll("*")) {
  const box = e.getBoundingClientRect();
  if (!box.width || clipped(e) || !e.checkVisibility()) continue;
  if (box.left < -1 || box.right > width + 1) faults.push(`outside: ${name(e)}`);
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || e instanceof SVGElement || e.tagName === "OPTION") continue;
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) faults.push(`faint: ${name(e)}`);
  for (const node of e.childNodes) for (const word of words(node)) {
    const range = document.createRange();
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
    if (lines.size > 1) faults.push(`broken: ${word[0]} of ${name(e)}`);
  }
}
for (const box of document.querySelectorAll("svg .box")) {
  const rect = box.querySelector("rect").getBoundingClientRect();
  for (const text of box.querySelectorAll("text")) {
    if (text.getBoundingClientRect().right > rect.right) faults.push(`cut: ${name(text)}`);
  }
}
return faults;
"""

_PLACE = """
const box = document.querySelector(arguments[0]).getBoundingClientRect(), around = 16;
return {
  x: box.x + scrollX - around, y: box.y + scrollY - around,
  width: box.width + 2 * around, height: box.height + 2 * around,
};
"""


@contextmanager
def chromium(folder: Path, port: int | None = None) -> Iterator[Chrome]:
    """Start a browser with its profile in ``folder``, which trusts the certificate of ``port``.

    Installs it where that is possible, and skips the test elsewhere.
    """
    if not shutil.which("chromedriver"):
        if not debian.can_install():
            pytest.skip(f"needs the Debian packages {' and '.join(PACKAGES)}")
        debian.install(PACKAGES, "a browser for the console's tests")
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root has no other way; it loads the console alone
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-proxy-server",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(argument)
    if port:
        options.add_argument(f"--ignore-certificate-errors-spki-list={_fingerprint(port)}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(120)
    driver.set_script_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


def visit(driver: Chrome, url: str) -> Chrome:
    """Open the console anew, at full width, and return when it is alive."""
    resize(driver, 1600)
    driver.get("about:blank")
    driver.get(url)
    wait(driver, lambda: text(driver, "live") == "Live")
    return driver


def wait(driver: Chrome, holds: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for what the page shows a moment later."""
    WebDriverWait(driver, seconds, 0.1).until(lambda _: holds())


def text(driver: Chrome, identity: str) -> str:
    """Return the visible text of an element by its id."""
    return driver.find_element(By.ID, identity).text


def focused(driver: Chrome) -> str:
    """Return the id of the element with the focus."""
    return driver.switch_to.active_element.get_attribute("id") or ""


def press(driver: Chrome, *keys: str) -> None:
    """Press keys where the focus is."""
    driver.switch_to.active_element.send_keys(*keys)


def resize(driver: Chrome, width: int, height: int = 900, *, dark: bool = False) -> None:
    """Give the page a size in CSS pixels, and a colour scheme."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def unfold(driver: Chrome) -> None:
    """Open everything that can be opened."""
    driver.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")


def keep_picture(driver: Chrome, name: str, *, whole: bool = False, of: str = "") -> None:
    """Write a PNG image into the folder CONSOLE_PICTURES of the environment, if it is set.

    It is of what the window shows, of the ``whole`` page, or of the first element of a selector.
    """
    if folder := os.environ.get("CONSOLE_PICTURES"):
        options: dict[str, Any] = {"captureBeyondViewport": whole or bool(of)}
        if of:
            options["clip"] = {**driver.execute_script(_PLACE, of), "scale": 1}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", options)
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def faults(driver: Chrome) -> list[str]:
    """Return what cannot be read in the page as it is laid out."""
    found: list[str] = driver.execute_script(_FAULTS)
    return found


def errors(driver: Chrome) -> list[dict[str, Any]]:
    """Return what the browser has logged as errors since the last look."""
    log = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in log if entry["level"] == "SEVERE"]


def _fingerprint(port: int) -> str:
    pem = ssl.get_server_certificate(("localhost", port)).encode()
    key = x509.load_pem_x509_certificate(pem).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()
