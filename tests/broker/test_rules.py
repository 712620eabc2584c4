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
