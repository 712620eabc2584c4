"""What CloudTrail has of calls on identities: one record each, with who called, and no secret."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from testbed.aws.endpoint import serve
from testbed.broker.default_broker import new_password
from testbed.cli.scenario import run_file
from testbed.documented import regions
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.staff import Staff, allow
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "One record for each call on IAM and STS, with who called, and no secret in it"
CLAIMS = ("P4",)
HAS_SESSIONS = True
Record = Mapping[str, Any]


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Create a user with secrets, and let it call; the control has one of them in a tag."""
    started = testbed.clock.datetime() - timedelta(seconds=1)
    with serve(testbed) as endpoint, Staff(endpoint) as staff:
        logger.info("  calls by root, by a user and by a session")
        # IAM's events are in one Region of a partition, STS's where they were called.
        places = {testbed.region, regions.of_global_services(testbed.region)}
        options = [{**endpoint.client(), "region_name": place} for place in places]
        trails: list[Any] = [boto3.client("cloudtrail", **own) for own in options]
        iam: Any = boto3.client("iam", **endpoint.client())
        person = staff.user("recorded", allow("iam:GetUser", "sts:AssumeRole"))
        role = staff.role("recorded", person, allow("iam:ListUsers"))
        password = new_password()
        calls = _Calls()
        login = {"UserName": person.name, "Password": password}
        calls.make(lambda: iam.create_login_profile(**login), "Root")
        calls.make(lambda: iam.delete_login_profile(UserName=person.name), "Root")
        mine = person.client("iam")
        calls.make(lambda: mine.get_user(UserName=person.name), "IAMUser")
        calls.make(lambda: mine.delete_user(UserName=person.name), "IAMUser", "AccessDenied")
        session = person.as_role(role)
        calls.make(session.client("iam").list_users, "AssumedRole")
        calls.make(session.client("sts").get_caller_identity, "AssumedRole")
        secrets = (password, person.secret, session.secret)
        names = {"UserName": person.name, "Tags": [{"Key": "password", "Value": password}]}

        def records() -> list[Record]:
            events = (
                event
                for trail in trails
                for page in trail.get_paginator("lookup_events").paginate(StartTime=started)
                for event in page["Events"]
            )
            return [json.loads(event["CloudTrailEvent"]) for event in events]

        before = records()
        iam.tag_user(**names)
        after = records()
        iam.untag_user(UserName=person.name, TagKeys=["password"])
    yield contrast(
        "P4",
        "calls on identities",
        (_has_no(secrets, before),),
        "the same, and then a password in a tag",
        (_has_no(secrets, after),),
        also=calls.looks(before),
    )


class _Calls:
    """Calls with what their records have to say: who called, and with what error."""

    def __init__(self) -> None:
        self._made: list[tuple[str, str, str]] = []

    def make(self, call: Callable[[], Any], caller: str, error: str = "") -> None:
        try:
            response = call()
        except ClientError as refused:
            response = refused.response
        request_id = response["ResponseMetadata"]["RequestId"]
        self._made.append((request_id, caller, error))

    def looks(self, records: Sequence[Record]) -> tuple[Observation, ...]:
        """Look for the records; each is ``yes`` if there is one, and it says so."""
        return tuple(self._look(records, *made) for made in self._made)

    def _look(
        self, records: Sequence[Record], request_id: str, caller: str, error: str
    ) -> Observation:
        found = [record for record in records if record["requestID"] == request_id]
        said = [
            f"{record['eventName']} by {record['userIdentity']['type']}"
            f"{', ' + record['errorCode'] if record.get('errorCode') else ''}"
            for record in found
        ]
        as_expected = [
            record["userIdentity"]["type"] == caller and record.get("errorCode", "") == error
            for record in found
        ]
        sentence = f"{len(found)} record: {'; '.join(said)}"
        return Observation(as_expected == [True] and "tlsDetails" in found[0], sentence)


def _has_no(secrets: Sequence[str], records: Sequence[Record]) -> Observation:
    text = json.dumps(records)
    leaks = sum(value in text for value in secrets)
    return Observation(
        not leaks, f"{leaks} of {len(secrets)} secrets are in {len(records)} records"
    )


if __name__ == "__main__":
    run_file(__file__)
