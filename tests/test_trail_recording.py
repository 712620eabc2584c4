"""Recording: every call on a real KMS leaves one record, refused or not, and no secret is in any of them or in the file."""

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kms_container import Container, running  # noqa: F401  (a fixture)

from testbed.errors import BadRequestException, ContainerFailed, KmsError
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller, Kms
from testbed.kms.keys import EncryptionOptions, resolve
from testbed.kms.localstack import LocalStackKms
from testbed.kms.retrying import RetryingKms
from testbed.state.clock import Clock
from testbed.state.store import State
from testbed.trail import record as record_module
from testbed.trail.compare import trail_differences
from testbed.trail.lookup import Attribute, events
from testbed.trail.recording import Recorder, RecordingKms
from testbed.trail.samples import samples
from testbed.trail.store import DATABASE, Trail

SESSION = Caller(f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/AmazonMqConsole/alice", USER_ACCOUNT, "AssumedRole")
FORWARDED = replace(SESSION, invoked_by="mq.amazonaws.com")
EBS = Caller("ec2.us-east-1.amazonaws.com", USER_ACCOUNT, "AWSService", invoked_by="mq.amazonaws.com")
MISSING = "00000000-0000-4000-8000-000000000000"


class Bench:
    """A trail in a folder of its own, and KMS behind the wrapper."""

    def __init__(self, folder: Path, kms: Kms) -> None:
        self.state = State(folder / "state")
        self.clock = Clock(self.state)
        self.trail = Trail(self.state.folder)
        self.recorder = Recorder(self.trail, self.clock)
        self.kms = RecordingKms(kms, self.recorder)

    def records(self, account: str = USER_ACCOUNT, **attribute: str) -> list[dict[str, Any]]:
        """Oldest first."""
        wanted = [Attribute(key, value) for key, value in attribute.items()]
        return [*events(self.trail, account, attribute=wanted[0] if wanted else None)][::-1]

    def last(self) -> dict[str, Any]:
        return self.records()[-1]

    def key(self, caller: Caller = USER, **parameters: Any) -> str:
        return self.kms.call(caller, "CreateKey", parameters)["KeyMetadata"]["Arn"]


@pytest.fixture
def bench(tmp_path: Path, running: Container) -> Iterator[Bench]:  # noqa: F811
    bench = Bench(tmp_path, running.kms)
    yield bench
    bench.trail.close()


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Bench]:
    """With a KMS that does not answer."""
    bench = Bench(tmp_path, LocalStackKms("http://127.0.0.1:9"))
    yield bench
    bench.trail.close()


# One call, one record


@pytest.mark.containers
def test_a_call_that_succeeds_leaves_one_record_and_its_answer_is_untouched(bench: Bench, running: Container) -> None:  # noqa: F811
    arn = bench.key(Description="orders")
    (record,) = bench.records()
    assert record["eventName"] == "CreateKey" and record["requestParameters"] == {"description": "orders"}
    assert record["responseElements"]["keyMetadata"]["arn"] == arn == record["resources"][0]["ARN"]
    assert bench.kms.call(USER, "DescribeKey", {"KeyId": arn}) == running.kms.call(USER, "DescribeKey", {"KeyId": arn})


@pytest.mark.containers
def test_a_refusal_leaves_one_record_with_kmss_own_words(bench: Bench) -> None:
    arn = bench.key()
    bench.kms.call(USER, "DisableKey", {"KeyId": arn})
    with pytest.raises(KmsError) as refusal:
        bench.kms.call(SESSION, "GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256"})
    record = bench.last()
    assert (record["errorCode"], record["errorMessage"]) == ("DisabledException", refusal.value.message)
    assert record["responseElements"] is None and record["userIdentity"]["arn"] == SESSION.principal and len(bench.records()) == 3


def test_an_outage_leaves_one_record_however_often_it_was_tried(tmp_path: Path) -> None:
    retrying = RetryingKms(LocalStackKms("http://127.0.0.1:9"), attempts=3, sleep=lambda seconds: None)
    bench = Bench(tmp_path, retrying)
    with pytest.raises(KmsError, match="KMSInternalException"):
        bench.kms.call(USER, "DescribeKey", {"KeyId": MISSING})
    (record,) = bench.records()
    assert record["errorCode"] == "KMSInternalException" and record["requestParameters"] == {"keyId": MISSING}


def test_a_call_that_breaks_off_leaves_one_record_too(tmp_path: Path) -> None:
    class Broken:
        def call(self, caller: Caller, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
            raise KeyboardInterrupt("with something private")

    bench = Bench(tmp_path, Broken())
    with pytest.raises(KeyboardInterrupt):
        bench.kms.call(USER, "ListKeys", {})
    (record,) = bench.records()
    assert record["errorCode"] == "KMSInternalException" and "errorMessage" not in record


@pytest.mark.containers
def test_threads_that_call_at_once_leave_a_record_each(bench: Bench) -> None:
    arn = bench.key()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bench.kms.call(USER, "DescribeKey", {"KeyId": arn}), range(80)))
    described = bench.records(EventName="DescribeKey")
    assert len({record["eventID"] for record in described}) == len({record["requestID"] for record in described}) == 80


def test_the_time_is_the_clocks(offline: Bench) -> None:
    offline.clock.turn(30 * 86_400)
    with pytest.raises(KmsError):
        offline.kms.call(USER, "ListKeys", {})
    assert offline.last()["eventTime"][:10] == offline.clock.datetime().strftime("%Y-%m-%d")


# Which key it was about


@pytest.mark.containers
def test_the_key_is_named_by_its_arn_whatever_the_caller_named_it_by(bench: Bench) -> None:
    arn = bench.key()
    key = arn.rpartition("/")[2]
    alias = f"alias/orders-{secrets.token_hex(4)}"
    bench.kms.call(USER, "CreateAlias", {"AliasName": alias, "TargetKeyId": key})
    alias_arn = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:{alias}"
    assert [each["ARN"] for each in bench.last()["resources"]] == [alias_arn, arn] and bench.last()["responseElements"] == {"keyId": arn}

    for name in (key, arn, alias, alias_arn):
        blob = bench.kms.call(USER, "Encrypt", {"KeyId": name, "Plaintext": b"p"})["CiphertextBlob"]
        assert [each["ARN"] for each in bench.last()["resources"]] == [arn] and bench.last()["requestParameters"]["keyId"] == name
    bench.kms.call(USER, "Decrypt", {"CiphertextBlob": blob})
    assert [each["ARN"] for each in bench.last()["resources"]] == [arn] and "keyId" not in bench.last()["requestParameters"]

    bench.kms.call(USER, "DisableKey", {"KeyId": key})
    assert bench.last()["responseElements"] == {"keyId": arn}
    for name in (key, alias):
        with pytest.raises(KmsError, match="DisabledException"):
            bench.kms.call(USER, "Encrypt", {"KeyId": name, "Plaintext": b"p"})
        assert [each["ARN"] for each in bench.last()["resources"]] == [arn]

    fresh = Recorder(bench.trail, bench.clock)  # as another process has it, which has not seen the alias made
    RecordingKms(bench.kms._kms, fresh).call(USER, "DeleteAlias", {"AliasName": alias})
    assert [each["ARN"] for each in bench.last()["resources"]] == [alias_arn, arn]


@pytest.mark.containers
@pytest.mark.parametrize("name", [MISSING, "alias/nobody", "not a key"])
def test_a_key_that_does_not_exist_is_no_resource(bench: Bench, name: str) -> None:
    with pytest.raises(KmsError):
        bench.kms.call(USER, "DescribeKey", {"KeyId": name})
    assert bench.last()["resources"] == [] and bench.last()["requestParameters"] == {"keyId": name}


@pytest.mark.containers
def test_re_encrypt_names_both_keys_the_source_first(bench: Bench) -> None:
    first, second = bench.key(), bench.key()
    blob = bench.kms.call(USER, "Encrypt", {"KeyId": first, "Plaintext": b"p"})["CiphertextBlob"]
    bench.kms.call(USER, "ReEncrypt", {"CiphertextBlob": blob, "SourceKeyId": first, "DestinationKeyId": second})
    assert [each["ARN"] for each in bench.last()["resources"]] == [first, second]


@pytest.mark.containers
def test_a_grant_that_is_retired_by_its_token_is_named_and_the_token_is_not(bench: Bench) -> None:
    arn = bench.key()
    made = bench.kms.call(USER, "CreateGrant", {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"]})
    bench.kms.call(USER, "RetireGrant", {"GrantToken": made["GrantToken"]})
    record = bench.last()
    assert record["additionalEventData"] == {"grantId": made["GrantId"]} and record["requestParameters"] is None
    assert [each["ARN"] for each in record["resources"]] == [arn]


# Whose trail it is in


@pytest.mark.containers
def test_what_amazon_mq_does_with_its_own_key_is_in_no_trail_of_the_account(bench: Bench) -> None:
    owned = resolve(bench.kms, USER, EncryptionOptions())
    assert bench.records() == []
    theirs = bench.records(SERVICE_ACCOUNT)  # control: it was recorded
    assert theirs and {record["recipientAccountId"] for record in theirs} == {SERVICE_ACCOUNT} and owned.arn in json.dumps(theirs)

    managed = resolve(bench.kms, USER, EncryptionOptions(use_aws_owned_key=False))
    assert bench.records() and owned.arn not in json.dumps(bench.records()) and managed.arn in json.dumps(bench.records())


@pytest.mark.containers
def test_a_call_on_another_accounts_key_is_in_both_trails_as_one_shared_event(bench: Bench) -> None:
    other = Caller("arn:aws:iam::111122223333:root", "111122223333", "Root")
    theirs = bench.key(other)
    bench.kms.call(USER, "Encrypt", {"KeyId": theirs, "Plaintext": b"p"})
    mine, copy = bench.records(EventName="Encrypt"), bench.records("111122223333", EventName="Encrypt")
    assert len(mine) == len(copy) == 1 and mine[0]["sharedEventID"] == copy[0]["sharedEventID"]
    assert mine[0]["eventID"] != copy[0]["eventID"] and mine[0]["requestID"] == copy[0]["requestID"]
    assert copy[0]["userIdentity"]["accountId"] == USER_ACCOUNT and copy[0]["recipientAccountId"] == "111122223333"


# As the page shows it


@pytest.mark.containers
@pytest.mark.parametrize("deployment", ["single_instance", "cluster"])
def test_the_grants_of_a_broker_on_a_real_kms_are_recorded_as_the_page_shows_them(bench: Bench, deployment: Any) -> None:
    arn = bench.key()
    for sample in samples(deployment):
        shown = sample["requestParameters"]
        parameters = {"KeyId": arn, "GranteePrincipal": shown["granteePrincipal"], "RetiringPrincipal": shown["retiringPrincipal"]}
        parameters["Operations"] = shown["operations"]
        if "constraints" in shown:
            parameters["Constraints"] = {"EncryptionContextSubset": {"aws:ebs:id": f"vol-{secrets.token_hex(8)}"}}
        bench.kms.call(FORWARDED if "arn" in sample["userIdentity"] else EBS, "CreateGrant", parameters)

    assert [*map(str, trail_differences(bench.records(EventName="CreateGrant"), samples(deployment)))] == []

    bench.kms.call(USER, "CreateGrant", {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"]})  # control
    assert trail_differences(bench.records(EventName="CreateGrant"), samples(deployment))


# Amazon MQ's own API, and what KMS does by itself


def test_a_call_on_amazon_mq_is_recorded_with_its_answer(offline: Bench) -> None:
    with offline.recorder.mq_call(USER, "CreateBroker", {"BrokerName": "orders", "Users": [{"Username": "u", "Password": "p" * 12}]}) as answer:
        answer.elements = {"BrokerId": "b-1", "BrokerArn": "arn:b"}
    (record,) = offline.records()
    assert record["responseElements"] == {"brokerArn": "arn:b", "brokerId": "b-1"} and "errorCode" not in record
    assert record["requestParameters"] == {"brokerName": "orders", "users": [{"username": "u", "password": "***"}]}


@pytest.mark.parametrize(
    "error, code, message",
    [
        (BadRequestException("Broker b-1 cannot be rebooted."), "BadRequestException", "Broker b-1 cannot be rebooted."),
        (KmsError("key is disabled.", code="DisabledException"), "DisabledException", "key is disabled."),
        (ContainerFailed("docker said something private"), "InternalServerErrorException", None),
        (KeyboardInterrupt(), "InternalServerErrorException", None),
    ],
)
def test_a_call_on_amazon_mq_that_fails_is_recorded_and_fails(offline: Bench, error: BaseException, code: str, message: str | None) -> None:
    with pytest.raises(type(error)), offline.recorder.mq_call(USER, "RebootBroker", {"BrokerId": "b-1"}):
        raise error
    (record,) = offline.records()
    assert (record["errorCode"], record.get("errorMessage"), record["requestParameters"]) == (code, message, {"broker-id": "b-1"})


def test_the_deletion_of_a_key_is_an_event_of_kms(offline: Bench) -> None:
    arn = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/{MISSING}"
    offline.recorder.service_event("DeleteKey", arn)
    (record,) = offline.records(ResourceName=arn)
    assert record["eventType"] == "AwsServiceEvent" and record["serviceEventDetails"] == {"keyId": MISSING}


# No secret, anywhere

PASSWORD = f"pass-{secrets.token_hex(12)}"
MATERIAL = secrets.token_bytes(32)
PRIVATE = f"private-{secrets.token_hex(12)}"


def busy(bench: Bench) -> dict[str, bytes]:
    """Make calls of every kind with secrets in them, some refused, and return the secrets."""
    tags = [{"TagKey": "_custom_key_material_", "TagValue": base64.b64encode(MATERIAL).decode()}, {"TagKey": "Team", "TagValue": "a"}]
    arn = bench.key(Tags=tags)
    context = {"EncryptionContext": {"aws:ebs:id": "vol-1"}}
    made = bench.kms.call(USER, "GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256", **context})
    token = bench.kms.call(USER, "CreateGrant", {"KeyId": arn, "GranteePrincipal": USER.principal, "Operations": ["Decrypt"], "Name": "g"})["GrantToken"]
    opened = bench.kms.call(USER, "Decrypt", {"CiphertextBlob": made["CiphertextBlob"], "GrantTokens": [token], **context})
    assert opened["Plaintext"] == made["Plaintext"]
    blob = bench.kms.call(USER, "Encrypt", {"KeyId": arn, "Plaintext": PRIVATE.encode()})["CiphertextBlob"]
    for operation, parameters in (
        ("Decrypt", {"CiphertextBlob": made["CiphertextBlob"], "GrantTokens": [token]}),  # the context is missing
        ("Encrypt", {"KeyId": arn, "Plaintext": {"not": PRIVATE}}),  # botocore's refusal quotes it
        ("Decrypt", {"CiphertextBlob": [PRIVATE], "GrantTokens": token}),
        ("Sign", {"KeyId": arn, "Message": PRIVATE.encode(), "SigningAlgorithm": "ECDSA_SHA_256"}),
    ):
        with pytest.raises(KmsError):
            bench.kms.call(USER, operation, parameters)
    bench.kms.call(USER, "RetireGrant", {"GrantToken": token})
    users = [{"Username": "alice", "Password": PASSWORD}]
    with bench.recorder.mq_call(USER, "CreateBroker", {"BrokerName": "orders", "Users": users}) as answer:
        answer.elements = {"BrokerId": "b-1", "Users": users}
    with bench.recorder.mq_call(USER, "UpdateConfiguration", {"ConfigurationId": "c-1", "Data": PRIVATE}):
        pass
    with pytest.raises(BadRequestException), bench.recorder.mq_call(USER, "CreateUser", {"BrokerId": "b-1", "Username": "u", "Password": PASSWORD}):
        raise BadRequestException(f"The password {PASSWORD} will not do.")
    with bench.recorder.mq_call(MQ, "DescribeUser", {"BrokerId": "b-1", "Username": "u"}) as answer:
        answer.elements = {"Username": "u", "Password": PASSWORD}
    return {
        "data key": made["Plaintext"],
        "encrypted data key": made["CiphertextBlob"],
        "ciphertext": blob,
        "grant token": token.encode(),
        "password": PASSWORD.encode(),
        "key material": MATERIAL,
        "message": PRIVATE.encode(),
    }


def leaked(bench: Bench, wanted: dict[str, bytes]) -> set[str]:
    """Which secrets are in a record or in the bytes of the trail's files, in any of the ways in which bytes are written as text."""
    bench.trail.index()
    haystack = [path.read_bytes() for path in bench.state.folder.iterdir() if path.name.startswith(DATABASE)]
    haystack += [json.dumps(record).encode() for account in (USER_ACCOUNT, SERVICE_ACCOUNT) for record in bench.records(account)]
    found = set()
    for name, secret in wanted.items():
        ways = {secret, base64.b64encode(secret), secret.hex().encode(), repr(secret)[2:-1].encode(), json.dumps(repr(secret)[2:-1])[1:-1].encode()}
        if any(way in hay for way in ways for hay in haystack):
            found.add(name)
    return found


@pytest.mark.containers
def test_no_secret_is_in_any_record_or_in_the_file(bench: Bench) -> None:
    wanted = busy(bench)
    assert leaked(bench, wanted) == set()
    shown = json.dumps(bench.records())
    assert shown.count('"***"') == 3 and "vol-1" in shown and shown.count("is not recorded") >= 2


@pytest.mark.containers
def test_control_records_of_everything_are_found_to_leak(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(values: Any) -> Any:
        return {name: repr(value) for name, value in values.items()}

    monkeypatch.setattr(record_module, "visible", lambda values, *_: plain(values))
    monkeypatch.setattr(record_module, "message", lambda error, *_: error.message)
    assert leaked(bench, wanted := busy(bench)) == set(wanted)


def test_the_recorder_keeps_no_secret_either(offline: Bench) -> None:
    with pytest.raises(KmsError):
        offline.kms.call(USER, "Encrypt", {"KeyId": MISSING, "Plaintext": PRIVATE.encode()})
    assert not re.search(PRIVATE, repr(vars(offline.recorder)) + repr(vars(offline.recorder._arns)))
