"""Each listener accepts a client that offers only FIPS-approved algorithms."""

from collections.abc import Iterator, Mapping
from functools import partial

from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.documented import fips as approved
from testbed.documented.tls import PROFILES, Suite, TlsProfile
from testbed.engines.base import Defects
from testbed.results import Finding, Verdict
from testbed.runtime.tasks import run_concurrently
from testbed.testbed import Testbed
from testbed.wire.fips import FipsAnswer, ask_all

TITLE = (
    "Clients restricted to FIPS-approved suites, groups and signatures connect to every listener"
)
CLAIMS = ("P5",)
_NOT_APPROVED = Suite(
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", 0xCCA8
)


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Ask all listeners of both engines, and of a control whose one suite is not approved."""
    engines = ("RABBITMQ", "ACTIVEMQ")
    defects = Defects(tls=TlsProfile(("TLSv1.2",), (_NOT_APPROVED,)))
    refusing = run_concurrently([partial(testbed.control, engine, defects) for engine in engines])
    for engine_type, control in zip(engines, refusing, strict=True):
        broker = testbed.default_broker(engine_type)
        answers, controls = _ask(testbed, broker), _ask(testbed, control)
        for name, answer in answers.items():
            failing = Finding(
                "P5", f"{name} with {_NOT_APPROVED.iana} alone", *_judged(controls[name])
            )
            yield Finding("P5", f"{engine_type} {name}", *_judged(answer), failing)
        codes = {suite.code for suite in approved.SUITES}
        outside = [suite.iana for suite in PROFILES[engine_type].suites if suite.code not in codes]
        yield f"Documented for {engine_type} and not approved: {', '.join(outside) or 'none'}"


def _ask(testbed: Testbed, broker: Broker) -> Mapping[str, FipsAnswer]:
    return ask_all(
        broker.addresses(), server_name=broker.nodes[0].hostname, ca_file=testbed.ca_file
    )


def _judged(answer: FipsAnswer) -> tuple[Verdict, tuple[str, ...]]:
    if answer.suite is None:
        return Verdict.FAILS, (f"the approved offer is refused: {answer.refusal}",)
    chosen = [
        answer.suite.iana,
        answer.group.iana if answer.group else "no group",
        answer.signature.iana if answer.signature else "no signature",
    ]
    completed = (
        "a whole handshake with a checked certificate succeeds"
        if answer.completed.accepted
        else f"the handshake fails: {answer.completed.reason}"
    )
    unapproved = (f"not approved: {', '.join(answer.unapproved)}",) if answer.unapproved else ()
    return Verdict.of(answer.accepted), (
        f"of what is approved it chooses {', '.join(chosen)}",
        completed,
        *unapproved,
    )


if __name__ == "__main__":
    run_file(__file__)
