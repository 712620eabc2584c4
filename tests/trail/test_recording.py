"""Every call on a real KMS leaves one record, refused or not, in the trails it belongs in."""

import json
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.broker.encryption import EncryptionOptions, resolve
from testbed.errors import BadRequestException, ContainerFailed, KmsError
from testbed.kms import key_policy
from testbed.kms.authority import KmsAuthority
from testbed.kms.base import SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller
from testbed.kms.key import Key
from testbed.kms.ledger import Ledger
from testbed.kms.localstack import LocalStackKms
from testbed.kms.naming import key_arn
from testbed.kms.retrying import RetryingKms
from testbed.trail.compare import trail_differences
from testbed.trail.lookup import events
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.samples import samples
from tests.support.kms_authority import over
from tests.support.kms_container import Container
from tests.support.kms_offline import NoBackend
from tests.support.trail_bench import Bench

SESSION = Caller(
    f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/AmazonMqConsole/alice", USER_ACCOUNT, "AssumedRole"
)
FORWARDED = replace(SESSION, invoked_by="mq.amazonaws.com")
EBS = Caller(
    "ec2.us-east-1.amazonaws.com", USER_ACCOUNT, "AWSService", invoked_by="mq.amazonaws.com"
)
MISSING = "00000000-0000-4000-8000-000000000000"
OTHER_KEY = "11111111-0000-4000-8000-000000000000"


# One call, one record


@pytest.mark.containers
def test_a_call_that_succeeds_leaves_one_record_and_its_answer_is_untouched(
    bench: Bench, running: Container
) -> None:
    arn = bench.key(Description="orders")
    (record,) = bench.records()
    assert record["eventName"] == "CreateKey"
    assert record["requestParameters"] == {"description": "orders"}
    assert record["responseElements"]["keyMetadata"]["arn"] == arn == record["resources"][0]["ARN"]
    assert bench.kms.call(USER, "DescribeKey", {"KeyId": arn}) == running.kms.call(
        USER, "DescribeKey", {"KeyId": arn}
    )


@pytest.mark.containers
def test_a_refusal_leaves_one_record_with_kmss_own_words(bench: Bench) -> None:
    arn = bench.key()
    bench.kms.call(USER, "DisableKey", {"KeyId": arn})
    with pytest.raises(KmsError) as refusal:
        bench.kms.call(SESSION, "GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256"})
    record = bench.last()
    assert (record["errorCode"], record["errorMessage"]) == (
        "DisabledException",
        refusal.value.message,
    )
    assert record["responseElements"] is None
    assert record["userIdentity"]["arn"] == SESSION.principal
    assert len(bench.records()) == 3


def test_a_record_has_the_id_of_the_request_at_the_endpoint(tmp_path: Path) -> None:
    bench = Bench(tmp_path, LocalStackKms("http://127.0.0.1:9"))
    caller = replace(SESSION, request_id="of-the-endpoint")
    for user in (caller, caller.through("mq.amazonaws.com")):
        with pytest.raises(KmsError):
            bench.kms.call(user, "DescribeKey", {"KeyId": MISSING})
    with bench.recorder.mq_call(caller, "ListBrokers", {}):
        pass
    direct, through, listed = bench.records()
    assert direct["requestID"] == listed["requestID"] == "of-the-endpoint" != through["requestID"]


def test_an_outage_leaves_one_record_however_often_it_was_tried(tmp_path: Path) -> None:
    retrying = RetryingKms(
        LocalStackKms("http://127.0.0.1:9"), attempts=3, sleep=lambda seconds: None
    )
    bench = Bench(tmp_path, retrying)
    with pytest.raises(KmsError, match="KMSInternalException"):
        bench.kms.call(USER, "DescribeKey", {"KeyId": MISSING})
    (record,) = bench.records()
    assert record["errorCode"] == "KMSInternalException"
    assert record["requestParameters"] == {"keyId": MISSING}


def test_a_call_that_breaks_off_leaves_one_record_too(tmp_path: Path) -> None:
    class Broken:
        def call(
            self, caller: Caller, operation: str, parameters: Mapping[str, Any]
        ) -> dict[str, Any]:
            raise KeyboardInterrupt("with something private")

    bench = Bench(tmp_path, Broken())
    with pytest.raises(KeyboardInterrupt):
        bench.kms.call(USER, "ListKeys", {})
    (record,) = bench.records()
    assert record["errorCode"] == "KMSInternalException"
    assert "errorMessage" not in record


@pytest.mark.containers
def test_threads_that_call_at_once_leave_a_record_each(bench: Bench) -> None:
    arn = bench.key()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bench.kms.call(USER, "DescribeKey", {"KeyId": arn}), range(80)))
    described = bench.records(EventName="DescribeKey")
    assert (
        len({record["eventID"] for record in described})
        == len({record["requestID"] for record in described})
        == 80
    )


def test_the_time_is_the_clocks(offline: Bench) -> None:
    offline.clock.turn(30 * 86_400)
    with pytest.raises(KmsError):
        offline.kms.call(USER, "ListKeys", {})
    assert offline.last()["eventTime"][:10] == offline.clock.datetime().strftime("%Y-%m-%d")


def test_a_record_costs_a_small_part_of_a_call(tmp_path: Path) -> None:
    class Immediate:
        def call(
            self, caller: Caller, operation: str, parameters: Mapping[str, Any]
        ) -> dict[str, Any]:
            return {
                "KeyId": f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{MISSING}",
                "Plaintext": b"p" * 32,
            }

    bench, calls = Bench(tmp_path, Immediate()), 2000
    start = time.process_time()
    for _ in range(calls):
        bench.kms.call(
            SESSION,
            "Decrypt",
            {"CiphertextBlob": b"c" * 200, "EncryptionContext": {"aws:ebs:id": "vol-1"}},
        )
    # About 0.1 ms of processor time, against some 2.5 ms of a call on KMS.
    assert (time.process_time() - start) / calls < 0.001


# Which key it was about


@pytest.mark.containers
def test_the_key_is_named_by_its_arn_whatever_the_caller_named_it_by(bench: Bench) -> None:
    arn = bench.key()
    key = arn.rpartition("/")[2]
    alias = f"alias/orders-{secrets.token_hex(4)}"
    bench.kms.call(USER, "CreateAlias", {"AliasName": alias, "TargetKeyId": key})
    alias_arn = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:{alias}"
    assert [resource["ARN"] for resource in bench.last()["resources"]] == [alias_arn, arn]
    assert bench.last()["responseElements"] == {"keyId": arn}

    for name in (key, arn, alias, alias_arn):
        blob = bench.kms.call(USER, "Encrypt", {"KeyId": name, "Plaintext": b"p"})["CiphertextBlob"]
        assert [resource["ARN"] for resource in bench.last()["resources"]] == [arn]
        assert bench.last()["requestParameters"]["keyId"] == name
    bench.kms.call(USER, "Decrypt", {"CiphertextBlob": blob})
    assert [resource["ARN"] for resource in bench.last()["resources"]] == [arn]
    assert "keyId" not in bench.last()["requestParameters"]

    bench.kms.call(USER, "DisableKey", {"KeyId": key})
    assert bench.last()["responseElements"] == {"keyId": arn}
    for name in (key, alias):
        with pytest.raises(KmsError, match="DisabledException"):
            bench.kms.call(USER, "Encrypt", {"KeyId": name, "Plaintext": b"p"})
        assert [resource["ARN"] for resource in bench.last()["resources"]] == [arn]

    fresh = Recorder(
        bench.trail, bench.clock
    )  # like another process, which did not see the alias created
    RecordingKms(bench.kms._kms, fresh).call(USER, "DeleteAlias", {"AliasName": alias})
    assert [resource["ARN"] for resource in bench.last()["resources"]] == [alias_arn, arn]


@pytest.mark.containers
@pytest.mark.parametrize("name", [MISSING, "alias/nobody", "not a key"])
def test_a_key_that_does_not_exist_is_no_resource(bench: Bench, name: str) -> None:
    with pytest.raises(KmsError):
        bench.kms.call(USER, "DescribeKey", {"KeyId": name})
    assert bench.last()["resources"] == []
    assert bench.last()["requestParameters"] == {"keyId": name}


@pytest.mark.containers
def test_re_encrypt_names_both_keys_the_source_first(bench: Bench) -> None:
    first, second = bench.key(), bench.key()
    blob = bench.kms.call(USER, "Encrypt", {"KeyId": first, "Plaintext": b"p"})["CiphertextBlob"]
    bench.kms.call(
        USER,
        "ReEncrypt",
        {"CiphertextBlob": blob, "SourceKeyId": first, "DestinationKeyId": second},
    )
    assert [resource["ARN"] for resource in bench.last()["resources"]] == [first, second]


@pytest.mark.containers
@pytest.mark.parametrize("by", ["the process that made it", "another process"])
def test_a_grant_that_is_retired_by_its_token_is_named_and_the_token_is_not(
    bench: Bench, running: Container, by: str
) -> None:
    authority = KmsAuthority(running.kms, bench.state, bench.clock)
    kms = RecordingKms(authority, bench.recorder)
    arn = kms.call(USER, "CreateKey", {})["KeyMetadata"]["Arn"]
    answer = kms.call(
        USER,
        "CreateGrant",
        {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"]},
    )
    if by == "another process":
        kms = RecordingKms(authority, Recorder(bench.trail, bench.clock))
    kms.call(USER, "RetireGrant", {"GrantToken": answer["GrantToken"]})
    record = bench.last()
    assert record["additionalEventData"] == {"grantId": answer["GrantId"]}
    assert record["requestParameters"] is None
    assert [resource["ARN"] for resource in record["resources"]] == [arn]
    assert answer["GrantToken"] not in json.dumps(bench.records())

    with pytest.raises(KmsError):
        kms.call(USER, "RetireGrant", {"GrantToken": "no token"})
    assert bench.last()["resources"] == []
    assert "additionalEventData" not in bench.last()


def granted(tmp_path: Path, arn: str) -> tuple[Bench, RecordingKms, dict[str, Any]]:
    """Return a bench, its KMS, and the answer to CreateGrant on a key that is there."""
    bench = Bench(tmp_path, NoBackend())
    kms = RecordingKms(KmsAuthority(NoBackend(), bench.state, bench.clock), bench.recorder)
    with Ledger(bench.state).change() as change:
        change.put_key(Key(arn, key_policy.default(USER_ACCOUNT)))
    grant = {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"]}
    answer = kms.call(USER, "CreateGrant", grant)
    return bench, kms, answer


@pytest.mark.parametrize("beside", [{"KeyId": OTHER_KEY}, {"GrantId": "0" * 64}])
def test_what_is_sent_beside_a_token_is_in_no_record(
    tmp_path: Path, beside: dict[str, str]
) -> None:
    arn = key_arn(USER.region, USER_ACCOUNT, MISSING)
    bench, kms, answer = granted(tmp_path, arn)
    kms.call(USER, "RetireGrant", {"GrantToken": answer["GrantToken"], **beside})
    record = bench.last()
    assert record["additionalEventData"] == {"grantId": answer["GrantId"]}
    assert [resource["ARN"] for resource in record["resources"]] == [arn]


def test_a_token_that_is_not_accepted_names_nothing(tmp_path: Path) -> None:
    arn, west = key_arn(USER.region, USER_ACCOUNT, MISSING), replace(USER, region="us-west-2")
    bench, kms, answer = granted(tmp_path, arn)
    with pytest.raises(KmsError, match="InvalidGrantToken"):
        kms.call(west, "RetireGrant", {"GrantToken": answer["GrantToken"]})
    [record] = events(bench.trail, USER_ACCOUNT, region=west.region)
    assert record["errorCode"] == "InvalidGrantTokenException"
    assert record["resources"] == []
    assert "additionalEventData" not in record


# Whose trail it is in


@pytest.mark.containers
def test_what_amazon_mq_does_with_its_own_key_is_in_no_trail_of_the_account(
    tmp_path: Path, running: Container
) -> None:
    bench = Bench(tmp_path, over(running, tmp_path / "kms").kms)
    owned = resolve(bench.kms, USER, EncryptionOptions())
    assert bench.records() == []
    theirs = bench.records(SERVICE_ACCOUNT)  # control: it was recorded
    assert theirs
    assert {record["recipientAccountId"] for record in theirs} == {SERVICE_ACCOUNT}
    assert owned.arn in json.dumps(theirs)

    managed = resolve(bench.kms, USER, EncryptionOptions(use_aws_owned_key=False))
    assert bench.records()
    assert owned.arn not in json.dumps(bench.records())
    assert managed.arn in json.dumps(bench.records())


@pytest.mark.containers
def test_a_call_on_another_accounts_key_is_in_both_trails_as_one_shared_event(bench: Bench) -> None:
    other = Caller("arn:aws:iam::111122223333:root", "111122223333", "Root")
    theirs = bench.key(other)
    bench.kms.call(USER, "Encrypt", {"KeyId": theirs, "Plaintext": b"p"})
    mine, copy = (
        bench.records(EventName="Encrypt"),
        bench.records("111122223333", EventName="Encrypt"),
    )
    assert len(mine) == len(copy) == 1
    assert mine[0]["sharedEventID"] == copy[0]["sharedEventID"]
    assert mine[0]["eventID"] != copy[0]["eventID"]
    assert mine[0]["requestID"] == copy[0]["requestID"]
    assert copy[0]["userIdentity"]["accountId"] == USER_ACCOUNT
    assert copy[0]["recipientAccountId"] == "111122223333"


# As documented


@pytest.mark.containers
@pytest.mark.parametrize("deployment", ["single_instance", "cluster"])
def test_the_grants_of_a_broker_on_a_real_kms_are_recorded_as_the_page_shows_them(
    bench: Bench, deployment: Any
) -> None:
    arn = bench.key()
    for sample in samples(deployment):
        shown = sample["requestParameters"]
        parameters = {
            "KeyId": arn,
            "GranteePrincipal": shown["granteePrincipal"],
            "RetiringPrincipal": shown["retiringPrincipal"],
        }
        parameters["Operations"] = shown["operations"]
        if "constraints" in shown:
            parameters["Constraints"] = {
                "EncryptionContextSubset": {"aws:ebs:id": f"vol-{secrets.token_hex(8)}"}
            }
        bench.kms.call(
            FORWARDED if "arn" in sample["userIdentity"] else EBS, "CreateGrant", parameters
        )

    assert [
        *map(str, trail_differences(bench.records(EventName="CreateGrant"), samples(deployment)))
    ] == []

    bench.kms.call(
        USER,
        "CreateGrant",
        {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"]},
    )  # control
    assert trail_differences(bench.records(EventName="CreateGrant"), samples(deployment))


# Amazon MQ's API, and what KMS does by itself


def test_a_call_on_amazon_mq_is_recorded_with_its_answer(offline: Bench) -> None:
    with offline.recorder.mq_call(
        USER,
        "CreateBroker",
        {"BrokerName": "orders", "Users": [{"Username": "u", "Password": "p" * 12}]},
    ) as answer:
        answer.elements = {"BrokerId": "b-1", "BrokerArn": "arn:b"}
    (record,) = offline.records()
    assert record["responseElements"] == {"brokerArn": "arn:b", "brokerId": "b-1"}
    assert "errorCode" not in record
    assert record["requestParameters"] == {
        "brokerName": "orders",
        "users": [{"username": "u", "password": "***"}],
    }


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            BadRequestException("Broker b-1 cannot be rebooted."),
            "BadRequestException",
            "Broker b-1 cannot be rebooted.",
        ),
        (
            KmsError("key is disabled.", code="DisabledException"),
            "DisabledException",
            "key is disabled.",
        ),
        (ContainerFailed("docker said something private"), "InternalServerErrorException", None),
        (KeyboardInterrupt(), "InternalServerErrorException", None),
    ],
)
def test_a_call_on_amazon_mq_that_fails_is_recorded_and_fails(
    offline: Bench, error: BaseException, code: str, message: str | None
) -> None:
    with (
        pytest.raises(type(error)),
        offline.recorder.mq_call(USER, "RebootBroker", {"BrokerId": "b-1"}),
    ):
        raise error
    (record,) = offline.records()
    assert (record["errorCode"], record.get("errorMessage"), record["requestParameters"]) == (
        code,
        message,
        {"broker-id": "b-1"},
    )


def test_a_call_within_a_call_on_amazon_mq_is_part_of_it(offline: Bench) -> None:
    with offline.recorder.mq_call(USER, "CreateBroker", {"BrokerName": "orders"}) as answer:
        with offline.recorder.mq_call(USER, "CreateBroker", {"BrokerName": "other"}) as inner:
            inner.elements = {"BrokerId": "b-2"}
        answer.elements = {"BrokerId": "b-1"}
    with offline.recorder.mq_call(USER, "DescribeBroker", {"BrokerId": "b-1"}):
        pass
    created, described = offline.records()
    assert (created["requestParameters"], created["responseElements"]) == (
        {"brokerName": "orders"},
        {"brokerId": "b-1"},
    )
    assert described["eventName"] == "DescribeBroker"


def test_the_deletion_of_a_key_is_an_event_of_kms(offline: Bench) -> None:
    arn = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{MISSING}"
    offline.recorder.service_event("DeleteKey", arn, 1_700_000_000)
    (record,) = offline.records(ResourceName=arn)
    assert record["eventTime"] == "2023-11-14T22:13:20Z"
    assert record["eventType"] == "AwsServiceEvent"
    assert record["serviceEventDetails"] == {"keyId": MISSING}
