"""The testbed's default broker of each engine: one instance under a customer managed key."""

import secrets
from dataclasses import dataclass

from testbed.broker.encryption import EncryptionOptions
from testbed.broker.model import Broker
from testbed.broker.requests import CreateBroker
from testbed.broker.service import Brokers
from testbed.engines.base import User
from testbed.errors import KmsError, NotFoundException
from testbed.kms.base import Caller, Kms

NAMES = {"RABBITMQ": "rabbitmq", "ACTIVEMQ": "activemq"}
USERNAME = "testbed"


@dataclass(frozen=True)
class DefaultBrokerOptions:
    """Options for a default broker that does not exist yet. An empty value means the default."""

    engine_version: str = ""
    image: str = ""
    fixed_ports: bool = False
    kms_key_id: str = ""


def ensure(
    brokers: Brokers, kms: Kms, user: Caller, engine_type: str, options: DefaultBrokerOptions
) -> Broker:
    """Return the user's default broker of ``engine_type``.

    Create it, or start its stopped nodes again. Raises what ``Brokers.create`` and
    ``Brokers.revive`` raise.
    """
    name = NAMES[engine_type]
    try:
        return brokers.revive(name, user)
    except NotFoundException:
        pass
    groups = ("admins",) if engine_type == "ACTIVEMQ" else ()
    key_id = options.kms_key_id or customer_key(kms, user, f"alias/testbed-{name}")
    return brokers.create(
        CreateBroker(
            broker_name=name,
            engine_type=engine_type,
            engine_version=options.engine_version,
            storage_type="EBS",
            users=(User(USERNAME, new_password(), groups=groups),),
            encryption_options=EncryptionOptions(use_aws_owned_key=False, kms_key_id=key_id),
            fixed_ports=options.fixed_ports,
            image=options.image,
        ),
        user,
    )


def customer_key(kms: Kms, user: Caller, alias: str) -> str:
    """Return the ARN of the user's key behind ``alias``; create both on first use.

    Raises ``KmsError``.
    """
    try:
        return str(kms.call(user, "DescribeKey", {"KeyId": alias})["KeyMetadata"]["Arn"])
    except KmsError as error:
        if error.code != "NotFoundException":
            raise
    description = f"Encrypts the testbed's {alias.removeprefix('alias/testbed-')} broker"
    answer = kms.call(user, "CreateKey", {"Description": description})
    arn = str(answer["KeyMetadata"]["Arn"])
    kms.call(user, "CreateAlias", {"AliasName": alias, "TargetKeyId": arn})
    return arn


def new_password() -> str:
    """Return a random password that needs no quoting in a URL."""
    return secrets.token_urlsafe(18)
