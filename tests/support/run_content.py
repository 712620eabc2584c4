"""An invented run with something of everything that a report shows: good, bad, long."""

from datetime import UTC, datetime

from testbed.documented.tls import ACTIVEMQ_SUITES
from testbed.graph import Chain, Dependencies, Item
from testbed.results import Cell, Finding, Matrix, MatrixRow, Run, ScenarioResult, Verdict
from testbed.timeline import Change, Lane, Moment, Rate, Timeline

_KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_LISTENERS = ("openwire", "amqp", "stomp", "mqtt", "wss", "console")
_YES, _NO = Cell(True, True, "x25519"), Cell(False, False, "alert: fatal handshake_failure")
_ODD = (
    _YES,
    Cell(True, False, "alert: fatal insufficient_security"),
    Cell(False, True),
    _NO,
    Cell(None, True),
    Cell(False, None, "timeout"),
)
TIMELINE = Timeline(
    "rabbitmq while its key is disabled and enabled",
    24.0,
    tuple(Rate(n / 2, 0.0 if 12 <= n < 30 else 90.0 + n % 7, 80.0) for n in range(48)),
    (
        Lane(
            "key",
            (
                Change(0.0, "Enabled", "good"),
                Change(2.1, "Disabled, not yet in effect", "passing"),
                Change(4.0, "Disabled", "bad"),
                Change(7.0, "Enabled", "good"),
            ),
        ),
        Lane(
            "broker",
            (
                Change(0.0, "RUNNING", "good"),
                Change(4.1, "CRITICAL_ACTION_REQUIRED", "bad"),
                Change(14.0, "RUNNING", "good"),
                Change(15.0, "REBOOT_IN_PROGRESS", "passing"),
                Change(23.9, "RUNNING", "good"),
            ),
        ),
    ),
    (
        Moment(2.1, "DisableKey"),
        Moment(4.0, "the delay of 10800 s is over"),
        Moment(4.2, "RebootBroker", refused=True),
        Moment(6.0, "its node is lost"),
        Moment(6.9, "the volume is attached again", refused=True),
        Moment(7.0, "EnableKey"),
        Moment(14.0, "the volume is attached again"),
        Moment(24.0, "it has rebooted"),
    ),
)


def full_run() -> Run:
    """Return a run of which some claims hold, some fail, and most were not checked."""
    control = Finding("R9", "rabbitmq while its key is enabled", Verdict.FAILS, ("it is RUNNING",))
    disabled = f"RebootBroker is refused: The KMS key {_KEY} is disabled."
    good = Finding("R9", "rabbitmq", Verdict.HOLDS, (disabled, "the broker serves"), control)
    findings = (
        good,
        Finding("T6", "ACTIVEMQ mqtt+ssl:8883", Verdict.FAILS, ("LACKS a suite",), None),
        Finding("P9", "Macie", Verdict.NOT_REPRODUCIBLE, ("Macie is not about brokers.",)),
        Finding(
            "G2",
            "a cluster's CreateGrant events",
            Verdict.HOLDS,
            ("5 events beside the page's 5",),
            Finding("G2", "after one more", Verdict.HOLDS, ("6 events",)),
        ),
    )
    return Run(
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        283.5,
        {"testbed": "0.1.0", "RABBITMQ 4.2": "4.0.5, standing in for 4.2", "volumes": "files"},
        (
            ScenarioResult(
                "key_disabled",
                "DisableKey under traffic: the broker serves on, and cannot reboot",
                findings,
                30.0,
                notes=("Traffic through all of it: 2,000 confirmed, none lost",),
                timelines=(TIMELINE,),
                dependencies=(_dependencies(),),
            ),
            ScenarioResult(
                "handshakes",
                "What the listeners accept",
                (),
                5.0,
                "LocalStack stopped",
                (),
                _suites(),
            ),
        ),
    )


def _suites() -> tuple[Matrix, ...]:
    rows = [MatrixRow("TLSv1.2", suite, (_YES,) * 6) for suite in ACTIVEMQ_SUITES]
    rows[1] = MatrixRow("TLSv1.2", ACTIVEMQ_SUITES[1], _ODD)
    others = MatrixRow("TLSv1.3", None, (_NO,) * 6, 15)
    return (Matrix("ACTIVEMQ activemq", _LISTENERS, (*rows, others)),)


def _dependencies() -> Dependencies:
    key = Item(_KEY, _KEY.rpartition("/")[2], "Disabled", sound=False)
    broker = Item("b-1", "a-broker-with-a-name-of-fifty-characters-the-limit", "RUNNING")
    service = Item("mq.amazonaws.com", "mq")
    volumes = tuple(Item(f"v{n}", f"vol-0{n}c9aedfb246b0bdd", f"node {n}") for n in range(3))
    every = Chain(key, Item("g", "mq_grant", "8d47897a"), service, volumes, broker)
    chains = (
        Chain(
            key, Item(f"g{n}", "ebs_grant", f"{n}8d47897", sound=n != 1), service, (volume,), broker
        )
        for n, volume in enumerate(volumes)
    )
    return Dependencies("a cluster of three without its key", (every, *chains))
