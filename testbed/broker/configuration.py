"""Whether a broker can have the configuration that it is to have: asked before anything of it is changed."""

from collections.abc import Mapping
from typing import Any

from testbed.broker.pending import Configuration
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.engines.activemq import merge as activemq_merge
from testbed.engines.rabbitmq import configuration as rabbitmq_configuration


def check(
    engine_type: str,
    version: str,
    deployment_mode: str,
    settings: Mapping[str, Any],
    configuration: Configuration,
) -> None:
    """Raises ``BadRequestException`` for a configuration with what such a broker does not take, or would not start with.

    ``settings`` are CreateBroker's members by the API's names: limits depend on ``HostInstanceType``.
    """
    if engine_type == "ACTIVEMQ":
        activemq_merge.check(configuration.data, version)
        return
    rabbitmq_configuration.settings(
        configuration.data,
        version,
        deployment_mode=deployment_mode,
        instance_type=settings.get("HostInstanceType", DEFAULT_INSTANCE_TYPE[engine_type]),
        revision=configuration.revision,
    )
