"""Every Region and account has its own keys, brokers, configurations and trail."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from testbed.aws.endpoint import serve
from testbed.documented import regions
from testbed.documented.regions import DEFAULT_REGION
from testbed.kms.base import USER_ACCOUNT, root
from tests.support.aws_endpoint import ONCE, OTHER_ACCOUNT, Served, refusal, scope
from tests.support.brokers_offline import add, offline, request
from tests.support.key_policies import allow, document

EUROPE, CHINA, GOVERNMENT = "eu-central-1", "cn-north-1", "us-gov-west-1"
PLACES = [
    (USER_ACCOUNT, DEFAULT_REGION),
    (USER_ACCOUNT, EUROPE),
    (OTHER_ACCOUNT, EUROPE),
    (USER_ACCOUNT, CHINA),
    (USER_ACCOUNT, GOVERNMENT),
]


@pytest.mark.containers
def test_keys_and_aliases_are_in_one_region_of_one_account(aws: Served) -> None:
    arns = {}
    for account, region in PLACES:
        kms = aws.client("kms", account, region)
        arn = kms.create_key(Description=region)["KeyMetadata"]["Arn"]
        partition = regions.partition(region).name
        assert arn.startswith(f"arn:{partition}:kms:{region}:{account}:key/")
        kms.create_alias(AliasName="alias/everywhere", TargetKeyId=arn)
        policy = json.loads(kms.get_key_policy(KeyId=arn)["Policy"])
        root_arn = {"AWS": f"arn:{partition}:iam::{account}:root"}
        assert policy["Statement"][0]["Principal"] == root_arn
        arns[account, region] = arn
    for place, arn in arns.items():
        kms = aws.client("kms", *place)
        metadata = kms.describe_key(KeyId="alias/everywhere")["KeyMetadata"]
        assert (metadata["Arn"], metadata["Description"]) == (arn, place[1])
        listed = {key["KeyArn"] for key in kms.list_keys(Limit=1000)["Keys"]}
        assert listed & set(arns.values()) == {arn}
        blob = kms.encrypt(KeyId=arn, Plaintext=b"data")["CiphertextBlob"]
        for other in PLACES:
            if other == place:
                continue
            there = aws.client("kms", *other)
            assert refusal(there.decrypt, CiphertextBlob=blob)["Code"] == "AccessDeniedException"
            missing = refusal(there.describe_key, KeyId=arn)["Code"]
            assert missing in ("NotFoundException", "AccessDeniedException")
            code = refusal(there.describe_key, KeyId=arn.rpartition("/")[2])["Code"]
            assert code == "NotFoundException"
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data", "control: at home"


@pytest.mark.containers
def test_the_key_of_amazon_mq_is_each_regions_own(aws: Served) -> None:
    found = {}
    for account, region in PLACES:
        kms = aws.client("kms", account, region)
        arn = kms.describe_key(KeyId="alias/aws/mq")["KeyMetadata"]["Arn"]
        assert f":{region}:{account}:" in arn
        statement = json.loads(kms.get_key_policy(KeyId=arn)["Policy"])["Statement"][0]
        via = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert via.startswith(f"mq.{region}.")
        found[account, region] = arn
    assert len(set(found.values())) == len(PLACES)


@pytest.mark.containers
def test_each_region_of_an_account_has_its_own_trail(aws: Served) -> None:
    keys = {place: aws.client("kms", *place).create_key()["KeyMetadata"]["Arn"] for place in PLACES}
    for place, arn in keys.items():
        for other in PLACES:
            trail = aws.client("cloudtrail", *other)
            named = [{"AttributeKey": "ResourceName", "AttributeValue": arn}]
            records = trail.lookup_events(LookupAttributes=named)["Events"]
            assert len(records) == (place == other)
            for record in records:
                whole = json.loads(record["CloudTrailEvent"])
                assert (whole["awsRegion"], whole["recipientAccountId"]) == place[::-1]


@pytest.mark.containers
def test_a_call_on_a_key_of_another_account_is_in_both_trails(aws: Served) -> None:
    owner = aws.client("kms", OTHER_ACCOUNT, EUROPE)
    principals = [f"arn:aws:iam::{account}:root" for account in (USER_ACCOUNT, OTHER_ACCOUNT)]
    policy = document(allow({"AWS": principals}))
    key = owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    aws.client("kms", USER_ACCOUNT, EUROPE).encrypt(KeyId=key, Plaintext=b"x")
    named = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    shared = {}
    for account in (USER_ACCOUNT, OTHER_ACCOUNT):
        trail = aws.client("cloudtrail", account, EUROPE)
        newest = trail.lookup_events(LookupAttributes=named)["Events"][0]
        record = json.loads(newest["CloudTrailEvent"])
        assert (record["eventName"], record["awsRegion"]) == ("Encrypt", EUROPE)
        assert record["recipientAccountId"] == account
        shared[account] = record["sharedEventID"]
    assert len(set(shared.values())) == 1
    elsewhere = aws.client("cloudtrail", USER_ACCOUNT)
    assert elsewhere.lookup_events(LookupAttributes=named)["Events"] == []


@pytest.mark.containers
def test_who_calls_is_said_in_the_partition(aws: Served) -> None:
    for region, arn in ((EUROPE, "arn:aws:iam"), (CHINA, "arn:aws-cn:iam")):
        identity = aws.client("sts", OTHER_ACCOUNT, region).get_caller_identity()
        assert identity["Arn"] == f"{arn}::{OTHER_ACCOUNT}:root"


@pytest.mark.containers
def test_every_region_of_aws_is_served_and_no_other(aws: Served) -> None:
    for region in regions.names():
        call = {
            "Authorization": scope("kms", region=region),
            "X-Amz-Target": "TrentService.ListKeys",
        }
        assert aws.send("POST", "/", b"{}", headers=call).status == 200, region
    call["Authorization"] = scope("kms", region="mars-north-1")
    refused = aws.send("POST", "/", b"{}", headers=call)
    assert (refused.status, refused.document["__type"]) == (403, "InvalidSignatureException")


# Amazon MQ, without containers


@pytest.fixture
def mq(tmp_path: Any) -> Iterator[Any]:
    with offline(tmp_path / "state") as testbed, serve(testbed) as endpoint:

        def client(account: str = USER_ACCOUNT, region: str = DEFAULT_REGION) -> BaseClient:
            chosen = {"aws_access_key_id": account, "region_name": region}
            return boto3.client("mq", **{**endpoint.client(), **chosen}, config=ONCE)

        client.testbed = testbed  # type: ignore[attr-defined]
        yield client


def test_a_configuration_is_in_one_region_of_one_account(mq: Any) -> None:
    made = {}
    for account, region in PLACES:
        answer = mq(account, region).create_configuration(
            Name="everywhere", EngineType="RABBITMQ", EngineVersion="4.2"
        )
        partition = regions.partition(region).name
        arn = f"arn:{partition}:mq:{region}:{account}:configuration:{answer['Id']}"
        assert answer["Arn"] == arn
        made[account, region] = answer
    data = base64.b64encode(b"consumer_timeout = 60000\n").decode()
    for place, answer in made.items():
        [listed] = mq(*place).list_configurations()["Configurations"]
        assert listed["Id"] == answer["Id"]
        for other in PLACES:
            there, named = mq(*other), {"ConfigurationId": answer["Id"]}
            tagged = {"ResourceArn": answer["Arn"], "Tags": {"seen": "yes"}}
            if other == place:
                assert there.describe_configuration(**named)["Name"] == "everywhere", "control"
                there.create_tags(**tagged)
                continue
            for call, parameters in (
                (there.describe_configuration, named),
                (there.list_configuration_revisions, named),
                (there.describe_configuration_revision, {**named, "ConfigurationRevision": "1"}),
                (there.update_configuration, {**named, "Data": data}),
                (there.delete_configuration, named),
                (there.create_tags, tagged),
                (there.list_tags, {"ResourceArn": answer["Arn"]}),
            ):
                assert refusal(call, **parameters)["Code"] == "NotFoundException"


def test_a_broker_is_in_one_region_of_one_account(mq: Any) -> None:
    brokers = {}
    for account, region in PLACES:
        broker = add(mq.testbed, request("ACTIVEMQ"), root(account, region))
        partition, domain = regions.partition(region).name, regions.host("mq", region)
        assert broker.arn.startswith(f"arn:{partition}:mq:{region}:{account}:broker:offline:b-")
        assert broker.nodes[0].hostname == f"{broker.broker_id}-1.{domain}"
        brokers[account, region] = broker
    for place, broker in brokers.items():
        [summary] = mq(*place).list_brokers()["BrokerSummaries"]
        assert summary["BrokerArn"] == broker.arn
        for other in PLACES:
            there, named = mq(*other), {"BrokerId": broker.broker_id}
            user = {**named, "Username": "admin"}
            if other == place:
                assert there.describe_broker(**named)["BrokerArn"] == broker.arn, "control"
                assert there.describe_user(**user)["Username"] == "admin"
                continue
            for call, parameters in (
                (there.describe_broker, named),
                (there.update_broker, {**named, "AutoMinorVersionUpgrade": True}),
                (there.reboot_broker, named),
                (there.delete_broker, named),
                (there.list_users, named),
                (there.describe_user, user),
                (there.create_user, {**user, "Password": "correct-horse-1"}),
                (there.delete_user, user),
                (there.list_tags, {"ResourceArn": broker.arn}),
            ):
                assert refusal(call, **parameters)["Code"] == "NotFoundException"


def test_a_configuration_of_another_region_cannot_be_used(mq: Any) -> None:
    made = mq(USER_ACCOUNT, EUROPE).create_configuration(
        Name="there", EngineType="ACTIVEMQ", EngineVersion="5.19"
    )
    broker = add(mq.testbed, request("ACTIVEMQ"))
    chosen = {"BrokerId": broker.broker_id, "Configuration": {"Id": made["Id"], "Revision": 1}}
    assert refusal(mq().update_broker, **chosen)["Code"] == "NotFoundException"


def test_the_zones_are_the_regions(mq: Any) -> None:
    for region in (DEFAULT_REGION, CHINA):
        [option, *_] = mq(region=region).describe_broker_instance_options()["BrokerInstanceOptions"]
        zones = [zone["Name"] for zone in option["AvailabilityZones"]]
        assert zones == [f"{region}a", f"{region}b", f"{region}c"]
