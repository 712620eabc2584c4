"""The life of one broker, from CreateBroker to DeleteBroker, as CloudTrail has it."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.errors import BadRequestException
from testbed.kms.base import USER_ACCOUNT, assumed_role
from testbed.results import Finding, Verdict
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.trail.compare import trail_differences
from testbed.trail.lookup import events
from testbed.trail.samples import samples

logger = logging.getLogger(__name__)

TITLE = "The trail of a broker's whole life, and the two CreateGrant events of the page"
CLAIMS = ("P4", "G1")
TURNS_CLOCK = True
# The page's samples are of a user who has assumed a role.
_SESSION = "AmazonMqConsole/alice"
Record = dict[str, Any]


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Follow a RabbitMQ broker under a customer managed key from creation to deletion."""
    alice = assumed_role(USER_ACCOUNT, testbed.region, _SESSION)
    kms, brokers, started = testbed.kms, testbed.brokers, testbed.clock.now()
    key = kms.call(alice, "CreateKey", {"Description": "of a broker whose trail is read"})[
        "KeyMetadata"
    ]["Arn"]
    request = testbed.request("RABBITMQ", "life", key)
    logger.info(
        "  CreateBroker, DescribeBroker, RebootBroker, DeleteBroker, and refusals between them"
    )
    broker = brokers.create(request, alice)
    created = _about(testbed, started, key)
    brokers.describe(broker.broker_id, alice)
    data_key = volumes.open_data_key(kms, broker.nodes[0].volume)
    kms.call(alice, "DisableKey", {"KeyId": key})
    testbed.wait_out_delay()
    with suppress(BadRequestException):
        brokers.reboot(broker.broker_id, alice)
    kms.call(alice, "EnableKey", {"KeyId": key})
    brokers.reboot(broker.broker_id, alice)
    brokers.delete(broker.broker_id, alice)
    life = _about(testbed, started, key, broker.broker_name, broker.broker_id)

    yield _grants(created)
    assert data_key is not None
    yield _whole(
        life, broker, [request.users[0].password, broker.keystore_password, data_key.hex()]
    )


def _about(testbed: Testbed, started: float, *names: str) -> list[Record]:
    """Return the account's records that name one of ``names``, oldest first.

    Their times are whole seconds.
    """
    return [
        record
        for record in events(testbed.trail, USER_ACCOUNT, region=testbed.region, start=started - 1)
        if any(name in json.dumps(record) for name in names)
    ][::-1]


def _grants(records: Sequence[Record]) -> Finding:
    grants = [record for record in records if record["eventName"] == "CreateGrant"]
    expected = samples("single_instance")
    deviations = trail_differences(grants, expected)
    # The same events with one more operation, as a careless service might request.
    altered = json.loads(json.dumps(grants))
    altered[0]["requestParameters"]["operations"].append("Encrypt")
    wrong = trail_differences(altered, expected)
    names = [
        f"{record['eventName']} of {', '.join(record['requestParameters']['operations'])} "
        f"by {record['userIdentity']['type']}"
        for record in grants
    ]
    return Finding(
        "G1",
        f"{len(grants)} CreateGrant events beside the page's {len(expected)}",
        Verdict.of(not deviations),
        (*map(str, deviations), *names),
        Finding(
            "G1",
            "the same events with an operation too many",
            Verdict.of(not wrong),
            tuple(map(str, wrong)),
        ),
    )


def _whole(life: Sequence[Record], broker: Broker, secret: Sequence[str]) -> Finding:
    """Check that every call has a complete record, and that none contains a secret."""
    expected = (
        "CreateKey",
        "CreateBroker",
        "CreateGrant",
        "GenerateDataKeyWithoutPlaintext",
        "Decrypt",
        "DescribeBroker",
        "DisableKey",
        "RebootBroker",
        "EnableKey",
        "DeleteBroker",
        "RetireGrant",
    )
    refused = [
        record
        for record in life
        if record["eventName"] == "RebootBroker" and record.get("errorCode")
    ]

    def judge(records: Sequence[Record]) -> tuple[Verdict, tuple[str, ...]]:
        text = json.dumps(records)
        missing = [
            name for name in expected if not any(record["eventName"] == name for record in records)
        ]
        incomplete = [
            record["eventName"]
            for record in records
            if not all(record.get(member) for member in ("userIdentity", "eventTime", "eventID"))
        ]
        leaks = sum(value in text for value in secret)
        evidence = (
            (
                f"{len(records)} records: "
                f"{', '.join(dict.fromkeys(record['eventName'] for record in records))}"
            ),
            (
                f"missing: {', '.join(missing) or 'none'}; "
                f"without who or when: {', '.join(incomplete) or 'none'}; secrets in them: {leaks}"
            ),
            (
                "the refused RebootBroker has errorCode "
                f"{refused[0]['errorCode'] if refused else 'none'}"
            ),
        )
        return Verdict.of(not missing and not incomplete and not leaks and bool(refused)), evidence

    # The trail as it would be if it recorded requests unfiltered.
    leaking = [*life, {**life[0], "requestParameters": {"password": secret[0]}}]
    return Finding(
        "P4",
        f"the life of {broker.broker_name}",
        *judge(life),
        Finding("P4", "a trail that records a password", *judge(leaking)),
    )


if __name__ == "__main__":
    run_file(__file__)
