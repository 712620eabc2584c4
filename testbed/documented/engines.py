"""Engines, their versions and deployment modes. Sources: VER, API."""

from dataclasses import dataclass

from testbed.errors import TestbedError

ENGINE_TYPES = ("ACTIVEMQ", "RABBITMQ")

# Supported versions, newest first (VER, 2026). CreateBroker takes major.minor.
VERSIONS = {"ACTIVEMQ": ("5.19", "5.18"), "RABBITMQ": ("4.3", "4.2", "3.13")}
# What a request means that names none (API), and what the testbed takes for its own brokers.
LATEST_VERSION = {engine: versions[0] for engine, versions in VERSIONS.items()}
DEFAULT_VERSION = {"ACTIVEMQ": "5.19", "RABBITMQ": "4.2"}

# The patch version that DescribeBroker shows where another one stands in for the version. 3.13.7 is
# one that users quote; those of RabbitMQ 4 are not documented.
PATCH_VERSIONS = {
    "ACTIVEMQ": {"5.19": "5.19.1", "5.18": "5.18.7"},
    "RABBITMQ": {"4.3": "4.3.0", "4.2": "4.2.0", "3.13": "3.13.7"},
}

DEPLOYMENT_MODES = {
    "ACTIVEMQ": ("SINGLE_INSTANCE", "ACTIVE_STANDBY_MULTI_AZ"),
    "RABBITMQ": ("SINGLE_INSTANCE", "CLUSTER_MULTI_AZ"),
}


def engine_type_of(name: str) -> str:
    """Return the engine type that ``name`` is, in upper or lower case.

    Raises ``TestbedError`` for another name.
    """
    if name.upper() not in ENGINE_TYPES:
        known = ", ".join(engine.lower() for engine in ENGINE_TYPES)
        raise TestbedError(f"Unknown engine {name!r}.", hint=f"There are: {known}.")
    return name.upper()


@dataclass(frozen=True)
class ActionRequired:
    """An entry of DescribeBroker's ``ActionsRequired``."""

    action_required_code: str
    action_required_info: str


# The index page spells RABBITMQ_INVALID_KMS_KEY, the page itself INVALID_KMS_KEY
# (KMSERR); which of them the API returns is unconfirmed. The code is documented for
# RabbitMQ only; for ActiveMQ the testbed uses the unprefixed spelling.
INVALID_KMS_KEY = {"RABBITMQ": "RABBITMQ_INVALID_KMS_KEY", "ACTIVEMQ": "INVALID_KMS_KEY"}

# The codes of RabbitMQ's alarms, by the resource that is short. While one lasts, publishers
# are blocked, and RebootBroker returns an exception (RABBITMQ_MEMORY_ALARM, RABBITMQ_DISK_ALARM in
# the Developer Guide's "Troubleshooting: Amazon MQ action required codes").
ALARMS = {"memory": "RABBITMQ_MEMORY_ALARM", "disk": "RABBITMQ_DISK_ALARM"}

# How many subnets of the default VPC a broker gets that names none. A single instance and a pair
# need exactly as many (API, SubnetIds).
SUBNETS = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 4}

# The storage types of each engine, the default first (API, STOR).
STORAGE_TYPES = {"ACTIVEMQ": ("EFS", "EBS"), "RABBITMQ": ("EBS",)}
# EBS asks for a 64-byte data key (XTS) under this context key (EBS). EFS's is taken from the KMS
# records in the EFS User Guide, "Encrypting data at rest".
VOLUME_CONTEXT_KEY = {"EBS": "aws:ebs:id", "EFS": "aws:elasticfilesystem:filesystem:id"}
VOLUME_KEY_BYTES = 64

# Seconds. "It may take several hours to deactivate a key or revoke a grant" (DP-NEW).
SEVERAL_HOURS = 3 * 3600.0
