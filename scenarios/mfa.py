"""The two calls that can lose data, by a session that gave a code of its device and one without."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3

from testbed.aws.endpoint import Endpoint, serve
from testbed.cli.scenario import run_file
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.staff import Person, Staff, allow, denied, deny
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "DisableKey and ScheduleKeyDeletion need a second factor, and the trail tells who gave one"
CLAIMS = ("P8",)
HAS_SESSIONS = True
_GUARDED = ("kms:DisableKey", "kms:ScheduleKeyDeletion")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Call both with each kind of credentials; the control is the session with a code."""
    with serve(testbed) as endpoint, Staff(endpoint) as staff:
        careful = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
        person = staff.user(
            "key-owner", allow("kms:*", "sts:*"), deny(*_GUARDED, Condition=careful)
        )
        device = staff.device(person)
        wrong = {**device.parameters(), "TokenCode": "000000"}
        logger.info("  a long-term key, a session without a code, and one with a code")
        plain, strong = person.session(), person.session(**device.parameters())
        tried = _Tries(testbed, endpoint)
        with_code = tried.by(strong)
        for session, what in ((person, "a long-term access key"), (plain, "a session without")):
            yield contrast("P8", what, tried.by(session), "a session with a code", with_code)
        refused = denied(lambda: person.session(**wrong))
        fine = denied(lambda: plain.client("sts").get_caller_identity())
        yield contrast("P8", "GetSessionToken with a wrong code", (refused,), "no code", (fine,))


class _Tries:
    def __init__(self, testbed: Testbed, endpoint: Endpoint) -> None:
        self._testbed, self._started = testbed, testbed.clock.datetime()
        self._trail: Any = boto3.client("cloudtrail", **endpoint.client())

    def by(self, person: Person) -> tuple[Observation, ...]:
        """Call both, and look at what is denied and recorded without a second factor."""
        key, kms = self._testbed.new_key("of which data can be lost"), person.client("kms")
        refused = (
            denied(lambda: kms.disable_key(KeyId=key)),
            denied(lambda: kms.schedule_key_deletion(KeyId=key)),
        )
        return (*refused, self._recorded(key))

    def _recorded(self, key: str) -> Observation:
        """Look for the second factor in the records; ``yes`` if they say that there was none."""
        pages = self._trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}],
            StartTime=self._started - timedelta(seconds=1),
        )
        records = [
            json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]
        ]
        guarded = [record for record in records if f"kms:{record['eventName']}" in _GUARDED]
        said = {
            record["userIdentity"]
            .get("sessionContext", {})
            .get("attributes", {})
            .get("mfaAuthenticated", "nothing")
            for record in guarded
        }
        without = len(guarded) == len(_GUARDED) and not said & {"true"}
        sentence = f"{len(guarded)} records, mfaAuthenticated: {', '.join(sorted(said))}"
        return Observation(without, sentence)


if __name__ == "__main__":
    run_file(__file__)
