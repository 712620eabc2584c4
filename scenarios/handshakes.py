"""What each listener accepts, of every TLS version and every cipher suite."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.documented import regions
from testbed.documented.tls import PROFILES, Suite, TlsProfile
from testbed.engines.base import Defects
from testbed.evidence import Observation, contrast
from testbed.results import Finding, Matrix, Verdict
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed
from testbed.wire.matrix import matrix
from testbed.wire.prober import probe_all
from testbed.wire.scan import ListenerScan
from testbed.wire.verdict import judge, judge_certificate, observed

logger = logging.getLogger(__name__)

TITLE = "Exactly the documented versions and suites, on every listener"
CLAIMS = ("T1", "T3", "T6", "T8")

# What a control's listeners accept beyond the documents, and what they lack.
_PLANTED = {
    "extra version": "no other version is accepted",
    "extra suite": "no other suite is accepted",
    "missing suite": "every documented suite is accepted",
}
_EXTRA = {
    # TLS 1.1 has none of RabbitMQ's suites, so a control that takes it needs one of its own.
    "RABBITMQ": Suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", 0xC013),
    "ACTIVEMQ": Suite(
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", 0xCCA8
    ),
}


def run(testbed: Testbed) -> Iterator[Finding | Matrix | str]:
    """Scan both engines, and a control of each in which every check has to find a fault."""
    claims = {"RABBITMQ": "T3", "ACTIVEMQ": "T6"}
    weak = run_concurrently([partial(_weak, testbed, engine_type) for engine_type in claims])
    for (engine_type, claim), control in zip(claims.items(), weak, strict=True):
        yield from _engine(testbed, engine_type, claim, control)


def _weak(testbed: Testbed, engine_type: str) -> Broker:
    documented = PROFILES[engine_type]
    tls = TlsProfile(
        ("TLSv1.1", *documented.versions), (*documented.suites[1:], _EXTRA[engine_type])
    )
    defects = Defects(plaintext_listener=True, tls=tls, certificate="wrong-authority")
    return testbed.control(engine_type, defects)


def _engine(
    testbed: Testbed, engine_type: str, claim: str, control: Broker
) -> Iterator[Finding | Matrix | str]:
    broker = testbed.default_broker(engine_type)
    logger.info("  asking the listeners of %s and of a control", broker.broker_name)
    scans, controls = run_concurrently(
        [partial(_scans, testbed, target) for target in (broker, control)]
    )
    for name, scan in scans.items():
        yield _suites(claim, engine_type, name, scan, controls[name])
        yield _certificate(broker, name, scan, controls[name])
    yield matrix(f"{engine_type} {broker.broker_name}", scans, PROFILES[engine_type])
    if engine_type == "RABBITMQ":
        yield _no_plaintext(broker, scans, _plaintext(testbed, control))
    seconds = sum(scan.seconds for scan in scans.values())
    handshakes = sum(scan.handshakes for scan in scans.values())
    yield f"{broker.broker_name}: {handshakes} handshakes in {seconds:.1f} s of listeners' time"


def _scans(testbed: Testbed, broker: Broker) -> dict[str, ListenerScan]:
    return probe_all(
        broker.addresses(), server_name=broker.nodes[0].hostname, ca_file=testbed.ca_file
    )


def _plaintext(testbed: Testbed, broker: Broker) -> dict[str, ListenerScan]:
    return probe_all(
        broker.addresses(tls=False), server_name=broker.nodes[0].hostname, ca_file=testbed.ca_file
    )


def _suites(
    claim: str, engine_type: str, name: str, scan: ListenerScan, control: ListenerScan
) -> Finding:
    """Judge versions and suites; in the control a version and a suite too many, one too few."""
    looks, also = _looks(engine_type, scan)
    control_looks, _ = _looks(engine_type, control)
    return contrast(
        claim,
        f"{engine_type} {name}",
        looks,
        f"{name} of a broker with TLS 1.1, a suite too many and one too few",
        control_looks,
        also=also,
    )


def _looks(
    engine_type: str, scan: ListenerScan
) -> tuple[list[Observation], tuple[Observation, ...]]:
    """Return one look for each kind of difference that the control has, and one for the rest."""
    differences = judge(scan, PROFILES[engine_type])
    looks = []
    for kind, none in _PLANTED.items():
        found = [str(difference) for difference in differences if difference.kind == kind]
        looks.append(Observation(not found, "; ".join(found) or none))
    rest = [str(difference) for difference in differences if difference.kind not in _PLANTED]
    return looks, (Observation(not rest, "; ".join((*rest, *observed(scan)))),)


def _certificate(broker: Broker, name: str, scan: ListenerScan, control: ListenerScan) -> Finding:
    wildcard = f"*.{regions.host('mq', broker.region)}"
    return Finding(
        "T8",
        f"{broker.engine_type} {name}",
        *_verdict(judge_certificate(scan, (wildcard,)), _evidence(scan)),
        Finding(
            "T8",
            f"{name} with a certificate of another authority",
            *_verdict(judge_certificate(control, (wildcard,)), _evidence(control)),
        ),
    )


def _no_plaintext(
    broker: Broker,
    scans: Mapping[str, ListenerScan],
    in_clear: Mapping[str, ListenerScan],
) -> Finding:
    """T1: what is open answers only over TLS, and what the service does not offer is closed."""
    return contrast(
        "T1",
        broker.broker_name,
        (_only_tls(scans),),
        "a broker with a plaintext listener",
        (_only_tls(in_clear),),
        also=(_answers(scans),),
    )


def _only_tls(scans: Mapping[str, ListenerScan]) -> Observation:
    served = [
        f"{name} serves {answer.protocol} in plaintext"
        for name, scan in scans.items()
        for answer in scan.plaintext
        if answer.served
    ]
    refused = [
        f"{name}: {answer.protocol} without TLS gets {answer.answer}"
        for name, scan in scans.items()
        for answer in scan.plaintext
    ]
    return Observation(not served, "; ".join(served or refused))


def _answers(scans: Mapping[str, ListenerScan]) -> Observation:
    """Return whether each listener answers over TLS: one that is gone serves nothing in plaintext.

    Not so in the control, which has to fail for what it serves.
    """
    silent = [
        f"{name} does not answer over TLS: {scan.verified.reason}"
        for name, scan in scans.items()
        if not scan.verified.accepted
    ]
    return Observation(
        bool(scans) and not silent, "; ".join(silent) or f"over TLS, {', '.join(scans)} answer"
    )


def _verdict(
    differences: Sequence[object], evidence: tuple[str, ...]
) -> tuple[Verdict, tuple[str, ...]]:
    return (
        (Verdict.FAILS, (*map(str, differences), *evidence))
        if differences
        else (Verdict.HOLDS, evidence)
    )


def _evidence(scan: ListenerScan) -> tuple[str, ...]:
    facts = scan.certificate
    carried = (
        f"{facts.subject}, for {', '.join(facts.names)}, {facts.key}, {facts.days_left} days left"
        if facts
        else "no certificate seen"
    )
    return (
        carried,
        *(
            f"{attempt}: {'accepted' if outcome.accepted else outcome.reason}"
            for attempt, outcome in (
                ("trusting the testbed's authority", scan.verified),
                ("asking for another host name", scan.wrong_name),
                ("trusting another authority", scan.wrong_authority),
            )
        ),
    )


if __name__ == "__main__":
    run_file(__file__)
