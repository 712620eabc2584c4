"""Records against the page's samples, and the samples against its text; wrong records are found."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.documented import regions
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.trail.compare import differences, trail_differences
from testbed.trail.record import Call, Setting, kms_record
from testbed.trail.samples import samples

PAGE = Path(__file__).parents[1] / "fixtures" / "trail"
KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SESSION = Caller(
    f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/AmazonMqConsole/alice",
    USER_ACCOUNT,
    "AssumedRole",
    invoked_by="mq.amazonaws.com",
)
EBS = Caller(
    "ec2.us-east-1.amazonaws.com", USER_ACCOUNT, "AWSService", invoked_by="mq.amazonaws.com"
)


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def record_of(
    sample: dict[str, Any], number: int, caller: Caller | None = None, **changed: Any
) -> dict[str, Any]:
    """Return the testbed's record of a sample's call, with another key, volume, account, ..."""
    shown = sample["requestParameters"]
    parameters = {
        "KeyId": KEY,
        "GranteePrincipal": shown["granteePrincipal"],
        "RetiringPrincipal": shown["retiringPrincipal"],
        "Operations": shown["operations"],
    }
    if "constraints" in shown:
        parameters["Constraints"] = {
            "EncryptionContextSubset": {"aws:ebs:id": f"vol-{number:017x}"}
        }
    caller = caller or (SESSION if "arn" in sample["userIdentity"] else EBS)
    call = Call(
        caller,
        "CreateGrant",
        {**parameters, **changed},
        1_700_000_000,
        uuid(number + 100),
        {"GrantId": f"{number:064x}", "GrantToken": "t"},
    )
    shared = "" if "arn" in sample["userIdentity"] else uuid(number + 200)
    return kms_record(
        call,
        Setting(),
        event_id=uuid(number),
        recipient=USER_ACCOUNT,
        resources=(KEY,),
        shared_event_id=shared,
    )


def records(deployment: Any) -> list[dict[str, Any]]:
    return [record_of(sample, number) for number, sample in enumerate(samples(deployment), 1)]


# The samples are the page's


@pytest.mark.parametrize(
    ("deployment", "names"),
    [
        ("single_instance", ["mq_grant", "ebs_grant"]),
        ("cluster", ["mq_grant", "mq_rabbit_grant", "ebs_grant", "ebs_grant", "ebs_grant"]),
    ],
)
def test_a_sample_is_the_pages_text_with_one_brace_more_and_some_commas_fewer(
    deployment: Any, names: list[str]
) -> None:
    for name, sample in zip(names, samples(deployment), strict=True):
        text = (PAGE / f"{deployment}-{name}.txt").read_text()
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
        text = re.sub(r'("keyId": "[^"]*"),\n"requestID"', r'\1},\n"requestID"', text)
        text = re.sub(r",\s*}", "}", text)
        assert json.loads(text) == sample


def test_the_samples_have_the_pages_operations() -> None:
    counts = [len(sample["requestParameters"]["operations"]) for sample in samples("cluster")]
    assert counts == [8, 1, 1, 1, 1]
    assert [
        len(sample["requestParameters"]["operations"]) for sample in samples("single_instance")
    ] == [6, 1]


# Records that are right


@pytest.mark.parametrize("deployment", ["single_instance", "cluster"])
def test_the_testbeds_records_are_as_the_page_shows_them(deployment: Any) -> None:
    assert trail_differences(records(deployment), samples(deployment)) == ()


def test_what_must_differ_may() -> None:
    sample = samples("single_instance")[0]
    record = record_of(sample, 1, replace(SESSION, source_ip="2001:db8::1", user_agent="x"))
    record["requestParameters"]["operations"].reverse()
    record["sessionCredentialFromConsole"] = "true"
    assert differences(record, sample) == ()


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-north-1"])
def test_another_region_may_be_throughout(region: str) -> None:
    sample = samples("single_instance")[1]
    host, partition = regions.host("", region), regions.partition(region).name
    text = json.dumps(record_of(sample, 1)).replace(".us-east-1.amazonaws.com", host)
    text = text.replace("us-east-1", region).replace("arn:aws:", f"arn:{partition}:")
    assert differences(json.loads(text), sample) == ()


# Records that are wrong

Change = Callable[[dict[str, Any]], Any]
WRONG: dict[str, tuple[int, Change, str]] = {
    "a member is missing": (0, lambda r: r.pop("eventCategory"), "eventCategory"),
    "a member deep inside is missing": (
        0,
        lambda r: r["userIdentity"]["sessionContext"].pop("attributes"),
        "userIdentity.sessionContext.attributes",
    ),
    "a member too many": (
        0,
        lambda r: r["responseElements"].update(grantToken="t"),
        "responseElements.grantToken",
    ),
    "a name in the request": (
        0,
        lambda r: r["requestParameters"].update(name="mq_grant"),
        "requestParameters.name",
    ),
    "an operation too many": (
        0,
        lambda r: r["requestParameters"]["operations"].append("Encrypt"),
        "requestParameters.operations",
    ),
    "an operation too few": (
        0,
        lambda r: r["requestParameters"]["operations"].remove("CreateGrant"),
        "requestParameters.operations",
    ),
    "an operation twice": (
        1,
        lambda r: r["requestParameters"]["operations"].append("Decrypt"),
        "requestParameters.operations",
    ),
    "another grantee": (
        1,
        lambda r: r["requestParameters"].update(granteePrincipal="ec2.us-east-1.amazonaws.com"),
        "granteePrincipal",
    ),
    "another retiring principal": (
        1,
        lambda r: r["requestParameters"].update(retiringPrincipal="mq.amazonaws.com"),
        "retiringPrincipal",
    ),
    "a retiring principal of another partition": (
        1,
        lambda r: r["requestParameters"].update(retiringPrincipal="ec2.us-east-1.amazonaws.com.cn"),
        "requestParameters.retiringPrincipal",
    ),
    "a retiring principal of another region": (
        1,
        lambda r: r["requestParameters"].update(retiringPrincipal="ec2.eu-west-1.amazonaws.com"),
        "retiringPrincipal",
    ),
    "no constraint": (
        1,
        lambda r: r["requestParameters"].pop("constraints"),
        "requestParameters.constraints",
    ),
    "a constraint of another kind": (
        1,
        lambda r: r["requestParameters"].update(
            constraints={"encryptionContextEquals": {"aws:ebs:id": "vol-0"}}
        ),
        "requestParameters.constraints.encryptionContextSubset",
    ),
    "a constraint on nothing": (
        1,
        lambda r: r["requestParameters"]["constraints"]["encryptionContextSubset"].clear(),
        "aws:ebs:id",
    ),
    "a volume of no volume's name": (
        1,
        lambda r: r["requestParameters"]["constraints"]["encryptionContextSubset"].update(
            {"aws:ebs:id": "disk1"}
        ),
        "aws:ebs:id",
    ),
    "another event source": (0, lambda r: r.update(eventSource="kms.amazonaws.com"), "eventSource"),
    "another event": (0, lambda r: r.update(eventName="RetireGrant"), "eventName"),
    "another kind of caller": (
        0,
        lambda r: r["userIdentity"].update(type="IAMUser"),
        "userIdentity.type",
    ),
    "not through Amazon MQ": (
        0,
        lambda r: r["userIdentity"].pop("invokedBy"),
        "userIdentity.invokedBy",
    ),
    "a service with an account": (
        1,
        lambda r: r["userIdentity"].update(accountId=USER_ACCOUNT),
        "userIdentity.accountId",
    ),
    "a service from an address": (
        1,
        lambda r: r.update(sourceIPAddress="127.0.0.1"),
        "sourceIPAddress",
    ),
    "not shared": (1, lambda r: r.pop("sharedEventID"), "sharedEventID"),
    "read-only": (1, lambda r: r.update(readOnly=True), "readOnly"),
    "a word for a truth value": (1, lambda r: r.update(readOnly="false"), "readOnly"),
    "refused": (
        0,
        lambda r: r.update(errorCode="DisabledException", responseElements=None),
        "errorCode",
    ),
    "an older version": (0, lambda r: r.update(eventVersion="1.07"), "eventVersion"),
    "another major version": (0, lambda r: r.update(eventVersion="2.0"), "eventVersion"),
    "a time without a zone": (0, lambda r: r.update(eventTime="2026-01-01 00:00:00"), "eventTime"),
    "no address at all": (0, lambda r: r.update(sourceIPAddress=""), "sourceIPAddress"),
    "another key in the answer": (
        0,
        lambda r: r["responseElements"].update(keyId=KEY[:-1] + "f"),
        "responseElements.keyId",
    ),
    "a key by its id alone": (
        0,
        lambda r: r["requestParameters"].update(keyId=KEY.rpartition("/")[2]),
        "requestParameters.keyId",
    ),
    "two resources": (0, lambda r: r["resources"].append(r["resources"][0]), "resources"),
    "another account's key": (
        0,
        lambda r: r.update(recipientAccountId="111122223333"),
        "recipientAccountId",
    ),
    "another region than the key's": (0, lambda r: r.update(awsRegion="eu-west-1"), "awsRegion"),
    "nothing but braces": (0, lambda r: r.clear(), "eventVersion"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_record_that_is_not_as_the_sample_is_found_and_named(name: str) -> None:
    number, spoil, path = WRONG[name]
    sample = samples("single_instance")[number]
    record = copy.deepcopy(record_of(sample, 1))
    spoil(record)
    deviations = differences(record, sample)
    assert any(path in deviation.path for deviation in deviations), [*map(str, deviations)]
    assert all(str(deviation) for deviation in deviations)


def test_a_user_who_is_no_session_is_not_what_the_page_shows() -> None:
    sample = samples("single_instance")[0]
    user = Caller(
        f"arn:aws:iam::{USER_ACCOUNT}:user/Alice",
        USER_ACCOUNT,
        "IAMUser",
        invoked_by="mq.amazonaws.com",
    )
    paths = {deviation.path for deviation in differences(record_of(sample, 1, user), sample)}
    assert paths == {"userIdentity.type", "userIdentity.sessionContext", "userIdentity.userName"}


# Trails that are wrong


def test_an_event_too_many_or_too_few_is_found() -> None:
    cluster = records("cluster")
    assert "5 events" in str(trail_differences(cluster[:4], samples("cluster"))[0])
    assert (
        trail_differences([*cluster, record_of(samples("cluster")[4], 6)], samples("cluster"))[
            0
        ].found
        == "6 events"
    )


def test_events_in_another_order_are_found() -> None:
    first, second, *rest = records("cluster")
    deviations = trail_differences([second, first, *rest], samples("cluster"))
    assert {deviation.path for deviation in deviations} == {
        "event 1: requestParameters.operations",
        "event 2: requestParameters.operations",
    }


def test_two_grants_for_one_volume_are_found() -> None:
    cluster = records("cluster")
    cluster[4]["requestParameters"]["constraints"] = cluster[3]["requestParameters"]["constraints"]
    (deviation,) = trail_differences(cluster, samples("cluster"))
    assert "aws:ebs:id" in deviation.path
    assert deviation.found.endswith(" in 2")


def test_one_event_shown_twice_is_found() -> None:
    cluster = records("cluster")
    paths = {
        deviation.path
        for deviation in trail_differences([*cluster[:4], cluster[3]], samples("cluster"))
    }
    assert {"Records: eventID", "Records: responseElements.grantId"} <= paths
