"""The requests CreateBroker and UpdateBroker, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.broker.encryption import EncryptionOptions
from testbed.documented.engines import DEFAULT_VERSION
from testbed.engines.base import Defects, NetworkConnector, User
from testbed.storage.volumes import Kind


@dataclass(frozen=True)
class Configuration:
    """A revision of a customer's configuration (API, ``ConfigurationId``), with its text."""

    id: str
    revision: int
    data: str = field(default="", repr=False)


@dataclass(frozen=True)
class CreateBroker:
    """The request of that name (API). What follows ``configuration`` is the testbed's own.

    ``engine_version`` is major.minor; empty means the default. ``settings`` are further members
    by the API's names: they are checked, kept and returned, and have no effect here.
    ``network_connectors`` join an ActiveMQ broker to others. ``inter_node_tls`` encrypts the
    traffic between the nodes of a RabbitMQ cluster, which Amazon MQ does not do.
    ``volume_kind`` is what its volumes are made of, instead of the testbed's choice for EBS, and
    block volumes have ``volume_scale`` of the documented size, instead of the testbed's.
    ``fixed_ports`` publishes the documented ports instead of free ones. ``image`` is an image of
    the user's own. ``defects`` make a control broker for a check.
    """

    broker_name: str
    engine_type: str
    users: tuple[User, ...]
    engine_version: str = ""
    deployment_mode: str = "SINGLE_INSTANCE"
    storage_type: str = ""
    encryption_options: EncryptionOptions = field(default_factory=EncryptionOptions)
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    configuration: Configuration | None = None
    network_connectors: tuple[NetworkConnector, ...] = ()
    inter_node_tls: bool = False
    volume_kind: Kind | None = None
    volume_scale: float | None = None
    fixed_ports: bool = False
    image: str = ""
    defects: Defects | None = None

    @property
    def version(self) -> str:
        """The engine version, the default if the request names none."""
        return self.engine_version or DEFAULT_VERSION[self.engine_type]

    def parameters(self) -> dict[str, Any]:
        """Return the request by the API's names, as CloudTrail gets it. It holds the passwords."""
        options = self.encryption_options
        return {
            "BrokerName": self.broker_name,
            "EngineType": self.engine_type,
            "EngineVersion": self.engine_version,
            "DeploymentMode": self.deployment_mode,
            "StorageType": self.storage_type,
            "EncryptionOptions": {
                "UseAwsOwnedKey": options.use_aws_owned_key,
                "KmsKeyId": options.kms_key_id,
            },
            "Tags": dict(self.tags),
            **self.settings,
            "Users": [
                {
                    "Username": user.username,
                    "Password": user.password,
                    "ConsoleAccess": user.console_access,
                    "Groups": list(user.groups),
                }
                for user in self.users
            ],
        }


@dataclass(frozen=True)
class UpdateBroker:
    """The request of that name (API), except ``BrokerId``. None leaves a member as it is.

    ``settings`` are further members by the API's names.
    """

    engine_version: str | None = None
    configuration: Configuration | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """Return the request by the API's names, as CloudTrail gets it."""
        configuration = self.configuration
        return {
            **({"EngineVersion": self.engine_version} if self.engine_version is not None else {}),
            **(
                {"Configuration": {"Id": configuration.id, "Revision": configuration.revision}}
                if configuration
                else {}
            ),
            **self.settings,
        }
