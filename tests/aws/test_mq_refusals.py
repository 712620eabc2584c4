"""What Amazon MQ refuses at once, in AWS's words where known, and without a trace."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from testbed.documented.engines import VERSIONS
from testbed.documented.instance_types import INSTANCE_OPTIONS
from testbed.documented.names import BROKER_NAME, PASSWORD_SENTENCE, USERNAME
from testbed.kms.base import USER
from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal

pytestmark = pytest.mark.containers
REQUEST: Mapping[str, Any] = {
    "BrokerName": "refused",
    "DeploymentMode": "SINGLE_INSTANCE",
    "EngineType": "RABBITMQ",
    "EngineVersion": "4.2",
    "HostInstanceType": "mq.m7g.large",
    "PubliclyAccessible": False,
    "AutoMinorVersionUpgrade": True,
    "Users": [{"Username": "admin", "Password": "correct-horse-1"}],
}
ACTIVEMQ = {"EngineType": "ACTIVEMQ", "EngineVersion": "5.19", "HostInstanceType": "mq.m5.large"}
LDAP = {
    "RoleBase": "ou=roles",
    "RoleSearchMatching": "(member={0})",
    "ServiceAccountUsername": "cn=reader",
    "ServiceAccountPassword": "correct-horse-1",
    "UserBase": "ou=people",
    "UserSearchMatching": "(uid={0})",
}
USER_OF = {"Username": "admin", "Password": "correct-horse-1"}

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"EngineType": "KAFKA"},
        "Broker engine type [KAFKA] is invalid. Valid values are: [ACTIVEMQ, RABBITMQ]",
        "engineType",
    ),
    (
        {"EngineVersion": "3.13.7"},
        (
            "Broker engine version [3.13.7] is invalid for broker engine type [RABBITMQ]. "
            f"Valid values: [{', '.join(VERSIONS['RABBITMQ'])}]."
        ),
        "engineVersion",
    ),
    (
        {"HostInstanceType": "mq.t3.micro"},
        "Broker engine type [RabbitMQ] does not support host instance type [mq.t3.micro].",
        "hostInstanceType",
    ),
    (
        {"HostInstanceType": "mq.m5.large"},
        "Broker engine type [RabbitMQ] does not support host instance type [mq.m5.large].",
        "hostInstanceType",
    ),
    (
        {
            "EngineVersion": "3.13",
            "HostInstanceType": "mq.t3.micro",
            "DeploymentMode": "CLUSTER_MULTI_AZ",
        },
        "in deployment mode [CLUSTER_MULTI_AZ] does not support",
        "hostInstanceType",
    ),
    (
        {**ACTIVEMQ, "HostInstanceType": "mq.t3.micro", "StorageType": "EBS"},
        "on storage type [EBS] does not support",
        "hostInstanceType",
    ),
    (
        {"AutoMinorVersionUpgrade": False},
        "Brokers on [RabbitMQ] version [4.2] must have [autoMinorVersionUpgrade] set to [true].",
        "autoMinorVersionUpgrade",
    ),
    ({"DeploymentMode": "ACTIVE_STANDBY_MULTI_AZ"}, "ACTIVE_STANDBY_MULTI_AZ", "deploymentMode"),
    (
        {"DeploymentMode": "TWINS"},
        "[deploymentMode] value [TWINS] is invalid. Valid values are: [SINGLE_INSTANCE,",
        "deploymentMode",
    ),
    ({"StorageType": "EFS"}, "does not support host instance type", "hostInstanceType"),
    ({"Users": []}, "Specify exactly one user for engine type [RABBITMQ].", "users"),
    (
        {"Users": [USER_OF, {**USER_OF, "Username": "other"}]},
        "Specify exactly one user for engine type [RABBITMQ].",
        "users",
    ),
    (
        {"Users": [{**USER_OF, "Username": "guest"}]},
        "Amazon MQ prohibits using guest as a valid user name.",
        "username",
    ),
    (
        {"Users": [{**USER_OF, "Username": "jane.doe@example.com"}]},
        USERNAME["RABBITMQ"].sentence,
        "username",
    ),
    ({"Users": [{**USER_OF, "Password": "short"}]}, PASSWORD_SENTENCE, "password"),
    ({**ACTIVEMQ, "Users": []}, "An ActiveMQ broker is created with 1 to 250 users.", "users"),
    (
        {**ACTIVEMQ, "Users": [{**USER_OF, "ReplicationUser": True, "ConsoleAccess": True}]},
        (
            "Replication user couldn't have console access. "
            "[replicationUser] and [consoleAccess] are mutually exclusive parameters."
        ),
        "",
    ),
    ({"BrokerName": "jane.doe@example.com"}, BROKER_NAME.sentence, "brokerName"),
    ({"BrokerName": "x" * 200}, BROKER_NAME.sentence, "brokerName"),
    ({"Tags": {f"tag{number}": "x" for number in range(51)}}, "at most 50 tags", "tags"),
    (
        {"Logs": {"Audit": True}},
        "Audit logging is not supported for RabbitMQ brokers.",
        "logs.audit",
    ),
    (
        {"MaintenanceWindowStartTime": {"DayOfWeek": "MONDAY", "TimeOfDay": "25:00"}},
        "[timeOfDay] value [25:00] is invalid",
        "timeOfDay",
    ),
    (
        {"SecurityGroups": [f"sg-{number}" for number in range(6)]},
        "at most 5 security groups",
        "securityGroups",
    ),
    (
        {"Configuration": {"Id": "c-1"}},
        "Can't find requested configuration [c-1]. Make sure your configuration exists.",
        "configuration_id",
    ),
    (
        {"EncryptionOptions": {"UseAwsOwnedKey": True, "KmsKeyId": "alias/a"}},
        "UseAwsOwnedKey",
        "encryptionOptions",
    ),
    (
        {"EncryptionOptions": {"UseAwsOwnedKey": False, "KmsKeyId": "alias/not-there"}},
        "cannot be used",
        "encryptionOptions",
    ),
    (
        {"AuthenticationStrategy": "LDAP"},
        "The testbed does not offer the authentication strategy LDAP.",
        "authenticationStrategy",
    ),
    (
        {**ACTIVEMQ, "LdapServerMetadata": {**LDAP, "Hosts": ["ldap.example.com"]}},
        "The testbed does not offer LDAP.",
        "ldapServerMetadata",
    ),
    (
        {
            **ACTIVEMQ,
            "LdapServerMetadata": {
                **LDAP,
                "Hosts": ["ldap.example.com", "admin:correct-horse-1@ldap.example.com"],
            },
        },
        "The testbed does not offer LDAP.",
        "ldapServerMetadata",
    ),
    (
        {"DataReplicationMode": "CRDR"},
        "The testbed does not offer cross-Region data replication.",
        "dataReplicationMode",
    ),
    (
        {"StorageSize": 50},
        "Configurable storage is available for RabbitMQ M7g brokers on version 4.2 or later",
        "storageSize",
    ),
    (
        {"DeploymentMode": "CLUSTER_MULTI_AZ", "StorageSize": 52},
        "[storageSize] value [52] is invalid. Sizes are in increments of 5 GB",
        "storageSize",
    ),
]


@pytest.fixture
def nothing_left(aws: Served):  # type: ignore[no-untyped-def]
    """Check that a test leaves as many brokers, keys and volumes as before."""

    def count() -> tuple[object, ...]:
        containers = aws.testbed.containers
        return (
            aws.testbed.brokers.ids(),
            len(containers.find()),
            len(aws.testbed.kms.call(USER, "ListKeys", {})["Keys"]),
        )

    before = count()
    yield
    assert count() == before


@pytest.mark.parametrize(
    ("change", "sentence", "attribute"),
    REFUSED,
    ids=[f"{next(reversed(case[0]))}-{number}" for number, case in enumerate(REFUSED)],
)
def test_create_broker_is_refused(
    aws: Served, nothing_left: None, change: dict[str, Any], sentence: str, attribute: str
) -> None:
    refused = refusal(aws.client("mq").create_broker, **{**REQUEST, **change})
    expected = "NotFoundException" if "Configuration" in change else "BadRequestException"
    assert (refused["Code"], refused["ErrorAttribute"]) == (expected, attribute), refused
    assert sentence in refused["Message"]
    assert "correct-horse-1" not in refused["Message"]
    assert "jane.doe" not in refused["Message"]


@pytest.mark.parametrize(
    "spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_256", "disabled", "pending deletion"]
)
def test_a_key_that_does_not_fit_is_refused(aws: Served, spec: str) -> None:
    kms = aws.client("kms")
    parameters = (
        {
            "KeySpec": spec,
            "KeyUsage": {"R": "ENCRYPT_DECRYPT", "E": "SIGN_VERIFY", "H": "GENERATE_VERIFY_MAC"}[
                spec[0]
            ],
        }
        if spec[0].isupper()
        else {}
    )
    arn = kms.create_key(**parameters)["KeyMetadata"]["Arn"]
    if spec == "disabled":
        kms.disable_key(KeyId=arn)
    elif spec == "pending deletion":
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    before = aws.testbed.brokers.ids()
    refused = refusal(
        aws.client("mq").create_broker,
        **REQUEST,
        EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": arn},
    )
    assert (refused["Code"], refused["ErrorAttribute"]) == (
        "BadRequestException",
        "encryptionOptions",
    )
    assert arn in refused["Message"]
    assert aws.testbed.brokers.ids() == before
    if spec != "pending deletion":
        assert kms.list_grants(KeyId=arn)["Grants"] == []


@pytest.mark.parametrize(
    "member",
    ["brokerName", "deploymentMode", "engineType", "hostInstanceType", "publiclyAccessible"],
)
def test_what_is_required_is_required(aws: Served, nothing_left: None, member: str) -> None:
    body = {
        "brokerName": "refused",
        "deploymentMode": "SINGLE_INSTANCE",
        "engineType": "RABBITMQ",
        "hostInstanceType": "mq.m7g.large",
        "publiclyAccessible": False,
    }
    del body[member]
    answer = aws.send("POST", "/v1/brokers", json.dumps(body).encode())
    assert answer.status == 400
    assert answer.document == {
        "errorAttribute": member,
        "message": f"[{member}] is required.",
    }
    answer = aws.send(
        "POST", "/v1/brokers", json.dumps({**body, "encryptionOptions": {}, member: None}).encode()
    )
    assert answer.status == 400


def test_brokers_are_the_accounts_and_nobody_elses(aws: Served) -> None:
    mq = aws.client("mq", OTHER_ACCOUNT)
    assert mq.list_brokers()["BrokerSummaries"] == [] == mq.list_configurations()["Configurations"]


@pytest.mark.parametrize(
    "operation",
    [
        "describe_broker",
        "update_broker",
        "reboot_broker",
        "delete_broker",
        "list_users",
        "describe_shared_resources",
        "promote",
    ],
)
def test_an_unknown_broker(aws: Served, operation: str) -> None:
    mode = {"Mode": "FAILOVER"} if operation == "promote" else {}
    refused = refusal(getattr(aws.client("mq"), operation), BrokerId="b-1", **mode)
    assert refused["Message"] == "Can't find requested broker [b-1]. Make sure your broker exists."
    assert (refused["Code"], refused["ErrorAttribute"], refused["Status"]) == (
        "NotFoundException",
        "broker-id",
        404,
    )


def test_what_the_testbed_does_not_have_is_no_success(aws: Served) -> None:
    for method, path in (
        ("GET", "/v1/nothing"),
        ("PATCH", "/v1/brokers"),
        ("GET", "/v1/brokers/"),
        ("GET", "/v2/brokers"),
    ):
        answer = aws.send(method, path)
        assert (answer.status, answer.headers["X-Amzn-ErrorType"]) == (
            404,
            "UnknownOperationException",
        ), path


def test_the_catalogue_is_the_documented_one(aws: Served) -> None:
    mq = aws.client("mq")
    types = {
        engine["EngineType"]: tuple(version["Name"] for version in engine["EngineVersions"])
        for engine in mq.describe_broker_engine_types()["BrokerEngineTypes"]
    }
    assert types == VERSIONS
    [only] = mq.describe_broker_engine_types(EngineType="RabbitMQ")["BrokerEngineTypes"]
    assert only["EngineType"] == "RABBITMQ"
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = mq.describe_broker_instance_options(MaxResults=7, **token)
        rows += page["BrokerInstanceOptions"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [(row["EngineType"], row["HostInstanceType"], row["StorageType"]) for row in rows] == [
        (option.engine_type, option.host_instance_type, option.storage_type.lower())
        for option in INSTANCE_OPTIONS
    ]
    [row] = mq.describe_broker_instance_options(
        EngineType="RABBITMQ", HostInstanceType="mq.m7g.medium"
    )["BrokerInstanceOptions"]
    assert row["SupportedDeploymentModes"] == ["SINGLE_INSTANCE", "CLUSTER_MULTI_AZ"]
    assert (
        "is invalid" in refusal(mq.describe_broker_instance_options, EngineType="KAFKA")["Message"]
    )


@pytest.mark.parametrize("token", ["", "x", "W10=", "WyJ1c2VycyIsIDFd"])
def test_a_token_of_another_list_is_refused(aws: Served, token: str) -> None:
    answer = aws.send("GET", f"/v1/brokers?nextToken={token}")
    assert answer.status == 400
    assert answer.document["errorAttribute"] == "nextToken"


@pytest.mark.parametrize("number", ["0", "101", "-1", "many"])
def test_a_page_is_one_to_a_hundred(aws: Served, number: str) -> None:
    answer = aws.send("GET", f"/v1/brokers?maxResults={number}")
    assert answer.status == 400
    assert answer.document["errorAttribute"] == "maxResults"
