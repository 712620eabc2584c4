"""Every scenario on the shared testbed, and how one runs without taking the others down."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed import paths, scenario
from testbed.clients.base import Destination
from testbed.documented.claims import CLAIMS
from testbed.errors import ClientError, ContainerFailed, TestbedError
from testbed.https.server import HttpsServer, Response, context
from testbed.results import Finding, Matrix, ScenarioResult, Verdict
from testbed.scenario import Scenario
from testbed.storage import choice
from testbed.testbed import Testbed
from testbed.verdicts import decide, succeeded
from testbed.wire.capture import Capture
from testbed.wire.packets import Endpoint, Stream
from testbed.wire.prober import probe
from testbed.wire.scan import ListenerScan, PlaintextAnswer, Refusal, Verification
from tests.support.authority import shared

NAMES = sorted(path.stem for path in paths.data("scenarios").glob("[!_]*.py"))
# Those that decide no claim.
NIGHTLY = {
    "full_disk": "disks filled with messages; every push has tests/faults/test_disk.py",
    "throughput": "the cost, which decides no claim",
}
# What the evidence has to name, besides holding: AWS's own reason.
REASONS = {
    "imported_material": ("pending import", "INVALID_KMS_KEY", "IncorrectKeyMaterialException"),
    "key_disabled": ("DisabledException", "INVALID_KMS_KEY", "is disabled"),
    "key_permissions": (
        "no identity-based policy allows",
        "explicit deny in an identity-based policy",
        "no permissions boundary allows",
        "no session policy allows",
    ),
    "least_privilege": ("no identity-based policy allows the kms:CreateGrant action",),
    "key_scheduled": ("pending deletion",),
    "wrong_caller": ("AccessDeniedException",),
}


@pytest.mark.containers
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.nightly(NIGHTLY[name])) if name in NIGHTLY else name
        for name in NAMES
    ],
)
def test_every_finding_holds_and_has_a_control_that_fails(testbed: Testbed, name: str) -> None:
    [chosen] = scenario.find([name])
    result = scenario.run(chosen, testbed)
    assert result.error == ""
    wrong = {
        f"{finding.claim} {finding.subject}": finding.evidence
        for finding in result.findings
        if finding.verdict is Verdict.FAILS
    }
    assert wrong == {}
    uncontrolled = [
        f"{finding.claim} {finding.subject}"
        for finding in result.findings
        if finding.verdict is Verdict.HOLDS
        and (finding.control is None or finding.control.verdict is not Verdict.FAILS)
    ]
    assert uncontrolled == []
    assert all(finding.evidence for finding in result.findings)
    alike = [
        f"{finding.claim} {finding.subject}"
        for finding in result.findings
        if finding.control
        and (finding.control.claim, *finding.control.evidence) == (finding.claim, *finding.evidence)
    ]
    assert alike == [], "a control sees something else than its finding"
    evidence = "\n".join(line for finding in result.findings for line in finding.evidence)
    assert [reason for reason in REASONS.get(name, ()) if reason not in evidence] == []
    assert {finding.claim for finding in result.findings} == set(chosen.claims), (
        "it judges exactly the claims that it states"
    )
    assert [
        broker.broker_name for broker in testbed.brokers.list() if broker.broker_state != "RUNNING"
    ] == [], "the brokers are left running"


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_says_what_it_is(name: str) -> None:
    [chosen] = scenario.find([name])
    assert chosen.name == name
    assert len(chosen.title) <= 120
    assert "\n" not in chosen.title
    assert set(chosen.claims) <= {claim.id for claim in CLAIMS}


def test_one_with_sessions_runs_beside_none_that_turns_the_clock() -> None:
    """A day that passes in another scenario would end them."""
    folder = paths.data("scenarios")
    of_people = [name for name in NAMES if "testbed.staff" in (folder / f"{name}.py").read_text()]
    assert len(of_people) > 3
    for found in scenario.find(of_people):
        assert found.has_sessions, found.name


def test_every_claim_has_a_scenario() -> None:
    decided = {claim for found in scenario.find() for claim in found.claims}
    assert {claim.id for claim in CLAIMS} - decided == set()


def test_all_are_found_and_those_that_are_named_in_the_order_of_naming() -> None:
    assert [chosen.name for chosen in scenario.find()] == NAMES
    assert [chosen.name for chosen in scenario.find(NAMES[1::-1])] == NAMES[1::-1]


def test_an_unknown_name_is_one_clear_line() -> None:
    with pytest.raises(TestbedError) as error:
        scenario.find([NAMES[0], "no_such"])
    assert error.value.message == "There is no scenario 'no_such'."
    assert error.value.hint == f"There are: {', '.join(NAMES)}."


@pytest.mark.parametrize("content", ["TITLE = ", "TITLE = 'no more'", "1 / 0"])
def test_a_broken_file_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "broken.py").write_text(content)
    monkeypatch.setattr(paths, "data", lambda name: tmp_path)
    with pytest.raises(
        TestbedError,
        match=r"broken.py cannot be loaded: (SyntaxError|AttributeError|ZeroDivisionError)",
    ) as error:
        scenario.find()
    assert "TITLE, CLAIMS and run" in error.value.hint


@pytest.mark.parametrize(
    ("asked", "tells"), [(("TLSv1.1", "TLSv1.2", "TLSv1.3"), True), (("TLSv1.2", "TLSv1.3"), False)]
)
def test_an_endpoint_is_no_control_of_versions_for_its_suites(
    asked: tuple[str, ...], tells: bool, tmp_path: Path
) -> None:
    module = scenario._import(paths.data("scenarios") / "api_tls.py")
    authority, ca_file = shared(), tmp_path / "ca.pem"
    authority.write_ca(ca_file)
    probing = partial(probe, module.HOST, server_name=module.HOST, ca_file=ca_file)
    https = context(authority.issue(names=[module.HOST]))
    with HttpsServer(0, https, lambda _: Response(404)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        newer, as_documented = module._looks(probing(server.server_port))
        server.shutdown()
    with module._old_endpoint(authority) as port:
        older, others = module._looks(probing(port, versions=asked))
    assert (newer.yes, as_documented.yes, others.yes) == (True, True, False)
    assert older.yes is not tells


def _finding(subject: str) -> Finding:
    return Finding(
        "T1", subject, Verdict.HOLDS, ("seen",), Finding("T1", "control", Verdict.FAILS, ("seen",))
    )


def _run(
    *yielded: Finding | Matrix | str | BaseException,
) -> ScenarioResult:
    def story(testbed: Testbed) -> Iterator[Finding | Matrix | str]:
        for result in yielded:
            if isinstance(result, BaseException):
                raise result
            yield result

    return scenario.run(Scenario("story", "A story", ("T1",), story), None)  # type: ignore[arg-type]


def test_findings_notes_and_matrices_are_told_apart_in_their_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    matrix = Matrix("RABBITMQ", (), ())
    result = _run(_finding("one"), "a note", matrix, _finding("two"))
    assert (
        [finding.subject for finding in result.findings],
        result.notes,
        result.matrices,
        result.error,
    ) == (["one", "two"], ("a note",), (matrix,), "")
    assert caplog.messages == ["scenario story: A story", "  HOLDS T1: one", "  HOLDS T1: two"]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            TestbedError("The broker is gone.", hint="Look at its log."),
            "The broker is gone. Look at its log.",
        ),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (ValueError(), "ValueError: "),
        (AssertionError("no"), "AssertionError: no"),
    ],
)
def test_what_a_scenario_raises_is_its_error_and_what_it_had_found_stays(
    raised: Exception, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = _run(_finding("before"), raised, _finding("after"))
    assert [finding.subject for finding in result.findings] == ["before"]
    assert result.error.strip() == message.strip()
    assert caplog.messages[-1].startswith("  broke off: ")


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interruption_is_not_swallowed(raised: BaseException) -> None:
    with pytest.raises(type(raised)):
        _run(_finding("before"), raised)


def test_one_that_breaks_off_does_not_take_the_others_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(testbed: Testbed) -> Iterator[Finding]:
        raise RuntimeError("at once")
        yield _finding("never")

    def sound(testbed: Testbed) -> Iterator[Finding]:
        yield _finding("sound")

    monkeypatch.setattr(scenario, "environment", lambda testbed: {})
    stories = [
        Scenario(name, name, ("T1",), story)
        for name, story in (("broken", broken), ("sound", sound), ("again", broken))
    ]
    run = scenario.run_all(stories, None)  # type: ignore[arg-type]
    assert [
        (result.name, bool(result.error), len(result.findings)) for result in run.scenarios
    ] == [
        ("broken", True, 0),
        ("sound", False, 1),
        ("again", True, 0),
    ]
    assert [result.claims for result in run.scenarios] == [("T1",)] * 3
    assert not succeeded(run)


def test_an_engine_that_has_ended_takes_no_results_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def sound(testbed: Testbed) -> Iterator[Finding]:
        yield _finding("sound")

    def describe_engine() -> dict[str, str]:
        raise ContainerFailed("The engine could not be described.")

    monkeypatch.setattr(choice, "chosen", lambda _: "files")
    testbed: Any = SimpleNamespace(
        containers=SimpleNamespace(describe_engine=describe_engine),
        brokers=SimpleNamespace(peek_all=list),
        state=None,
    )
    run = scenario.run_all([Scenario("story", "A story", ("T1",), sound)], testbed)
    assert [len(result.findings) for result in run.scenarios] == [1]
    assert run.environment["engine"] == "The engine could not be described."


def test_a_verdict_comes_with_the_last_scenario_about_its_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def story(claim: str, verdict: Verdict) -> Callable[[Testbed], Iterator[Finding]]:
        def run(testbed: Testbed) -> Iterator[Finding]:
            begun.append(claim)
            yield replace(_finding(claim), claim=claim, verdict=verdict)

        return run

    begun: list[str] = []
    announced: list[tuple[str, str, int]] = []
    monkeypatch.setattr(scenario, "environment", lambda testbed: {})
    stories = [
        Scenario("first", "", ("T1",), story("T1", Verdict.HOLDS)),
        Scenario("second", "", ("R1",), story("R1", Verdict.HOLDS)),
        Scenario("third", "", ("T1",), story("T1", Verdict.FAILS)),
    ]
    scenario.run_all(
        stories,
        None,  # type: ignore[arg-type]  # these scenarios do not look at it
        lambda verdict: announced.append((verdict.claim.id, verdict.status, len(begun))),
    )
    assert announced == [("R1", "HOLDS", 2), ("T1", "FAILS", 3)]


def test_concurrently_none_runs_beside_one_that_it_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first of two kinds wait for each other; in sequence they would time out."""
    together, running = threading.Barrier(2, timeout=30), Counter[str]()
    beside: list[set[str]] = []

    def story(name: str) -> Callable[[Testbed], Iterator[Finding]]:
        def run(testbed: Testbed) -> Iterator[Finding]:
            kind = name.partition("-")[0]
            beside.append({kind, *running.elements()})
            assert not (kind != "other" and running[kind] and kind != "sessions")
            running[kind] += 1
            if name in ("clock-1", "other-1"):
                together.wait()
            yield _finding(name)
            running[kind] -= 1

        return run

    monkeypatch.setattr(scenario, "environment", lambda testbed: {})
    names = ["alone-1", "sessions-1", "clock-1", "clock-2", "other-1", "alone-2", "sessions-2"]
    stories = [
        Scenario(
            name,
            name,
            ("T1",),
            story(name),
            name.startswith("clock"),
            name.startswith("sessions"),
            name.startswith("alone"),
        )
        for name in names
    ]
    announced: list[str] = []
    testbed: Any = SimpleNamespace(stop=lambda: None)
    run = scenario.run_all(
        stories, testbed, lambda verdict: announced.append(verdict.status), concurrently=True
    )
    assert [(result.name, result.error) for result in run.scenarios] == [
        (name, "") for name in names
    ]
    assert [kinds for kinds in beside if kinds >= {"alone"} and len(kinds) > 1] == []
    assert [kinds for kinds in beside if kinds >= {"clock", "sessions"}] == []
    assert announced == ["HOLDS"]


def test_an_interruption_is_not_lost_in_a_clean_up_that_fails() -> None:
    def story(_: Testbed) -> Iterator[Finding]:
        try:
            raise KeyboardInterrupt
            yield  # a generator
        finally:
            raise TestbedError("It cannot be deleted while it is created.")

    with pytest.raises(KeyboardInterrupt):
        scenario.run(Scenario("story", "A story", ("T1",), story), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("on_control", "holds"),
    [(b"a canary and a password", True), (b"something else", False), (b"", False)],
)
def test_a_control_in_which_no_packet_was_seen_does_not_tell_that_needles_are_found(
    on_control: bytes, holds: bool
) -> None:
    def capture(*pieces: bytes) -> Capture:
        ends = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)
        return Capture(1, 100, (Stream(*ends, 1, 100, tuple(filter(None, pieces))),))

    module = scenario._import(paths.data("scenarios") / "wire_witness.py")
    needles = {"the canary": b"a canary", "the password": b"a password"}
    secured, control = (
        module._judged([capture(payload)], needles) for payload in (b"\x16\x03\x03", on_control)
    )
    finding = module._finding("T1", "links", secured, "a link without TLS", control)
    [verdict] = [verdict for verdict in decide([finding]) if verdict.findings]
    assert (verdict.verdict is Verdict.HOLDS) == holds


@pytest.mark.parametrize(
    ("engine_type", "answer", "shown"),
    [
        ("RABBITMQ", b'[{"payload": "sealed"}]', True),
        ("RABBITMQ", b"[]", False),
        ("ACTIVEMQ", b'{"status": 200, "value": [{"BodyPreview": [1, 2]}]}', True),
        ("ACTIVEMQ", b'{"status": 200, "value": []}', False),
        ("ACTIVEMQ", b'{"status": 404, "error": "no such MBean"}', False),
    ],
)
def test_a_console_that_shows_no_message_does_not_hide_its_payload(
    engine_type: str, answer: bytes, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = scenario._import(paths.data("scenarios") / "client_side.py")
    monkeypatch.setattr(module, "Console", lambda _: SimpleNamespace(request=lambda *_: answer))
    testbed: Any = SimpleNamespace(brokers=SimpleNamespace(address=lambda *_: None))
    broker = SimpleNamespace(engine_type=engine_type, broker_name="one")
    if shown:
        assert module._console(testbed, broker, "queue") == answer.replace(b" ", b"")
    else:
        with pytest.raises(ClientError, match="does not show the message"):
            module._console(testbed, broker, "queue")


def test_listeners_that_are_gone_do_not_tell_that_plaintext_is_refused() -> None:
    module = scenario._import(paths.data("scenarios") / "handshakes.py")
    broker: Any = SimpleNamespace(broker_name="rabbitmq")

    def scans(kind: Any, *, over_tls: bool) -> dict[str, ListenerScan]:
        answer = PlaintextAnswer("amqp", Refusal(kind, "an answer"))
        verified = Verification(over_tls, "" if over_tls else "Connection refused")
        plain = (answer,)
        unknown = Verification(accepted=False)
        scan = ListenerScan(
            "localhost", 5671, "", (), plain, None, verified, unknown, unknown, 1, 0.0
        )
        return {"amqp": scan}

    def verdict(seen: dict[str, ListenerScan], control: dict[str, ListenerScan]) -> Any:
        finding = module._no_plaintext(broker, seen, control)
        return next(found.verdict for found in decide([finding]) if found.claim.id == "T1")

    refused, served = scans("closed", over_tls=True), scans("bytes", over_tls=False)
    gone = scans("unreachable", over_tls=False)
    assert verdict(refused, served) is Verdict.HOLDS
    assert verdict(gone, served) is Verdict.FAILS
    assert verdict(refused, gone) is Verdict.FAILS, "the control fails for what it serves alone"


# full_disk asks a default broker for its image alone.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "full_disk"])
def test_what_an_earlier_run_has_left_in_a_default_broker_is_not_received(name: str) -> None:
    """One that was broken off leaves its messages, which a second one would find unexpected."""
    source = (paths.data("scenarios") / f"{name}.py").read_text()
    module = scenario._import(paths.data("scenarios") / f"{name}.py")
    if "default_broker(" in source and "Traffic(" in source:
        assert not [value for value in vars(module).values() if isinstance(value, Destination)]
