"""The endpoint and the Python API refuse a CreateBroker alike: same code, sentence and member."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from testbed.aws.endpoint import serve
from testbed.broker.encryption import EncryptionOptions
from testbed.broker.requests import CreateBroker
from testbed.documented.engines import VERSIONS
from testbed.engines.base import User
from testbed.errors import MqError
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import add, offline, request

ADMIN = User("admin", "correct-horse-1")
LDAP = {
    "Hosts": ["ldap.example.com"],
    "RoleBase": "ou=roles",
    "RoleSearchMatching": "(member={0})",
    "ServiceAccountUsername": "cn=reader",
    "ServiceAccountPassword": "correct-horse-1",
    "UserBase": "ou=people",
    "UserSearchMatching": "(uid={0})",
}
CASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "an unknown engine": ("RABBITMQ", {"engine_type": "KAFKA"}),
    "an unknown version": ("RABBITMQ", {"engine_version": "3.7"}),
    "the other engine's version": ("ACTIVEMQ", {"engine_version": "4.2"}),
    "an unknown deployment mode": ("RABBITMQ", {"deployment_mode": "TWINS"}),
    "the other engine's deployment mode": (
        "RABBITMQ",
        {"deployment_mode": "ACTIVE_STANDBY_MULTI_AZ"},
    ),
    "a cluster of ActiveMQ": ("ACTIVEMQ", {"deployment_mode": "CLUSTER_MULTI_AZ"}),
    "a standby on EBS": ("ACTIVEMQ", {"deployment_mode": "ACTIVE_STANDBY_MULTI_AZ"}),
    "an unknown storage type": ("RABBITMQ", {"storage_type": "S3"}),
    "the other engine's storage type": ("RABBITMQ", {"storage_type": "EFS"}),
    "no user": ("RABBITMQ", {"users": ()}),
    "two users": ("RABBITMQ", {"users": (ADMIN, User("other", "correct-horse-1"))}),
    "no user of ActiveMQ": ("ACTIVEMQ", {"users": ()}),
    "a user twice": ("ACTIVEMQ", {"users": (ADMIN, ADMIN)}),
    "a bad group": ("ACTIVEMQ", {"users": (replace(ADMIN, groups=("a b",)),)}),
    "the user guest": ("RABBITMQ", {"users": (User("guest", "correct-horse-1"),)}),
    "a private user name": ("RABBITMQ", {"users": (User("jane@example.com", "x" * 12),)}),
    "a short password": ("RABBITMQ", {"users": (User("admin", "short"),)}),
    "a name that is taken": ("RABBITMQ", {"broker_name": "taken"}),
    "a long name": ("RABBITMQ", {"broker_name": "x" * 200}),
    "too many tags": ("RABBITMQ", {"tags": {f"tag{number}": "x" for number in range(51)}}),
    "a key given twice": (
        "RABBITMQ",
        {"encryption_options": EncryptionOptions(use_aws_owned_key=True, kms_key_id="alias/a")},
    ),
    "no key": (
        "RABBITMQ",
        {"encryption_options": EncryptionOptions(use_aws_owned_key=False, kms_key_id="a key")},
    ),
    "an unknown instance type": ("RABBITMQ", {"HostInstanceType": "mq.t3.micro"}),
    "an instance type of other versions": ("RABBITMQ", {"HostInstanceType": "mq.m5.large"}),
    "an instance type of other storage": ("ACTIVEMQ", {"HostInstanceType": "mq.t3.micro"}),
    "no minor upgrades": ("RABBITMQ", {"AutoMinorVersionUpgrade": False}),
    "audit logs of RabbitMQ": ("RABBITMQ", {"Logs": {"Audit": True}}),
    "an impossible time": (
        "RABBITMQ",
        {"MaintenanceWindowStartTime": {"DayOfWeek": "MONDAY", "TimeOfDay": "25:00"}},
    ),
    "six security groups": ("RABBITMQ", {"SecurityGroups": [f"sg-{n}" for n in range(6)]}),
    "two subnets of one instance": ("RABBITMQ", {"SubnetIds": ["subnet-1", "subnet-2"]}),
    "LDAP": ("ACTIVEMQ", {"LdapServerMetadata": LDAP}),
    "LDAP with a password in the URL": (
        "ACTIVEMQ",
        {"LdapServerMetadata": {**LDAP, "Hosts": ["admin:correct-horse-1@ldap.example.com"]}},
    ),
    "LDAP as a strategy": ("ACTIVEMQ", {"AuthenticationStrategy": "LDAP"}),
    "replication": ("ACTIVEMQ", {"DataReplicationMode": "CRDR"}),
    "a chosen size": ("RABBITMQ", {"StorageSize": 50}),
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with offline(tmp_path_factory.mktemp("offline") / "state") as testbed:
        add(testbed, request(name="taken"))
        with serve(testbed) as endpoint:
            yield Served(testbed, endpoint)


def unsound_request(engine_type: str, change: Mapping[str, Any]) -> CreateBroker:
    """Return a valid request with changed members, ours or, if capitalised, the API's."""
    sound = request(engine_type)
    members = {name: value for name, value in change.items() if name[0].islower()}
    settings = {name: value for name, value in change.items() if name[0].isupper()}
    return replace(sound, **members, settings={**sound.settings, **settings})


def boto_parameters(bad: CreateBroker) -> dict[str, Any]:
    """Return the parameters of the same request for boto3."""
    options = bad.encryption_options
    parameters = bad.parameters() | {
        "PubliclyAccessible": False,
        "EncryptionOptions": {
            "UseAwsOwnedKey": options.use_aws_owned_key,
            **({"KmsKeyId": options.kms_key_id} if options.kms_key_id else {}),
        },
    }
    return {name: value for name, value in parameters.items() if value != ""}


@pytest.mark.parametrize("case", CASES)
def test_the_endpoint_and_the_python_api_refuse_alike(aws: Served, case: str) -> None:
    bad = unsound_request(*CASES[case])
    with pytest.raises(MqError) as ours:
        aws.testbed.brokers.create(bad)
    theirs = refusal(aws.client("mq").create_broker, **boto_parameters(bad))
    assert (theirs["Code"], theirs["Message"], theirs["ErrorAttribute"], theirs["Status"]) == (
        ours.value.code,
        ours.value.message,
        ours.value.error_attribute,
        ours.value.status,
    )
    assert "correct-horse-1" not in theirs["Message"]
    assert [broker.broker_name for broker in aws.testbed.brokers.peek_all()] == ["taken"]


def test_the_sentence_is_awss(aws: Served) -> None:
    with pytest.raises(MqError) as refused:
        aws.testbed.brokers.create(unsound_request("RABBITMQ", {"engine_version": "3.7"}))
    assert refused.value.message == (
        "Broker engine version [3.7] is invalid for broker engine type [RABBITMQ]. "
        f"Valid values: [{', '.join(VERSIONS['RABBITMQ'])}]."
    )
