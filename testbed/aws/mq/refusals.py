"""What Amazon MQ says when it refuses: one function a sentence, in AWS's words where they are known.

Sources: errors that users quote (issues of hashicorp/terraform-provider-aws: 33514, 41374, 42516 and 32446; ansible-collections/
community.aws 2130; cloudposse/terraform-aws-mq-broker 21), and moto's ``mq/exceptions.py``. Where AWS's words are not known
the sentence is the testbed's own, and its comment says so.
"""

from collections.abc import Iterable

from testbed.errors import (
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
)


def bad(sentence: str, attribute: str = "") -> BadRequestException:
    return BadRequestException(sentence, error_attribute=attribute)


# What is not there


def no_such_broker(broker_id: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested broker [{broker_id}]. Make sure your broker exists.",
        error_attribute="broker-id",
    )


def no_such_user(username: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested user [{username}]. Make sure your user exists.",
        error_attribute="username",
    )


def no_such_configuration(configuration_id: str) -> NotFoundException:
    return NotFoundException(
        f"Can't find requested configuration [{configuration_id}]. Make sure your configuration exists.",
        error_attribute="configuration_id",
    )


def no_such_revision(
    configuration_id: str, revision: object
) -> NotFoundException:  # the testbed's own, after its neighbours
    return NotFoundException(
        f"Can't find requested revision [{revision}] of configuration [{configuration_id}]. Make sure your revision exists.",
        error_attribute="configuration-revision",
    )


def no_such_resource(arn: str) -> NotFoundException:  # the testbed's own, after its neighbours
    return NotFoundException(
        f"Can't find requested resource [{arn}]. Make sure your resource exists.",
        error_attribute="resource-arn",
    )


# Requests of the wrong form; the sentences are the testbed's own


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
    return bad("[nextToken] is not one that an answer to the same request gave.", "nextToken")


# Brokers


def unknown_engine(value: str, allowed: Iterable[str]) -> BadRequestException:
    return bad(
        f"Broker engine type [{value}] is invalid. Valid values are: [{', '.join(allowed)}]",
        "engineType",
    )


def unknown_version(engine_type: str, version: str, allowed: Iterable[str]) -> BadRequestException:
    """The first sentence is AWS's."""
    invalid = (
        f"Broker engine version [{version}] is invalid for broker engine type [{engine_type}]."
    )
    return bad(f"{invalid} Valid values are: [{', '.join(allowed)}]", "engineVersion")


def unsupported_instance(engine: str, instance_type: str) -> BadRequestException:
    return bad(
        f"Broker engine type [{engine}] does not support host instance type [{instance_type}].",
        "hostInstanceType",
    )


def unsupported_instance_for(
    what: str, instance_type: str
) -> BadRequestException:  # the testbed's own, after the above
    return bad(f"{what} does not support host instance type [{instance_type}].", "hostInstanceType")


def no_minor_upgrades(engine: str, version: str) -> BadRequestException:
    return bad(
        f"Brokers on [{engine}] version [{version}] must have [autoMinorVersionUpgrade] set to [true].",
        "autoMinorVersionUpgrade",
    )


def not_one_user() -> BadRequestException:
    return bad("Specify exactly one user for engine type [RABBITMQ].", "users")


def audit_on_rabbitmq() -> BadRequestException:
    return bad("Audit logging is not supported for RabbitMQ brokers.", "logs.audit")


def security_groups_on_rabbitmq() -> BadRequestException:
    return bad("Changing security groups is not supported for RabbitMQ brokers.", "securityGroups")


def replication_user_on_console() -> BadRequestException:
    return bad(
        "Replication user couldn't have console access. [replicationUser] and [consoleAccess] are mutually exclusive parameters."
    )


def users_on_rabbitmq() -> BadRequestException:  # the testbed's own, after the above
    return bad(
        "Managing users is not supported for RabbitMQ brokers. Use the RabbitMQ web console or its management API.",
        "broker-id",
    )


def in_state(broker_id: str, state: str) -> ConflictException:  # the testbed's own
    return ConflictException(
        f"Broker [{broker_id}] is in state [{state}]. Wait until that is over.",
        error_attribute="broker-id",
    )


# What the testbed does not have


def not_here(what: str, attribute: str = "") -> BadRequestException:
    return bad(f"The testbed does not offer {what}.", attribute)


def other_account(account: str) -> ForbiddenException:
    return ForbiddenException(
        f"The testbed's brokers are in the account {account}: create them with its credentials."
    )
