"""The host instance types of each engine, with their versions and storage.

Sources: API, STOR, RABBIT4, LIM; user reports.
"""

from dataclasses import dataclass

from testbed.documented.engines import DEPLOYMENT_MODES, VERSIONS


@dataclass(frozen=True)
class InstanceOption:
    """A row of DescribeBrokerInstanceOptions: what a broker on ``host_instance_type`` may be."""

    engine_type: str
    host_instance_type: str
    storage_type: str
    deployment_modes: tuple[str, ...]
    engine_versions: tuple[str, ...]


_M5 = ("mq.m5.large", "mq.m5.xlarge", "mq.m5.2xlarge", "mq.m5.4xlarge")
_M7G = tuple(
    f"mq.m7g.{size}"
    for size in (
        "medium",
        "large",
        "xlarge",
        "2xlarge",
        "4xlarge",
        "8xlarge",
        "12xlarge",
        "16xlarge",
    )
)
_SINGLE = ("SINGLE_INSTANCE",)

# RabbitMQ 4 runs on mq.m7g only (RABBIT4); 3.13 also runs on mq.m5, and as a single instance on
# mq.t3.micro (VER). ActiveMQ has EBS on mq.m5 only, and only for single instances (STOR).
INSTANCE_OPTIONS = (
    *(
        InstanceOption("ACTIVEMQ", name, "EFS", DEPLOYMENT_MODES["ACTIVEMQ"], VERSIONS["ACTIVEMQ"])
        for name in ("mq.t3.micro", *_M5)
    ),
    *(InstanceOption("ACTIVEMQ", name, "EBS", _SINGLE, VERSIONS["ACTIVEMQ"]) for name in _M5),
    InstanceOption("RABBITMQ", "mq.t3.micro", "EBS", _SINGLE, ("3.13",)),
    *(
        InstanceOption("RABBITMQ", name, "EBS", DEPLOYMENT_MODES["RABBITMQ"], ("3.13",))
        for name in _M5
    ),
    *(
        InstanceOption("RABBITMQ", name, "EBS", DEPLOYMENT_MODES["RABBITMQ"], VERSIONS["RABBITMQ"])
        for name in _M7G
    ),
)


def storage_size(host_instance_type: str) -> int:
    """Return the gigabytes of a node's storage (LIM), for mq.m7g those of the types before it."""
    return 20 if host_instance_type.endswith(".micro") else 200


def has_configurable_storage(
    engine_type: str, version: str, deployment_mode: str, host_instance_type: str
) -> bool:
    """Return whether ``StorageSize`` may be chosen: for clusters of RabbitMQ 4 on mq.m7g (API).

    In steps of ``STORAGE_STEP`` gigabytes.
    """
    return (
        engine_type == "RABBITMQ"
        and not version.startswith("3.")
        and deployment_mode == "CLUSTER_MULTI_AZ"
        and host_instance_type.startswith("mq.m7g.")
    )


STORAGE_STEP = 5

# Reported for a broker created without an instance type.
DEFAULT_INSTANCE_TYPE = {"ACTIVEMQ": "mq.m5.large", "RABBITMQ": "mq.m7g.large"}

# The spelling in error messages, and in DescribeBroker if CreateBroker used it.
DISPLAY_NAMES = {"ACTIVEMQ": "ActiveMQ", "RABBITMQ": "RabbitMQ"}
