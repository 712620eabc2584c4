"""The life of one broker, from CreateBroker to DeleteBroker, as CloudTrail has it."""

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

import boto3

from testbed.aws.endpoint import serve
from testbed.cli.scenario import run_file
from testbed.errors import BadRequestException
from testbed.evidence import Observation, contrast
from testbed.kms.base import USER_ACCOUNT, assumed_role
from testbed.results import Finding
from testbed.storage import volumes
from testbed.testbed import Testbed
from testbed.trail.compare import trail_differences
from testbed.trail.samples import samples

logger = logging.getLogger(__name__)

TITLE = "The trail of a broker's whole life, and the two CreateGrant events of the page"
CLAIMS = ("P4", "G1")
TURNS_CLOCK = True
# The page's samples are of a user who has assumed a role.
_SESSION = "AmazonMqConsole/alice"
_EXPECTED = (
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
Record = dict[str, Any]


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Follow a RabbitMQ broker under a customer managed key from creation to deletion."""
    kms, brokers, started = testbed.kms, testbed.brokers, testbed.clock.datetime()
    alice = assumed_role(USER_ACCOUNT, testbed.region, _SESSION)
    key = kms.call(alice, "CreateKey", {"Description": "of a broker whose trail is read"})[
        "KeyMetadata"
    ]["Arn"]
    request = testbed.request("RABBITMQ", "life", key)
    with serve(testbed) as endpoint, ExitStack() as undo:
        cloudtrail = boto3.client("cloudtrail", **endpoint.client())

        def about(*names: str) -> list[Record]:
            return _about(cloudtrail, started, *names)

        logger.info("  CreateBroker, and one more grant")
        broker = brokers.create(request, alice)
        undo.callback(brokers.delete, broker.broker_id)
        created = about(key)
        own = {"KeyId": key, "GranteePrincipal": alice.principal, "Operations": ["DescribeKey"]}
        kms.call(alice, "CreateGrant", own)
        yield contrast(
            "G1",
            "a single instance's CreateGrant events",
            (_grants(created),),
            "after one more",
            (_grants(about(key)),),
        )
        logger.info("  DescribeBroker, RebootBroker, DeleteBroker, and a refusal between them")
        brokers.describe(broker.broker_id, alice)
        data_key = volumes.open_data_key(kms, broker.nodes[0].volume)
        kms.call(alice, "DisableKey", {"KeyId": key})
        testbed.wait_out_delay()
        with suppress(BadRequestException):
            brokers.reboot(broker.broker_id, alice)
        kms.call(alice, "EnableKey", {"KeyId": key})
        brokers.reboot(broker.broker_id, alice)
        brokers.delete(broker.broker_id, alice)
        undo.pop_all()  # it is deleted
        assert data_key is not None
        password = request.users[0].password
        # In hex as a node gets it, and in base64 as KMS answers with it.
        forms = (data_key.hex(), base64.b64encode(data_key).decode())
        secret = (password, broker.keystore_password, *forms)
        life = about(key, broker.broker_name, broker.broker_id)
        careless = {"KeyId": key, "Description": f"the password is {password}"}
        kms.call(alice, "UpdateKeyDescription", careless)
        with_it = about(key, broker.broker_name, broker.broker_id)
    yield contrast(
        "P4",
        f"the life of {broker.broker_name}",
        (_has_no(secret, life),),
        "the same, and then a password in a key's description",
        (_has_no(secret, with_it),),
        also=_whole(life),
    )


def _about(cloudtrail: Any, started: datetime, *names: str) -> list[Record]:
    """Return LookupEvents' records that name one of ``names``, oldest first.

    Their times are whole seconds.
    """
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        StartTime=started - timedelta(seconds=1)
    )
    records = [event["CloudTrailEvent"] for page in pages for event in page["Events"]]
    return [json.loads(text) for text in records if any(name in text for name in names)][::-1]


def _grants(records: Sequence[Record]) -> Observation:
    """Compare the CreateGrant events with the page's; ``yes`` if they do not differ."""
    grants = [record for record in records if record["eventName"] == "CreateGrant"]
    page = samples("single_instance")
    deviations = list(map(str, trail_differences(grants, page)))
    names = [
        f"{record['eventName']} of {', '.join(record['requestParameters']['operations'])} "
        f"by {record['userIdentity']['type']}"
        for record in grants
    ]
    beside = f"{len(grants)} events beside the page's {len(page)}"
    return Observation(not deviations, "; ".join((beside, *deviations, *names)))


def _has_no(secret: Sequence[str], records: Sequence[Record]) -> Observation:
    text = json.dumps(records)
    leaks = sum(value in text for value in secret)
    return Observation(not leaks, f"{leaks} of {len(secret)} secrets are in {len(records)} records")


def _whole(life: Sequence[Record]) -> tuple[Observation, ...]:
    """Look whether every call has a complete record, and the refused one its error code."""
    names = list(dict.fromkeys(record["eventName"] for record in life))
    missing = [name for name in _EXPECTED if name not in names]
    incomplete = [
        record["eventName"]
        for record in life
        if not all(record.get(member) for member in ("userIdentity", "eventTime", "eventID"))
    ]
    codes = [
        record["errorCode"]
        for record in life
        if record["eventName"] == "RebootBroker" and record.get("errorCode")
    ]
    return (
        Observation(
            not missing, f"recorded: {', '.join(names)}; missing: {', '.join(missing) or 'none'}"
        ),
        Observation(not incomplete, f"without who or when: {', '.join(incomplete) or 'none'}"),
        Observation(
            len(codes) == 1, f"the refused RebootBroker has errorCode {', '.join(codes) or 'none'}"
        ),
    )


if __name__ == "__main__":
    run_file(__file__)
