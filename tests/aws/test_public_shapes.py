"""What real projects send: configurations and brokers in the shapes of public Terraform files.

Each is typed anew after a file of a public repository, with versions and instance types that are
offered today. All of it is decided before a container or a key is needed.
"""

from base64 import b64decode, encodebytes
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from testbed.account import default_vpc
from testbed.aws.endpoint import serve
from testbed.documented.engines import VERSIONS
from testbed.kms.base import USER_ACCOUNT
from tests.support.aws_endpoint import Served, refusal
from tests.support.brokers_offline import offline

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
PLUGINS = """\
  <plugins>
    <forcePersistencyModeBrokerPlugin persistenceFlag="true"/>
    <statisticsBrokerPlugin/>
    <timeStampingBrokerPlugin ttlCeiling="86400000" zeroExpirationOverride="86400000"/>
  </plugins>
"""


def broker(content: str, attributes: str = "") -> str:
    namespace = "http://activemq.apache.org/schema/core"
    return f'{HEAD}<broker xmlns="{namespace}"{attributes}>\n{content}</broker>\n'


# Engine, version and text; each is stored as it was sent.
TAKEN: Mapping[str, tuple[str, str, str]] = {
    "the provider's example": ("ActiveMQ", "5.19", broker(PLUGINS)),
    "an empty broker": ("ActiveMQ", "5.19", broker("")),
    "dead-letter queues, in tabs": (
        "ActiveMQ",
        "5.18",
        broker(
            "\t\t<destinationPolicy>\n\t\t\t<policyMap>\n\t\t\t\t<policyEntries>\n"
            '\t\t\t\t\t<policyEntry topic=">">\n\t\t\t\t\t\t<pendingMessageLimitStrategy>\n'
            '\t\t\t\t\t\t\t<constantPendingMessageLimitStrategy limit="1000"/>\n'
            "\t\t\t\t\t\t</pendingMessageLimitStrategy>\n\t\t\t\t\t</policyEntry>\n"
            '\t\t\t\t\t<policyEntry queue=">">\n\t\t\t\t\t\t<deadLetterStrategy>\n'
            '\t\t\t\t\t\t\t<individualDeadLetterStrategy queuePrefix="DLQ." '
            'useQueueForQueueMessages="true" processNonPersistent="true"/>\n'
            "\t\t\t\t\t\t</deadLetterStrategy>\n\t\t\t\t\t</policyEntry>\n"
            "\t\t\t\t</policyEntries>\n\t\t\t</policyMap>\n\t\t</destinationPolicy>\n" + PLUGINS
        ),
    ),
    "a link to another Region": (
        "ActiveMQ",
        "5.19",
        broker(
            '  <plugins>\n  </plugins>\n  <networkConnectors>\n    <networkConnector name="dr_to_ '
            'main" duplex="true" networkTTL="5" userName="bridge" '
            'uri="static:(ssl://b-1234a5b6-1.mq.us-east-1.amazonaws.com:61617)" />\n'
            "  </networkConnectors>\n",
            ' schedulePeriodForDestinationPurge="10000"',
        ),
    ),
    "queues and who may use them": (
        "ActiveMQ",
        "5.18",
        broker(
            "  <plugins>\n    <authorizationPlugin>\n      <map>\n        <authorizationMap>\n"
            "          <authorizationEntries>\n"
            '            <authorizationEntry admin="admins,activemq-webconsole" '
            'read="admins,users,activemq-webconsole" write="admins,activemq-webconsole" '
            'queue=">"/>\n          </authorizationEntries>\n        </authorizationMap>\n'
            "      </map>\n    </authorizationPlugin> \n  </plugins>\n  <destinations>\n"
            '    <queue physicalName="ExpiryQueue" />\n    <queue physicalName="DLQ" />\n'
            "   </destinations>\n"
        ),
    ),
    "half an hour to acknowledge": (
        "RabbitMQ",
        "3.13",
        "# The default is 30 minutes, in milliseconds\nconsumer_timeout = 1800000\n",
    ),
    "a day to acknowledge": ("RabbitMQ", "4.2", "# As jobs need it\nconsumer_timeout = 86400000\n"),
}

BROKER: Mapping[str, Any] = {
    "BrokerName": "orders",
    "DeploymentMode": "SINGLE_INSTANCE",
    "PubliclyAccessible": False,
    "AutoMinorVersionUpgrade": True,
    "Users": [{"Username": "admin", "Password": "correct-horse-1"}],
}
ACTIVEMQ = {
    **BROKER,
    "EngineType": "ActiveMQ",
    "EngineVersion": "5.18",
    "HostInstanceType": "mq.m5.large",
}
RABBITMQ = {
    **BROKER,
    "EngineType": "RabbitMQ",
    "EngineVersion": "4.2",
    "HostInstanceType": "mq.m7g.large",
}
CONSOLE = [{"Username": "admin", "Password": "correct-horse-1", "ConsoleAccess": True}]
SUBNETS = [default_vpc.subnet_id(USER_ACCOUNT, "us-east-1", zone) for zone in range(3)]
GROUP = default_vpc.security_group_id(USER_ACCOUNT, "us-east-1")
SOUND: Mapping[str, Mapping[str, Any]] = {
    "a pair under a key, both logs": {
        **ACTIVEMQ,
        "DeploymentMode": "ACTIVE_STANDBY_MULTI_AZ",
        "StorageType": "efs",
        "AuthenticationStrategy": "simple",
        "SecurityGroups": [GROUP],
        "SubnetIds": SUBNETS[:2],
        "Logs": {"Audit": True, "General": True},
        "Users": [{**CONSOLE[0], "Groups": []}],
    },
    "underscores, and no storage type": {
        **ACTIVEMQ,
        "BrokerName": "team_service_broker",
        "Logs": {"General": True},
        "Users": CONSOLE,
    },
    "a day of the week in lower case": {
        **ACTIVEMQ,
        "EngineType": "ACTIVEMQ",
        "MaintenanceWindowStartTime": {
            "DayOfWeek": "Monday",
            "TimeOfDay": "22:30",
            "TimeZone": "Australia/Sydney",
        },
    },
    "a cluster in three subnets": {
        **RABBITMQ,
        "DeploymentMode": "CLUSTER_MULTI_AZ",
        "StorageType": "ebs",
        "AuthenticationStrategy": "simple",
        "SecurityGroups": [GROUP],
        "SubnetIds": SUBNETS,
        "Logs": {"General": True},
    },
    "a public broker without security groups": {
        **RABBITMQ,
        "BrokerName": "Team-JudgeQueue",
        "PubliclyAccessible": True,
        "SubnetIds": SUBNETS[:1],
        "Logs": {"Audit": False, "General": True},
        "Users": CONSOLE,
        "Tags": {},
    },
}
UNSOUND: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "minor versions by hand": (
        {**RABBITMQ, "AutoMinorVersionUpgrade": False},
        "must have [autoMinorVersionUpgrade] set to [true]",
    ),
    "the other engine's version": (
        {**RABBITMQ, "EngineVersion": "5.17.6"},
        "Broker engine version [5.17.6] is invalid for broker engine type [RABBITMQ].",
    ),
    "a version of years ago": (
        {**ACTIVEMQ, "EngineVersion": "5.15.0"},
        f"Valid values: [{', '.join(VERSIONS['ACTIVEMQ'])}].",
    ),
    "RabbitMQ on EFS": ({**RABBITMQ, "StorageType": "efs"}, "storage type [EFS]"),
    "audit logs of RabbitMQ": (
        {**RABBITMQ, "Logs": {"Audit": True, "General": True}},
        "Audit logging is not supported for RabbitMQ brokers.",
    ),
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with offline(tmp_path_factory.mktemp("state")) as testbed, serve(testbed) as endpoint:
        yield Served(testbed, endpoint)


def update(aws: Served, name: str, engine: str, version: str, text: str) -> dict[str, Any]:
    """Create a configuration, send ``text`` as ``base64 FILE`` writes it; return the answer."""
    mq = aws.client("mq")
    created = mq.create_configuration(
        Name=name.replace(" ", "-").translate({ord(mark): None for mark in "',"}),
        EngineType=engine,
        EngineVersion=version,
    )
    answer: dict[str, Any] = mq.update_configuration(
        ConfigurationId=created["Id"], Data=encodebytes(text.encode()).decode()
    )
    revision = mq.describe_configuration_revision(
        ConfigurationId=created["Id"], ConfigurationRevision="2"
    )
    return answer | {"Text": b64decode(revision["Data"]).decode()}


@pytest.mark.parametrize("name", TAKEN)
def test_a_projects_configuration_is_stored_as_it_was_sent(aws: Served, name: str) -> None:
    answer = update(aws, name, *TAKEN[name])
    assert answer["Warnings"] == []
    assert answer["Text"] == TAKEN[name][2]


def test_an_attribute_that_is_not_permitted_is_removed_with_a_warning(aws: Served) -> None:
    answer = update(aws, "not started", "ACTIVEMQ", "5.18", broker(PLUGINS, ' start="false"'))
    assert answer["Warnings"] == [
        {
            "AttributeName": "start",
            "ElementName": "broker",
            "Reason": "DISALLOWED_ATTRIBUTE_REMOVED",
        }
    ]
    assert answer["Text"] == broker(PLUGINS)


def test_a_configuration_of_a_broker_of_ones_own_is_refused(aws: Served) -> None:
    mq = aws.client("mq")
    created = mq.create_configuration(Name="own", EngineType="RabbitMQ", EngineVersion="3.13")
    text = "cluster_formation.peer_discovery_backend = aws\nconsumer_timeout = 1800000\n"
    refused = refusal(
        mq.update_configuration,
        ConfigurationId=created["Id"],
        Data=encodebytes(text.encode()).decode(),
    )
    assert (refused["Code"], refused["ErrorAttribute"]) == ("BadRequestException", "data")
    assert "cluster_formation.peer_discovery_backend" in refused["Message"]


@pytest.mark.parametrize("name", SOUND)
def test_a_projects_broker_is_refused_for_its_key_alone(aws: Served, name: str) -> None:
    """Every key here is disabled, and the key is looked at last."""
    refused = refusal(aws.client("mq").create_broker, **SOUND[name])
    assert refused["ErrorAttribute"] == "encryptionOptions", refused
    assert "its state is Disabled" in refused["Message"]


@pytest.mark.parametrize("name", UNSOUND)
def test_a_projects_broker_that_the_service_refuses_is_refused(aws: Served, name: str) -> None:
    request, reason = UNSOUND[name]
    refused = refusal(aws.client("mq").create_broker, **request)
    assert (refused["Code"], refused["Status"]) == ("BadRequestException", 400)
    assert reason in refused["Message"]
