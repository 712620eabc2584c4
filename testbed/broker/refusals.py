"""The sentences with which Amazon MQ refuses requests, in AWS's words where they are known.

Sources: errors that users quote (issues of hashicorp/terraform-provider-aws: 14223, 19067, 25985,
33514, 41374, 42516, 47285 and 32446, and its pull request 3106; aws-controllers-k8s/community 1517;
ansible-collections/community.aws 2130; cloudposse/terraform-aws-mq-broker 21), and moto's
``mq/exceptions.py``. Sentences of the testbed's own are marked as such.
"""

from collections.abc import Iterable

from testbed.broker.model import Broker
from testbed.documented.engines import ENGINE_TYPES, VERSIONS
from testbed.documented.instance_types import DISPLAY_NAMES, STORAGE_STEP
from testbed.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)

_WAYS_ON = {
    "CREATION_FAILED": "Delete it, and create another one.",
    "CRITICAL_ACTION_REQUIRED": "EnableKey, CancelKeyDeletion and then EnableKey, or "
    "ImportKeyMaterial; then wait for the next check.",
}


def bad(sentence: str, attribute: str = "") -> BadRequestException:
    """Return a refusal with the sentence."""
    return BadRequestException(sentence, error_attribute=attribute)


# Unknown resources


def no_such_broker(broker_id: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested broker [{broker_id}]. Make sure your broker exists.",
        error_attribute="broker-id",
        hint="`testbed status` lists them.",
    )


def no_such_user(username: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested user [{username}]. Make sure your user exists.",
        error_attribute="username",
    )


def no_such_configuration(configuration_id: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested configuration [{configuration_id}]. "
        "Make sure your configuration exists.",
        error_attribute="configuration_id",
    )


def no_such_revision(configuration_id: str, revision: object) -> NotFoundException:
    """Return the testbed's own sentence, modelled on its neighbours."""
    return NotFoundException(
        f"Can't find requested revision [{revision}] of configuration [{configuration_id}]. "
        "Make sure your revision exists.",
        error_attribute="configuration-revision",
    )


def no_such_resource(arn: str) -> NotFoundException:
    """Return the testbed's own sentence, modelled on its neighbours."""
    return NotFoundException(
        f"Can't find requested resource [{arn}]. Make sure your resource exists.",
        error_attribute="resource-arn",
    )


# Malformed requests; the sentences are the testbed's own


def missing(member: str) -> BadRequestException:
    return bad(f"[{member}] is required.", member)


def invalid(member: str, value: object, allowed: Iterable[str]) -> BadRequestException:
    return bad(
        f"[{member}] value [{value}] is invalid. Valid values are: [{', '.join(allowed)}]", member
    )


def out_of_range(member: str, value: object, least: object, most: object) -> BadRequestException:
    return bad(
        f"[{member}] value [{value}] is invalid. It must be between {least} and {most}.", member
    )


def bad_token() -> BadRequestException:
    return bad("[nextToken] is not from an answer to the same request.", "nextToken")


# Brokers


def unknown_engine(engine_type: str) -> BadRequestException:
    return bad(
        f"Broker engine type [{engine_type}] is invalid. "
        f"Valid values are: [{', '.join(ENGINE_TYPES)}]",
        "engineType",
    )


def unknown_version(engine_type: str, version: str) -> BadRequestException:
    return bad(
        f"Broker engine version [{version}] is invalid for broker engine type [{engine_type}]. "
        f"Valid values: [{', '.join(VERSIONS[engine_type])}].",
        "engineVersion",
    )


def downgrade(current: str, version: str) -> BadRequestException:
    """Return the testbed's own sentence."""
    return bad(
        f"Broker engine version [{version}] is older than [{current}]: "
        "a broker cannot be downgraded.",
        "engineVersion",
    )


def unsupported_instance(
    engine_type: str, instance_type: str, qualifier: str = ""
) -> BadRequestException:
    """Return AWS's sentence; with a ``qualifier`` of the engine it is the testbed's own."""
    engine = f"Broker engine type [{DISPLAY_NAMES[engine_type]}]"
    return bad(
        f"{engine}{qualifier} does not support host instance type [{instance_type}].",
        "hostInstanceType",
    )


def unsupported_deployment(engine_type: str, deployment_mode: str) -> BadRequestException:
    """Return the testbed's own sentence, modelled on its neighbours."""
    return bad(
        f"Broker engine type [{DISPLAY_NAMES[engine_type]}] does not support "
        f"deployment mode [{deployment_mode}].",
        "deploymentMode",
    )


def unsupported_storage(deployment_mode: str, storage_type: str) -> BadRequestException:
    """Return the testbed's own sentence, modelled on its neighbours."""
    return bad(
        f"Deployment mode [{deployment_mode}] does not support storage type [{storage_type}].",
        "storageType",
    )


def subnets(deployment_mode: str, count: int) -> BadRequestException:
    """Return the testbed's own sentence."""
    return bad(
        f"Deployment mode [{deployment_mode}] requires {count} "
        f"{'subnet' if count == 1 else 'subnets in different Availability Zones'}.",
        "subnetIds",
    )


def subnet_twice() -> BadRequestException:
    """Return the testbed's own sentence, in the words of the API's description."""
    return bad("The subnets must be in different Availability Zones.", "subnetIds")


def no_such_subnet(subnet_id: str) -> BadRequestException:
    """Return EC2's sentence; which one Amazon MQ has is not known."""
    return bad(f"The subnet ID '{subnet_id}' does not exist", "subnetIds")


def no_such_security_group(group_id: str) -> BadRequestException:
    """Return EC2's sentence; which one Amazon MQ has is not known."""
    return bad(f"The security group '{group_id}' does not exist", "securityGroups")


def no_default_vpc() -> BadRequestException:
    return bad("Default VPC not found")


def not_in_default_vpc() -> BadRequestException:
    return bad(
        "Subnets and security groups must belong to the default VPC when only one is provided."
    )


def several_vpcs() -> BadRequestException:
    return bad("Subnets must belong to the same VPC.", "subnetIds")


def security_groups_elsewhere() -> BadRequestException:
    """Return the testbed's own sentence."""
    return bad("Security groups must belong to the VPC of the subnets.", "securityGroups")


def no_internet_gateway() -> BadRequestException:
    return bad(
        "The VPC associated with the provided subnets must have an available internet gateway "
        "attachment."
    )


def security_groups_of_public_broker() -> BadRequestException:
    return bad(
        "Broker with [publiclyAccessible] set to true does not support specifying [securityGroups]",
        "securityGroups",
    )


def no_minor_upgrades(engine_type: str, version: str) -> BadRequestException:
    return bad(
        f"Brokers on [{DISPLAY_NAMES[engine_type]}] version [{version}] "
        "must have [autoMinorVersionUpgrade] set to [true].",
        "autoMinorVersionUpgrade",
    )


def name_taken(broker_name: str) -> ConflictException:
    """Return the testbed's own sentence."""
    return ConflictException(
        f"A broker named {broker_name} already exists.", error_attribute="brokerName"
    )


def creator_request_id_used() -> ConflictException:
    """Return the testbed's own sentence."""
    return ConflictException(
        "[creatorRequestId] was used for another broker.", error_attribute="creatorRequestId"
    )


def in_state(broker: Broker, operation: str) -> BadRequestException:
    """Return AWS's sentence for DeleteBroker, adapted to the other operations.

    The reasons for a required action, in brackets, are the testbed's addition.
    """
    change = {"DeleteBroker": "deleted", "RebootBroker": "rebooted"}.get(operation, "updated")
    reasons = "; ".join(
        ": ".join(filter(None, (action.action_required_code, action.action_required_info)))
        for action in broker.actions_required
    )
    hint = _WAYS_ON.get(broker.broker_state, "Wait until it has finished.")
    if any(node.failure for node in broker.nodes) and not broker.key_problem:
        hint = f"`testbed logs {broker.broker_name}` shows more; `testbed up` tries again at once."
    elif broker.alarms and not broker.key_problem:
        hint = "Consume or purge messages until the alarm ends."
    return BadRequestException(
        f"Broker [{broker.broker_name}] can't be {change} while in state [{broker.broker_state}]"
        + (f" ({reasons})" if reasons else ""),
        error_attribute="broker-id",
        hint=hint,
    )


def audit_on_rabbitmq() -> BadRequestException:
    return bad("Audit logging is not supported for RabbitMQ brokers.", "logs.audit")


def security_groups_on_rabbitmq() -> BadRequestException:
    return bad("Changing security groups is not supported for RabbitMQ brokers.", "securityGroups")


# Users


def not_one_user() -> BadRequestException:
    return bad("Specify exactly one user for engine type [RABBITMQ].", "users")


def user_exists(username: str) -> ConflictException:
    return ConflictException(
        f"A user named {username} already exists on this broker.", error_attribute="username"
    )


def replication_user_on_console() -> BadRequestException:
    return bad(
        "Replication user couldn't have console access. "
        "[replicationUser] and [consoleAccess] are mutually exclusive parameters."
    )


def users_on_rabbitmq() -> BadRequestException:
    """Return the testbed's own sentence, modelled on its neighbours."""
    return bad(
        "Managing users is not supported for RabbitMQ brokers. "
        "Use the RabbitMQ web console or its management API.",
        "broker-id",
    )


# Configurations


def configuration_exists() -> ConflictException:
    return ConflictException(
        "This configuration name already exists. Retry your request with another configuration "
        "name.",
        error_attribute="name",
    )


def configuration_in_use(configuration_id: str, broker_id: str) -> ConflictException:
    """Return the testbed's own sentence."""
    return ConflictException(
        f"Configuration [{configuration_id}] is in use by broker [{broker_id}].",
        error_attribute="configuration-id",
    )


def configuration_of_other_engine(configuration_id: str, engine_type: str) -> BadRequestException:
    """Return the testbed's own sentence."""
    return bad(
        f"Configuration [{configuration_id}] is for broker engine type [{engine_type}].",
        "configuration",
    )


# What the testbed lacks


def storage_not_configurable() -> BadRequestException:
    """Return the refusal, in the words of the service's announcement."""
    return bad(
        "Configurable storage is available for RabbitMQ M7g brokers on version 4.2 or later using "
        "cluster deployments only.",
        "storageSize",
    )


def storage_size(size: int, least: int) -> BadRequestException:
    """Return the testbed's own sentence."""
    return bad(
        f"[storageSize] value [{size}] is invalid. Sizes are in increments of {STORAGE_STEP} GB, "
        f"and this broker's is at least {least} GB: it cannot shrink.",
        "storageSize",
    )


def storage_without_size() -> BadRequestException:
    """Return the testbed's own sentence."""
    return BadRequestException(
        "The testbed does not offer volumes of a chosen size where they are files.",
        error_attribute="storageSize",
        hint="`testbed up --volumes block`, where the engine has loop devices.",
    )


def not_offered(what: str, attribute: str = "") -> BadRequestException:
    return bad(f"The testbed does not offer {what}.", attribute)
