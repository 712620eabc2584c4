"""The testbed's own broker of each engine: one instance under a customer managed key, made the first time it is asked for."""

import secrets
from dataclasses import dataclass

from testbed.broker.model import Broker, CreateBroker
from testbed.broker.service import Brokers
from testbed.engines.base import User
from testbed.errors import KmsError, NotFoundException
from testbed.kms.base import USER, Kms
from testbed.kms.keys import EncryptionOptions

NAMES = {"RABBITMQ": "rabbitmq", "ACTIVEMQ": "activemq"}
USERNAME = "testbed"


@dataclass(frozen=True)
class Wish:
    """What may be asked of a standing broker that does not exist yet. An empty value leaves it to the default."""

    engine_version: str = ""
    image: str = ""
    fixed_ports: bool = False
    kms_key_id: str = ""


def standing(brokers: Brokers, kms: Kms, engine_type: str, wish: Wish = Wish()) -> Broker:
    """The standing broker of ``engine_type``, created if there is none, its nodes attached again if they have stopped.

    Raises what ``Brokers.create`` and ``Brokers.attach`` raise.
    """
    name = NAMES[engine_type]
    try:
        return brokers.revive(name)
    except NotFoundException:
        pass
    request = CreateBroker(
        broker_name=name,
        engine_type=engine_type,
        engine_version=wish.engine_version,
        storage_type="EBS",
        users=(
            User(USERNAME, new_password(), groups=("admins",) if engine_type == "ACTIVEMQ" else ()),
        ),
        encryption_options=EncryptionOptions(
            False, wish.kms_key_id or customer_key(kms, f"alias/testbed-{name}")
        ),
        fixed_ports=wish.fixed_ports,
        image=wish.image,
    )
    return brokers.create(request)


def customer_key(kms: Kms, alias: str) -> str:
    """The ARN of the user's key of that alias, made if there is none. Raises ``KmsError``."""
    try:
        return kms.call(USER, "DescribeKey", {"KeyId": alias})["KeyMetadata"]["Arn"]
    except KmsError as error:
        if error.code != "NotFoundException":
            raise
    arn = kms.call(
        USER,
        "CreateKey",
        {"Description": f"Encrypts the testbed's {alias.removeprefix('alias/testbed-')} broker"},
    )["KeyMetadata"]["Arn"]
    kms.call(USER, "CreateAlias", {"AliasName": alias, "TargetKeyId": arn})
    return arn


def new_password() -> str:
    """Random, and fit for a URL as it is."""
    return secrets.token_urlsafe(18)
