"""Names as AWS takes them, at the endpoint; and that strict names refuse what the page advises."""

import base64
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from testbed.broker import strict_names
from testbed.documented.activemq_elements import NAMESPACE
from testbed.documented.names import TAGS_SENTENCE, URL_SENTENCE
from tests.support.aws_endpoint import Served, refusal

pytestmark = pytest.mark.containers
TAGS = {
    "owner": "jane.doe@example.com",
    "phone": "+49 171 2345678",
    "id": "1234abcd-12ab-34cd-56ef-1234567890ab",
    "key": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "network": "10.0.0.0/16",
    "order": "4111111111111111",
    "jane@example.com": "",
}
XML = (
    f'<broker xmlns="{NAMESPACE}"><networkConnectors><networkConnector name="n" '
    'uri="static:(ssl://orders:hunter2@other:61617)"/></networkConnectors></broker>'
)


def create(aws: Served, **members: Any) -> dict[str, Any]:
    name = f"names-{uuid.uuid4().hex[:8]}"
    made = aws.client("mq").create_configuration(
        **{"Name": name, "EngineType": "ACTIVEMQ", "EngineVersion": "5.19", **members}
    )
    answer: dict[str, Any] = made
    return answer


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def strict(aws: Served) -> Iterator[None]:
    strict_names.choose(aws.testbed.state, strict=True)
    try:
        yield
    finally:
        strict_names.choose(aws.testbed.state, strict=False)


def test_names_tags_descriptions_and_urls_are_taken_as_they_are(aws: Served) -> None:
    mq = aws.client("mq")
    made = create(aws, Name=f"call-0301234567890-of-{uuid.uuid4()}", Tags=TAGS)
    assert mq.list_tags(ResourceArn=made["Arn"])["Tags"] == TAGS
    mq.create_tags(ResourceArn=made["Arn"], Tags={"mail": "jane@example.com"})
    updated = mq.update_configuration(
        ConfigurationId=made["Id"], Data=data(XML), Description="by jane.doe@example.com"
    )
    assert updated["Warnings"] == []
    stored = mq.describe_configuration_revision(
        ConfigurationId=made["Id"], ConfigurationRevision="2"
    )
    assert base64.b64decode(stored["Data"]).decode() == XML


@pytest.mark.usefixtures("strict")
def test_with_strict_names_each_operation_that_names_something_refuses(aws: Served) -> None:
    mq = aws.client("mq")
    known = create(aws)
    tags = {"owner": "jane.doe@example.com"}
    refused = [
        refusal(partial(create, aws), Name=f"call-0301234567890-of-{uuid.uuid4()}"),
        refusal(partial(create, aws), Tags=tags),
        refusal(mq.create_tags, ResourceArn=known["Arn"], Tags=tags),
        refusal(
            mq.update_configuration,
            ConfigurationId=known["Id"],
            Data=data(XML.replace("orders:hunter2@", "")),
            Description="by jane.doe@example.com",
        ),
        refusal(mq.update_configuration, ConfigurationId=known["Id"], Data=data(XML)),
    ]
    attributes = ["name", "tags", "tags", "description", "data"]
    assert [error["ErrorAttribute"] for error in refused] == attributes
    assert [TAGS_SENTENCE in error["Message"] for error in refused[:-1]] == [True] * 4
    assert URL_SENTENCE in refused[-1]["Message"]
    assert all(
        secret not in error["Message"]
        for error in refused
        for secret in ("jane", "0301234567890", "hunter2")
    )
    described = mq.describe_configuration(ConfigurationId=known["Id"])
    assert described["LatestRevision"]["Revision"] == 1


@pytest.mark.usefixtures("strict")
def test_clean_names_are_taken_with_strict_names_too(aws: Served) -> None:
    clean = {name: TAGS[name] for name in ("id", "key", "network")}
    made = create(aws, Tags=clean)
    assert aws.client("mq").list_tags(ResourceArn=made["Arn"])["Tags"] == clean
