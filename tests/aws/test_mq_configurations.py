"""Customer configurations through boto3: revisions are sanitised and never change."""

import base64
import uuid
from typing import Any

import pytest

from tests.support.aws_endpoint import OTHER_ACCOUNT, Served, refusal

pytestmark = pytest.mark.containers
XML = '<broker xmlns="http://activemq.apache.org/schema/core" {}>{}</broker>'


def encoded(attributes: str = "", elements: str = "") -> str:
    return base64.b64encode(XML.format(attributes, elements).encode()).decode()


@pytest.fixture
def created(aws: Served) -> dict[str, Any]:
    name = f"configuration-{uuid.uuid4().hex[:8]}"
    created: dict[str, Any] = aws.client("mq").create_configuration(
        Name=name, EngineType="ACTIVEMQ", EngineVersion="5.19", Tags={"team": "orders"}
    )
    return created


def data(aws: Served, identity: str, revision: int) -> str:
    answer = aws.client("mq").describe_configuration_revision(
        ConfigurationId=identity, ConfigurationRevision=str(revision)
    )
    return base64.b64decode(answer["Data"]).decode()


def test_the_first_revision_is_the_services_default(aws: Served, created: dict[str, Any]) -> None:
    assert created["Arn"].endswith(f":configuration:{created['Id']}")
    assert created["LatestRevision"]["Revision"] == 1
    assert (
        created["LatestRevision"]["Description"]
        == f"Auto-generated default for {created['Name']} on ActiveMQ 5.19"
    )
    assert 'schedulePeriodForDestinationPurge="10000"' in data(aws, created["Id"], 1)
    answer = aws.client("mq").describe_configuration(ConfigurationId=created["Id"])
    assert (answer["EngineType"], answer["EngineVersion"], answer["Tags"]) == (
        "ACTIVEMQ",
        "5.19",
        {"team": "orders"},
    )


def test_an_update_is_a_new_revision_of_what_is_permitted(
    aws: Served, created: dict[str, Any]
) -> None:
    mq, identity = aws.client("mq"), created["Id"]
    sent = encoded(
        'persistent="false"',
        '<transportConnectors><transportConnector name="openwire" uri="tcp://0.0.0.0:1"/></transportConnectors><sslContext/>',
    )
    answer = mq.update_configuration(ConfigurationId=identity, Data=sent, Description="without TLS")
    assert answer["LatestRevision"]["Revision"] == 2
    removed = {
        (warning["Reason"], warning["ElementName"], warning.get("AttributeName", ""))
        for warning in answer["Warnings"]
    }
    assert ("DISALLOWED_ELEMENT_REMOVED", "sslContext", "") in removed
    assert ("DISALLOWED_ATTRIBUTE_REMOVED", "transportConnector", "uri") in removed
    content = data(aws, identity, 2)
    assert "tcp://" not in content
    assert "sslContext" not in content
    revisions = mq.list_configuration_revisions(ConfigurationId=identity)["Revisions"]
    assert [(revision["Revision"], revision["Description"]) for revision in revisions][1:] == [
        (2, "without TLS")
    ]
    assert 'schedulePeriodForDestinationPurge="10000"' in data(aws, identity, 1), (
        "the first is unchanged"
    )


def test_what_is_sent_comes_back_and_may_be_in_lines(aws: Served, created: dict[str, Any]) -> None:
    mq, identity = aws.client("mq"), created["Id"]
    text = XML.format("", "\n  <!-- none yet -->\n  <plugins>\n  </plugins>\n") + "\n"
    in_lines = base64.encodebytes(text.encode()).decode()
    assert in_lines.count("\n") > 1
    answer = mq.update_configuration(ConfigurationId=identity, Data=in_lines)
    assert answer["Warnings"] == []
    assert data(aws, identity, 2) == text


@pytest.mark.parametrize(
    ("data_sent", "words"),
    [
        ("%", "base64"),
        (base64.b64encode(b"\xff\xfe").decode(), "UTF-8"),
        (base64.b64encode(b"<broker").decode(), "not well-formed"),
        (base64.b64encode(b"<!DOCTYPE x><broker/>").decode(), "document type"),
    ],
)
def test_what_is_no_configuration_is_refused_and_not_repeated(
    aws: Served, created: dict[str, Any], data_sent: str, words: str
) -> None:
    refused = refusal(
        aws.client("mq").update_configuration, ConfigurationId=created["Id"], Data=data_sent
    )
    assert (refused["Code"], refused["ErrorAttribute"]) == (
        "BadRequestException",
        "data",
    )
    assert words in refused["Message"]
    assert "hunter2" not in refused["Message"]
    assert (
        aws.client("mq").describe_configuration(ConfigurationId=created["Id"])["LatestRevision"][
            "Revision"
        ]
        == 1
    )


def test_what_is_not_there(aws: Served, created: dict[str, Any]) -> None:
    mq = aws.client("mq")
    for operation in (
        mq.describe_configuration,
        mq.list_configuration_revisions,
        mq.delete_configuration,
    ):
        refused = refusal(operation, ConfigurationId="c-1")
        assert (
            refused["Message"]
            == "Can't find requested configuration [c-1]. Make sure your configuration exists."
        )
        assert (refused["Status"], refused["ErrorAttribute"]) == (404, "configuration_id")
    for revision in ("0", "2", "x"):
        refused = refusal(
            mq.describe_configuration_revision,
            ConfigurationId=created["Id"],
            ConfigurationRevision=revision,
        )
        assert refused["Code"] == "NotFoundException"
    refused = refusal(
        aws.client("mq", OTHER_ACCOUNT).describe_configuration, ConfigurationId=created["Id"]
    )
    assert refused["Code"] == "NotFoundException"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"Name": "with blanks"},
            "alphanumeric characters, dashes, periods, underscores, and tildes",
        ),
        ({"Name": "x" * 151}, "1-150 characters long"),
        ({"EngineVersion": "5.15"}, "is invalid for broker engine type"),
        ({"EngineType": "KAFKA"}, "is invalid. Valid values are: [ACTIVEMQ, RABBITMQ]"),
        ({"AuthenticationStrategy": "LDAP"}, "does not offer"),
    ],
)
def test_configurations_that_are_refused(aws: Served, change: dict[str, Any], words: str) -> None:
    request = {
        "Name": f"refused-{uuid.uuid4().hex[:8]}",
        "EngineType": "ACTIVEMQ",
        "EngineVersion": "5.19",
        **change,
    }
    refused = refusal(aws.client("mq").create_configuration, **request)
    assert refused["Code"] == "BadRequestException"
    assert words in refused["Message"]


def test_a_name_is_given_once(aws: Served, created: dict[str, Any]) -> None:
    refused = refusal(
        aws.client("mq").create_configuration,
        Name=created["Name"],
        EngineType="ACTIVEMQ",
        EngineVersion="5.19",
    )
    assert (refused["Code"], refused["Status"]) == ("ConflictException", 409)


def test_tags_pages_and_the_end_of_one(aws: Served, created: dict[str, Any]) -> None:
    mq = aws.client("mq")
    mq.create_tags(ResourceArn=created["Arn"], Tags={"stage": "test"})
    mq.delete_tags(ResourceArn=created["Arn"], TagKeys=["team"])
    assert mq.list_tags(ResourceArn=created["Arn"])["Tags"] == {"stage": "test"}
    listed: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = mq.list_configurations(MaxResults=1, **token)
        listed += page["Configurations"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [summary["Id"] for summary in listed].count(created["Id"]) == 1
    assert (
        mq.delete_configuration(ConfigurationId=created["Id"])["ConfigurationId"] == created["Id"]
    )
    assert (
        refusal(mq.describe_configuration, ConfigurationId=created["Id"])["Code"]
        == "NotFoundException"
    )
    assert refusal(mq.list_tags, ResourceArn=created["Arn"])["Code"] == "NotFoundException"


def test_rabbitmq_has_its_own(aws: Served) -> None:
    mq = aws.client("mq")
    created = mq.create_configuration(
        Name=f"rabbit-{uuid.uuid4().hex[:8]}", EngineType="RABBITMQ", EngineVersion="4.2"
    )
    assert "consumer_timeout = 1800000" in data(aws, created["Id"], 1)
    for sent, words in {
        "ssl_options.versions.1 = tlsv1": "Amazon MQ sets it",
        "heartbeat = 5": "a whole number from 60 to 3600",
    }.items():
        refused = refusal(
            mq.update_configuration,
            ConfigurationId=created["Id"],
            Data=base64.b64encode(sent.encode()).decode(),
        )
        assert refused["Code"] == "BadRequestException"
        assert words in refused["Message"]
    answer = mq.update_configuration(
        ConfigurationId=created["Id"],
        Data=base64.b64encode(b"cluster_queue_limit = 100000000").decode(),
    )
    assert answer["Warnings"] == []
    assert answer["LatestRevision"]["Revision"] == 2
    refused = refusal(
        mq.create_broker,
        BrokerName=f"limited-{uuid.uuid4().hex[:8]}",
        EngineType="RABBITMQ",
        EngineVersion="4.2",
        HostInstanceType="mq.m7g.medium",
        DeploymentMode="SINGLE_INSTANCE",
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=True,
        Users=[{"Username": "alice", "Password": "alices-password-1"}],
        Configuration={"Id": created["Id"], "Revision": 2},
    )
    assert refused["Message"] == (
        "Configuration Revision 2 for configuration:cluster_queue_limit has limit: "
        "of value: 100000000 larger than maximum allowed limit:2500"
    )
    assert not [
        summary
        for summary in mq.list_brokers()["BrokerSummaries"]
        if summary["BrokerName"].startswith("limited-")
    ]
