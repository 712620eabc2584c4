"""A configuration is checked against its broker before anything is created or changed."""

import pytest

from testbed.broker import rules
from testbed.broker.requests import Configuration
from testbed.documented import activemq_elements, rabbitmq_keys
from testbed.errors import BadRequestException

BROKER = f'<broker xmlns="{activemq_elements.NAMESPACE}">{{}}</broker>'


def test_the_services_defaults_suit_every_broker() -> None:
    rules.check_configuration(
        "ACTIVEMQ",
        "5.18",
        "SINGLE_INSTANCE",
        {},
        Configuration("c-1", 1, activemq_elements.DEFAULT),
    )
    rules.check_configuration(
        "RABBITMQ", "3.13", "CLUSTER_MULTI_AZ", {}, Configuration("c-1", 1, rabbitmq_keys.DEFAULT)
    )


def test_a_limit_is_the_instance_types_and_the_refusal_names_the_revision() -> None:
    configuration = Configuration("c-1", 3, "connection_max = 301")
    rules.check_configuration("RABBITMQ", "4.2", "SINGLE_INSTANCE", {}, configuration)
    with pytest.raises(
        BadRequestException,
        match="Configuration Revision 3 for configuration:connection_max .* limit:300",
    ):
        rules.check_configuration(
            "RABBITMQ",
            "4.2",
            "SINGLE_INSTANCE",
            {"HostInstanceType": "mq.m7g.medium"},
            configuration,
        )


@pytest.mark.parametrize(
    "inside",
    [
        "<destinations><queue/></destinations>",
        "<networkConnectors><networkConnector name='wss' uri='static:(ssl://h:1)'/></networkConnectors>",
    ],
)
def test_what_activemq_would_not_start_with_is_refused(inside: str) -> None:
    with pytest.raises(BadRequestException, match="would not start"):
        rules.check_configuration(
            "ACTIVEMQ",
            "5.19",
            "SINGLE_INSTANCE",
            {},
            Configuration("c-1", 1, BROKER.format(inside)),
        )


@pytest.mark.parametrize(
    "tags",
    [
        {f"tag{number}": "" for number in range(50)},
        {"k" * 128: "v" * 256},
        {"owner": "jane.doe@example.com", "key": "arn:aws:kms:us-east-1:111122223333:key/1"},
        {"network": "10.0.0.0/16", "phone": "+49 171 2345678", "größe": "⅓ 尺"},
        {"aws": "x", "my-aws:tag": "aws:x"},
    ],
)
def test_tags_are_taken_within_awss_own_limits(tags: dict[str, str]) -> None:
    rules.check_tags(tags)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({f"tag{number}": "" for number in range(51)}, "at most 50 tags"),
        ({"": "x"}, "1 to 128 characters"),
        ({"k" * 129: "x"}, "1 to 128 characters"),
        ({"k": "v" * 257}, "at most 256"),
        ({"aws:cloudformation:stack-name": "x"}, "are AWS's"),
        ({"AWS:x": "x"}, "are AWS's"),
    ],
)
def test_tags_beyond_them_are_refused(tags: dict[str, str], words: str) -> None:
    with pytest.raises(BadRequestException, match=words) as caught:
        rules.check_tags(tags)
    assert caught.value.error_attribute == "tags"
