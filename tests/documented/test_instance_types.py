"""Instance types and the limits of RabbitMQ on them belong together."""

import pytest

from testbed.documented.engines import DEPLOYMENT_MODES
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE, INSTANCE_OPTIONS
from testbed.documented.rabbitmq_keys import MAXIMA


@pytest.mark.parametrize("mode", DEPLOYMENT_MODES["RABBITMQ"])
def test_every_instance_type_of_rabbitmq_4_has_its_limits(mode: str) -> None:
    types = {
        option.host_instance_type
        for option in INSTANCE_OPTIONS
        if option.engine_type == "RABBITMQ" and "4.2" in option.engine_versions
    }
    assert MAXIMA[mode].keys() == types


@pytest.mark.parametrize("engine", DEFAULT_INSTANCE_TYPE)
def test_the_default_instance_type_is_an_option(engine: str) -> None:
    types = {
        option.host_instance_type for option in INSTANCE_OPTIONS if option.engine_type == engine
    }
    assert DEFAULT_INSTANCE_TYPE[engine] in types
