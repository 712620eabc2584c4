"""The shape of a record, member by member, for each kind of caller and of call."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.errors import KmsError, NotFoundException
from testbed.kms.base import MQ, SERVICE_ACCOUNT, USER, USER_ACCOUNT, Caller, TlsDetails
from testbed.trail.record import (
    Call,
    Setting,
    is_shared,
    kms_record,
    mq_record,
    recipients,
    service_event_record,
)

AT = 1_700_000_000.9
KEY = f"arn:aws:kms:us-east-1:{USER_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = "111122223333"
OTHERS_KEY = KEY.replace(USER_ACCOUNT, OTHER)
ALICE = Caller(
    f"arn:aws:iam::{USER_ACCOUNT}:user/staff/Alice",
    USER_ACCOUNT,
    "IAMUser",
    source_ip="192.0.2.7",
    user_agent="aws-cli/2",
)
SESSION = Caller(
    f"arn:aws:sts::{USER_ACCOUNT}:assumed-role/AmazonMqConsole/alice", USER_ACCOUNT, "AssumedRole"
)
EBS = Caller(
    "ec2.us-east-1.amazonaws.com", USER_ACCOUNT, "AWSService", invoked_by="mq.amazonaws.com"
)
SETTING = Setting(session_started=AT - 60)
REFUSED = KmsError(f"{KEY} is disabled.", code="DisabledException")


def record(
    operation: str,
    parameters: dict[str, Any],
    caller: Caller = ALICE,
    resources: tuple[str, ...] = (KEY,),
    **details: Any,
) -> dict[str, Any]:
    outcome = {name: details.pop(name) for name in ("answer", "error") if name in details}
    call = Call(caller, operation, parameters, AT, "request", **outcome)
    return kms_record(
        call, SETTING, event_id="event", recipient=USER_ACCOUNT, resources=resources, **details
    )


# The whole of it


def test_a_record_has_the_documented_members_in_their_order() -> None:
    shown = record("EnableKeyRotation", {"KeyId": KEY, "RotationPeriodInDays": 180})

    assert list(shown.items()) == [
        ("eventVersion", "1.11"),
        ("userIdentity", shown["userIdentity"]),
        ("eventTime", "2023-11-14T22:13:20Z"),
        ("eventSource", "kms.amazonaws.com"),
        ("eventName", "EnableKeyRotation"),
        ("awsRegion", "us-east-1"),
        ("sourceIPAddress", "192.0.2.7"),
        ("userAgent", "aws-cli/2"),
        ("requestParameters", {"keyId": KEY, "rotationPeriodInDays": 180}),
        ("responseElements", {"keyId": KEY}),
        ("requestID", "request"),
        ("eventID", "event"),
        ("readOnly", False),
        ("resources", [{"accountId": USER_ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}]),
        ("eventType", "AwsApiCall"),
        ("managementEvent", True),
        ("recipientAccountId", USER_ACCOUNT),
        ("eventCategory", "Management"),
    ]


def test_a_refused_call_has_the_code_and_the_sentence_and_no_response() -> None:
    shown = record("DisableKey", {"KeyId": KEY}, answer={}, error=REFUSED)
    assert (shown["errorCode"], shown["errorMessage"]) == (
        "DisabledException",
        f"{KEY} is disabled.",
    )
    assert shown["requestParameters"] == {"keyId": KEY}
    assert shown["responseElements"] is None
    assert "errorMessage" not in record(
        "Decrypt", {}, error=KmsError("", code="InvalidCiphertextException")
    )


def test_the_version_of_the_pages_samples_can_be_asked_for() -> None:
    call = Call(USER, "ListKeys", {}, AT, "r")
    assert (
        kms_record(
            call, replace(SETTING, event_version="1.08"), event_id="e", recipient=USER_ACCOUNT
        )["eventVersion"]
        == "1.08"
    )


# Who


def test_root() -> None:
    identity = record("ListKeys", {}, USER)["userIdentity"]
    assert identity == {
        "type": "Root",
        "principalId": USER_ACCOUNT,
        "arn": f"arn:aws:iam::{USER_ACCOUNT}:root",
        "accountId": USER_ACCOUNT,
        "accessKeyId": identity["accessKeyId"],
    }


def test_an_iam_user_has_a_name_and_ids_in_iams_form_that_stay_the_same() -> None:
    identity = record("ListKeys", {})["userIdentity"]
    assert identity["type"] == "IAMUser"
    assert identity["userName"] == "Alice"
    assert re.fullmatch("AIDA[A-Z2-7]{16}", identity["principalId"])
    assert re.fullmatch("AKIA[A-Z2-7]{16}", identity["accessKeyId"])
    assert record("ListAliases", {})["userIdentity"] == identity
    assert (
        record("ListKeys", {}, replace(ALICE, principal=ALICE.principal + "x"))["userIdentity"][
            "accessKeyId"
        ]
        != identity["accessKeyId"]
    )


def test_an_assumed_role_has_the_session_and_who_issued_it() -> None:
    identity = record("ListKeys", {}, SESSION)["userIdentity"]
    role = identity["principalId"].split(":")[0]
    assert identity["type"] == "AssumedRole"
    assert identity["principalId"] == f"{role}:alice"
    assert identity["accessKeyId"].startswith("ASIA")
    assert identity["sessionContext"] == {
        "sessionIssuer": {
            "type": "Role",
            "principalId": role,
            "arn": f"arn:aws:iam::{USER_ACCOUNT}:role/AmazonMqConsole",
            "accountId": USER_ACCOUNT,
            "userName": "AmazonMqConsole",
        },
        "webIdFederationData": {},
        "attributes": {"creationDate": "2023-11-14T22:12:20Z", "mfaAuthenticated": "false"},
    }


@pytest.mark.parametrize(
    ("caller", "name"),
    [
        (MQ, "mq.amazonaws.com"),
        (EBS, "mq.amazonaws.com"),
        (replace(EBS, invoked_by=""), EBS.principal),
    ],
)
def test_a_service_is_its_dns_name_and_nothing_else(caller: Caller, name: str) -> None:
    shown = record("Decrypt", {}, caller)
    assert shown["userIdentity"] == {"type": "AWSService", "invokedBy": name}
    assert (shown["sourceIPAddress"], shown["userAgent"]) == (name, name)


# Whose event it is


@pytest.mark.parametrize("kind", [USER, ALICE, SESSION])
def test_a_grant_made_by_amazon_mq_in_the_users_session_has_amazon_mqs_source_and_the_users_address(
    kind: Caller,
) -> None:
    shown = record("CreateGrant", {"KeyId": KEY}, replace(kind, invoked_by="mq.amazonaws.com"))
    assert shown["eventSource"] == "amazonmq.amazonaws.com"
    assert shown["userIdentity"]["type"] == kind.kind
    assert shown["userIdentity"]["invokedBy"] == "mq.amazonaws.com"
    assert shown["sourceIPAddress"] == kind.source_ip


@pytest.mark.parametrize("kind", [USER, ALICE, SESSION])
@pytest.mark.parametrize("name", ["secretsmanager.amazonaws.com", "ssm.amazonaws.com"])
def test_other_services_have_their_own_address_in_a_users_session(kind: Caller, name: str) -> None:
    """SMKMS: the samples of GenerateDataKey and Decrypt."""
    shown = record("Decrypt", {}, replace(kind, invoked_by=name))
    assert (shown["userIdentity"]["type"], shown["userIdentity"]["invokedBy"]) == (kind.kind, name)
    assert (shown["sourceIPAddress"], shown["userAgent"]) == (name, name)


@pytest.mark.parametrize(
    ("operation", "caller"),
    [
        ("CreateGrant", SESSION),  # the user's own
        ("CreateGrant", EBS),
        ("CreateGrant", MQ),
        ("CreateGrant", replace(SESSION, invoked_by="rds.amazonaws.com")),
        ("DescribeKey", replace(SESSION, invoked_by="mq.amazonaws.com")),
    ],
)
def test_every_other_call_on_kms_has_kmss_source(operation: str, caller: Caller) -> None:
    assert record(operation, {"KeyId": KEY}, caller)["eventSource"] == "kms.amazonaws.com"


# How it failed, and over which connection


def test_a_denied_call_is_named_as_cloudtrail_names_it() -> None:
    denied = record("Decrypt", {"KeyId": KEY}, error=DENIED)
    assert (denied["errorCode"], denied["errorMessage"]) == ("AccessDenied", "no")


@pytest.mark.parametrize(
    "code",
    [
        "DisabledException",
        "DryRunOperationException",
        "InvalidCiphertextException",
        "KMSInternalException",
        "KMSInvalidStateException",
        "NotFoundException",
        "ThrottlingException",
        "ValidationException",
    ],
)
def test_any_other_refusal_keeps_its_code(code: str) -> None:
    assert record("Decrypt", {}, error=KmsError("no", code=code))["errorCode"] == code


TLS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "kms.us-east-1.amazonaws.com")


def test_a_call_over_tls_has_the_details_of_its_connection() -> None:
    shown = record("DescribeKey", {"KeyId": KEY}, replace(ALICE, tls=TLS))
    assert [*shown][-1] == "tlsDetails"
    assert shown["tlsDetails"] == {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_256_GCM_SHA384",
        "clientProvidedHostHeader": "kms.us-east-1.amazonaws.com",
    }
    call = Call(replace(ALICE, tls=TLS), "ListBrokers", {}, AT, "r")
    assert mq_record(call, Setting(), event_id="e")["tlsDetails"] == shown["tlsDetails"]


@pytest.mark.parametrize(
    "caller", [ALICE, EBS, MQ, replace(SESSION, tls=TLS).through(MQ.principal)]
)
def test_what_comes_over_no_connection_of_the_users_has_none(caller: Caller) -> None:
    assert "tlsDetails" not in record("CreateGrant", {"KeyId": KEY}, caller)


# Who gets it

DENIED, OUT = (
    KmsError("no", code="AccessDeniedException"),
    KmsError("", code="KMSInternalException", status=500),
)
MISSING = KmsError("no such key", code="NotFoundException")


@pytest.mark.parametrize(
    ("caller", "key", "error", "accounts", "shared"),
    [
        (ALICE, KEY, None, (USER_ACCOUNT,), False),
        (ALICE, OTHERS_KEY, None, (USER_ACCOUNT, OTHER), True),
        (ALICE, OTHERS_KEY, REFUSED, (USER_ACCOUNT, OTHER), True),
        (ALICE, OTHERS_KEY, DENIED, (USER_ACCOUNT,), False),
        (ALICE, OTHERS_KEY, OUT, (USER_ACCOUNT,), False),
        (ALICE, "", MISSING, (USER_ACCOUNT,), False),
        (EBS, KEY, None, (USER_ACCOUNT,), True),
        (EBS, KEY, DENIED, (USER_ACCOUNT,), True),
        (MQ, KEY, None, (USER_ACCOUNT,), True),
        (MQ, KEY.replace(USER_ACCOUNT, SERVICE_ACCOUNT), None, (SERVICE_ACCOUNT,), False),
        (MQ, "", None, (SERVICE_ACCOUNT,), False),
    ],
)
def test_a_record_goes_to_the_callers_account_and_to_the_keys(
    caller: Caller, key: str, error: KmsError | None, accounts: tuple[str, ...], shared: bool
) -> None:
    call = Call(caller, "Decrypt", {}, AT, "r", error=error)
    assert recipients(call, (key,) if key else ()) == accounts
    assert is_shared(call, accounts) == shared


def test_a_shared_event_says_so() -> None:
    assert record("Decrypt", {}, EBS, shared_event_id="shared")["sharedEventID"] == "shared"
    assert "sharedEventID" not in record("Decrypt", {}, ALICE)


# What each operation shows

BLOB = b"ciphertext of the data key"
CONTEXT = {"aws:ebs:id": "vol-1"}
# Of each operation: parameters, answer, and what is shown of them; whether it only reads.
SHOWN: dict[str, tuple[dict[str, Any], Any, Any, Any, bool]] = {
    "CreateGrant": (
        {
            "KeyId": KEY,
            "GranteePrincipal": "mq.amazonaws.com",
            "RetiringPrincipal": "mq.amazonaws.com",
            "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextSubset": CONTEXT},
            "Name": "ebs_grant",
            "GrantTokens": ["tok"],
        },
        {"GrantId": "f00", "GrantToken": "tok"},
        {
            "keyId": KEY,
            "granteePrincipal": "mq.amazonaws.com",
            "retiringPrincipal": "mq.amazonaws.com",
            "operations": ["Decrypt"],
            "constraints": {"encryptionContextSubset": CONTEXT},
        },
        {"grantId": "f00", "keyId": KEY},
        False,
    ),
    "Decrypt": (
        {"CiphertextBlob": BLOB, "EncryptionContext": CONTEXT},
        {"KeyId": KEY, "Plaintext": b"p"},
        {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": CONTEXT},
        None,
        True,
    ),
    "Encrypt": (
        {"KeyId": KEY, "Plaintext": b"p", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        {"CiphertextBlob": BLOB},
        {"encryptionAlgorithm": "RSAES_OAEP_SHA_256", "keyId": KEY},
        None,
        True,
    ),
    "GenerateDataKeyWithoutPlaintext": (
        {"KeyId": KEY, "NumberOfBytes": 64, "EncryptionContext": CONTEXT},
        {"KeyId": KEY, "CiphertextBlob": BLOB},
        {"keyId": KEY, "numberOfBytes": 64, "encryptionContext": CONTEXT},
        None,
        True,
    ),
    "ReEncrypt": (
        {"CiphertextBlob": BLOB, "DestinationKeyId": KEY, "SourceEncryptionContext": CONTEXT},
        {"CiphertextBlob": BLOB, "KeyId": KEY, "SourceKeyId": KEY},
        {
            "sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "destinationKeyId": KEY,
            "sourceEncryptionContext": CONTEXT,
        },
        None,
        True,
    ),
    "DisableKey": ({"KeyId": KEY}, {}, {"keyId": KEY}, {"keyId": KEY}, False),
    "EnableKey": ({"KeyId": KEY}, {}, {"keyId": KEY}, {"keyId": KEY}, False),
    "CancelKeyDeletion": ({"KeyId": KEY}, {"KeyId": KEY}, {"keyId": KEY}, {"keyId": KEY}, False),
    "RevokeGrant": (
        {"KeyId": KEY, "GrantId": "f00"},
        {},
        {"keyId": KEY, "grantId": "f00"},
        None,
        False,
    ),
    "ScheduleKeyDeletion": (
        {"KeyId": KEY, "PendingWindowInDays": 7},
        {
            "KeyId": KEY,
            "KeyState": "PendingDeletion",
            "PendingWindowInDays": 7,
            "DeletionDate": datetime(2021, 4, 12, 18, 58, 30, tzinfo=UTC),
        },
        {"keyId": KEY, "pendingWindowInDays": 7},
        {
            "keyId": KEY,
            "keyState": "PendingDeletion",
            "deletionDate": "Apr 12, 2021 6:58:30 PM",
            "pendingWindowInDays": 7,
        },
        False,
    ),
    "CreateKey": (
        {"Description": "d", "Tags": [{"TagKey": "a", "TagValue": "b"}], "Policy": "{}"},
        {
            "KeyMetadata": {
                "AWSAccountId": USER_ACCOUNT,
                "Arn": KEY,
                "Enabled": True,
                "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            }
        },
        {"policy": "{}", "description": "d", "tags": [{"tagKey": "a", "tagValue": "b"}]},
        {
            "keyMetadata": {
                "aWSAccountId": USER_ACCOUNT,
                "arn": KEY,
                "enabled": True,
                "encryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            }
        },
        False,
    ),
    "GetKeyPolicy": (
        {"KeyId": KEY, "PolicyName": "default"},
        {"Policy": "{}"},
        {"keyId": KEY, "policyName": "default"},
        None,
        True,
    ),
    "ListKeys": ({}, {"Keys": [{"KeyArn": KEY}]}, None, None, True),
    "ListRetirableGrants": (
        {"RetiringPrincipal": "mq.amazonaws.com"},
        {"Grants": []},
        {"retiringPrincipal": "mq.amazonaws.com"},
        None,
        True,
    ),
}


@pytest.mark.parametrize("operation", SHOWN)
def test_what_is_shown_of_an_operation(operation: str) -> None:
    parameters, answer, request, response, read_only = SHOWN[operation]
    shown = record(operation, parameters, answer=answer)
    assert (shown["requestParameters"], shown["responseElements"], shown["readOnly"]) == (
        request,
        response,
        read_only,
    )


def test_retire_grant_shows_the_grant_and_not_the_request() -> None:
    shown = record("RetireGrant", {"GrantToken": "tok"}, grant_id="f00")
    assert shown["requestParameters"] is None
    assert shown["responseElements"] is None
    assert shown["additionalEventData"] == {"grantId": "f00"}
    assert "tok" not in repr(shown)
    assert "additionalEventData" not in record("RetireGrant", {"GrantToken": "tok"})


def test_the_id_of_the_key_material_used_is_beside_the_event() -> None:
    shown = record(
        "Decrypt", {"CiphertextBlob": BLOB}, answer={"KeyId": KEY, "KeyMaterialId": "ab12"}
    )
    assert shown["additionalEventData"] == {"keyMaterialId": "ab12"}
    shown = record(
        "ReEncrypt",
        {"CiphertextBlob": BLOB, "DestinationKeyId": KEY},
        answer={"KeyId": KEY, "SourceKeyMaterialId": "ab12", "DestinationKeyMaterialId": "cd34"},
    )
    assert shown["additionalEventData"] == {
        "sourceKeyMaterialId": "ab12",
        "destinationKeyMaterialId": "cd34",
    }


def test_imported_material_is_named_by_its_id_alone() -> None:
    """KMSG, ImportKeyMaterial and DeleteImportedKeyMaterial."""
    request = {
        "KeyId": KEY,
        "ImportToken": b"token",
        "EncryptedKeyMaterial": b"wrapped",
        "ValidTo": datetime(2026, 1, 1, 20, tzinfo=UTC),
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
    }
    answer = {"KeyId": KEY, "KeyMaterialId": "ab12"}
    shown = record("ImportKeyMaterial", request, answer=answer)
    assert shown["requestParameters"] == {
        "keyId": KEY,
        "validTo": "Jan 1, 2026 8:00:00 PM",
        "expirationModel": "KEY_MATERIAL_EXPIRES",
    }
    assert shown["responseElements"] == {"keyId": KEY, "keyMaterialId": "ab12"}
    assert not shown["readOnly"]
    shown = record("DeleteImportedKeyMaterial", {"KeyId": KEY}, answer=answer)
    assert shown["responseElements"] == {"keyId": KEY, "keyMaterialId": "ab12"}
    agreed = {"KeyId": KEY, "ImportToken": b"token", "PublicKey": b"public"}
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"}
    shown = record("GetParametersForImport", {"KeyId": KEY, **wrapping}, answer=agreed)
    assert shown["responseElements"] is None
    assert shown["readOnly"]


def test_an_operation_that_nobody_has_described_shows_what_names_a_resource_and_no_more() -> None:
    shown = record(
        "RotateSecretSauce",
        {"KeyId": KEY, "Sauce": "s3cret", "Nested": {"KeyId": "s3cret"}},
        answer={"Sauce": "s3cret"},
    )
    assert shown["requestParameters"] == {"keyId": KEY}
    assert shown["responseElements"] is None
    assert not shown["readOnly"]
    assert record("GetSecretSauce", {"Sauce": "s3cret"})["readOnly"]
    assert "s3cret" not in repr(shown)


def test_what_kms_does_by_itself_has_no_caller_and_no_request() -> None:
    shown = service_event_record("DeleteKey", KEY, AT, SETTING, event_id="event", details={})
    assert shown["userIdentity"] == {"accountId": USER_ACCOUNT, "invokedBy": "AWS Internal"}
    assert "requestID" not in shown
    assert (shown["eventType"], shown["sourceIPAddress"]) == ("AwsServiceEvent", "AWS Internal")
    assert shown["serviceEventDetails"] == {"keyId": KEY.rpartition("/")[2]}
    assert shown["recipientAccountId"] == USER_ACCOUNT
    rotated = service_event_record(
        "RotateKey", KEY, AT, SETTING, event_id="event", details={"rotationType": "AUTOMATIC"}
    )
    assert rotated["serviceEventDetails"]["rotationType"] == "AUTOMATIC"


# Amazon MQ


def mq(operation: str, parameters: dict[str, Any], **outcome: Any) -> dict[str, Any]:
    return mq_record(
        Call(ALICE, operation, parameters, AT, "request", **outcome), SETTING, event_id="event"
    )


def test_create_broker_is_as_the_developer_guide_shows_it() -> None:
    parameters = {
        "BrokerName": "orders",
        "DeploymentMode": "SINGLE_INSTANCE",
        "EngineType": "RABBITMQ",
        "EncryptionOptions": {"UseAwsOwnedKey": False, "KmsKeyId": KEY},
        "PubliclyAccessible": False,
        "Tags": {"Team": "a"},
        "Users": [{"Username": "alice", "Password": "hunter2hunter2", "Groups": ["admins"]}],
    }
    shown = mq(
        "CreateBroker",
        parameters,
        answer={"BrokerId": "b-1", "BrokerArn": "arn:aws:mq:::broker:orders:b-1"},
    )
    assert shown["requestParameters"] == {
        "brokerName": "orders",
        "deploymentMode": "SINGLE_INSTANCE",
        "engineType": "RABBITMQ",
        "publiclyAccessible": False,
        "encryptionOptions": {"kmsKeyId": KEY, "useAwsOwnedKey": False},
        "tags": {"Team": "a"},
        "users": [{"username": "alice", "password": "***", "groups": ["admins"]}],
    }
    assert shown["responseElements"] == {
        "brokerArn": "arn:aws:mq:::broker:orders:b-1",
        "brokerId": "b-1",
    }
    assert shown["eventSource"] == "amazonmq.amazonaws.com"
    assert not shown["readOnly"]
    assert "resources" not in shown


@pytest.mark.parametrize(
    "operation",
    ["DescribeBroker", "ListBrokers", "DescribeUser", "DescribeConfigurationRevision", "ListUsers"],
)
def test_of_a_get_the_request_is_shown_and_the_response_is_not(operation: str) -> None:
    shown = mq(
        operation,
        {"BrokerId": "b-1"},
        answer={"BrokerId": "b-1", "Data": "secret", "Users": [{"Username": "u"}]},
    )
    assert shown["requestParameters"] == {"broker-id": "b-1"}
    assert shown["responseElements"] is None
    assert shown["readOnly"]


@pytest.mark.parametrize("operation", ["CreateUser", "UpdateUser", "UpdateConfiguration"])
def test_passwords_and_data_are_asterisks(operation: str) -> None:
    shown = mq(
        operation,
        {
            "BrokerId": "b-1",
            "ConfigurationId": "c-1",
            "Password": "hunter2hunter2",
            "Data": "PGJyb2tlci8+",
        },
    )
    assert "***" in repr(shown)
    assert "hunter2" not in repr(shown)
    assert "PGJyb2" not in repr(shown)


def test_a_refusal_of_amazon_mq() -> None:
    shown = mq(
        "DescribeBroker",
        {"BrokerId": "b-9"},
        error=NotFoundException("Can't find requested broker [b-9]."),
    )
    assert (shown["errorCode"], shown["errorMessage"]) == (
        "NotFoundException",
        "Can't find requested broker [b-9].",
    )
