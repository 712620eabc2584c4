"""The console's addresses: what they answer, and whom they refuse."""

import html
import re
import shlex
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from testbed import report
from testbed.aws.endpoint import serve
from testbed.console.site import Console
from testbed.https.server import Request
from testbed.kms.key import Key
from testbed.trail.lookup import newest
from tests.support import brokers_offline, run_content
from tests.support.aws_endpoint import Served, scope
from tests.support.brokers_offline import KEY, request
from tests.support.console import send, store, wait_until

READ = (
    "/console",
    "/console/panels",
    "/console/ca.pem",
    "/console/truststore.p12",
    "/console/common.css",
    "/console/console.css",
    "/console/console.js",
    "/console/icon.svg",
)


def test_the_page_has_every_section_before_its_script_runs(served: Served) -> None:
    store(served.testbed, Key(KEY, "{}"))
    brokers_offline.add(served.testbed, request(name="orders"))
    page = send(served, "/console")
    text = page.body.decode()
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for word in ("orders", "RUNNING", KEY, "<svg", "testbed env"):
        assert word in text


def test_the_panels_follow_what_happens(served: Served) -> None:
    before = send(served, "/console/panels").document
    broker = brokers_offline.add(served.testbed, request(name="later"))
    served.testbed.brokers.describe(broker.broker_id)
    wait_until(lambda: "later" in send(served, "/console/panels").document["brokers"])
    after = send(served, "/console/panels").document
    assert "later" not in before["brokers"]
    assert "DescribeBroker" in after["trail"]
    assert "DescribeBroker" not in before["trail"]


def test_reading_is_recorded_nowhere(served: Served) -> None:
    def traces() -> tuple[int, int]:
        calls = served.testbed.kms.calls  # type: ignore[attr-defined]
        return newest(served.testbed.trail), len(calls)

    brokers_offline.add(served.testbed, request())
    before = traces()
    for path in READ:
        assert send(served, path).status == 200
    assert traces() == before
    served.testbed.brokers.list()  # the control: a call leaves both
    assert all(after > earlier for after, earlier in zip(traces(), before, strict=True))


def test_the_authority_certificate_can_be_fetched(served: Served) -> None:
    ca_file = served.endpoint.ca_file
    assert send(served, "/console/ca.pem").body == ca_file.read_bytes()
    truststore = send(served, "/console/truststore.p12").body
    [trusted] = pkcs12.load_pkcs12(truststore, b"changeit").additional_certs
    assert trusted.certificate.public_bytes(Encoding.PEM) in ca_file.read_bytes()


@pytest.mark.parametrize("path", READ)
def test_every_answer_forbids_what_is_foreign(served: Served, path: str) -> None:
    headers = send(served, path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "host", ["rebound.example", "localhost", "localhost:1", "127.0.0.1.nip.io"]
)
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    for path in READ:
        assert send(served, path, headers={"Host": host}).status == 421


def test_both_names_of_this_machine_are_served(served: Served) -> None:
    for name in ("localhost", "127.0.0.1"):
        assert (
            send(served, "/console", headers={"Host": f"{name}:{served.endpoint.port}"}).status
            == 200
        )


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://localhost:1"])
def test_a_foreign_origin_is_refused(served: Served, origin: str) -> None:
    for path in READ:
        assert send(served, path, headers={"Origin": origin}).status == 403


def test_the_own_origin_is_served(served: Served) -> None:
    assert send(served, "/console/panels", headers={"Origin": served.endpoint.url}).status == 200


def test_another_sites_page_reads_nothing_but_may_link_here(served: Served) -> None:
    for site in ("cross-site", "same-site"):
        fetched = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert send(served, "/console/console.js", headers=fetched).status == 403
        linked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
        assert send(served, "/console", headers=linked).status == 200


def test_unknown_addresses_and_methods_are_refused(served: Served) -> None:
    assert send(served, "/console/../etc/passwd").status == 404
    assert send(served, "/console/page.html").status == 404
    answer = send(served, "/console", "PUT")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_browser_at_the_endpoint_is_led_to_the_console(served: Served) -> None:
    answer = send(served, "/", headers={"Accept": "text/html,*/*"})
    assert (answer.status, answer.headers["Location"]) == (303, "/console")


def test_clients_of_aws_are_answered_as_before(served: Served) -> None:
    assert b"MissingAuthenticationToken" in send(served, "/").body
    signed = {"Authorization": scope("mq"), "Accept": "text/html"}
    assert b"Amazon MQ has no GET /console" in send(served, "/console", headers=signed).body


@pytest.mark.parametrize("name", ["report", "benchmark"])
def test_a_page_of_the_last_run_is_shown_if_there_is_one(served: Served, name: str) -> None:
    assert send(served, f"/console/{name}").status == 404
    folder = served.testbed.state.folder.parent / "report"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.html").write_text("<script>alert(1)</script>")
    page = send(served, f"/console/{name}")
    assert page.body == b"<script>alert(1)</script>"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    link = f'href="/console/{name}"'
    if name == "benchmark":
        wait_until(lambda: link in send(served, "/console/panels").document["run"])


def test_the_time_line_of_the_last_run_is_shown(served: Served) -> None:
    folder = served.testbed.state.folder.parent / "report"
    folder.mkdir(exist_ok=True)
    report.write(run_content.full_run(), folder)
    wait_until(lambda: "RebootBroker, refused" in send(served, "/console/panels").document["run"])
    assert "style=" not in send(served, "/console/panels").document["run"], "CSP forbids it"


def test_the_lines_to_copy_work(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    page = html.unescape(send(served, "/console").body.decode())
    for name, value in re.findall(r"export (AWS_\w+)=(\S+?)(?:<|\n)", page):
        monkeypatch.setenv(name, value)
    brokers = boto3.client("mq").list_brokers()["BrokerSummaries"]
    namespace: dict[str, Any] = {}
    python = re.search(r'<pre id="env-python"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert python
    exec(python[1], namespace)
    assert namespace["mq"].list_brokers()["BrokerSummaries"] == brokers


def test_the_lines_to_copy_fit_any_folder(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "mine" é' / ".testbed"
    with brokers_offline.offline(folder) as testbed, serve(testbed) as endpoint:
        page = html.unescape(send(Served(testbed, endpoint), "/console").body.decode())
        shell = re.search(r'<pre id="env-all"[^>]*>eval "\$\((.*?)\)"</pre>', page)
        python = re.search(r'<pre id="env-python"[^>]*>(.*?)</pre>', page, re.DOTALL)
        assert shell
        assert shlex.split(shell[1]) == ["testbed", "env", "--state", str(folder)]
        assert python
        exec(python[1], namespace := dict[str, Any]())
        assert namespace["mq"].list_brokers()["BrokerSummaries"] == []


def test_browsers_leave_the_port_of_https_out(served: Served) -> None:
    def status(port: int, host: str) -> int:
        console = Console(
            served.testbed, port, served.endpoint.environment(), served.endpoint.client()
        )
        sender = {"host": host, "origin": f"https://{host}"}
        return console.answer(Request("GET", "/console/icon.svg", headers=sender)).status

    assert status(443, "localhost") == status(443, "localhost:443") == 200
    assert status(8443, "localhost") == 421
