"""A small model of brokers, over that of keys and grants, as the documents have it."""

from dataclasses import dataclass, field

from tests.support.kms_model import ACCOUNT, EBS, EFS, OWNER, SERVICE, Context, Model, ModelGrant

RUNNING, CRITICAL, REBOOTING = "RUNNING", "CRITICAL_ACTION_REQUIRED", "REBOOT_IN_PROGRESS"
# What KMSERR calls a disabled key; for ActiveMQ the testbed's own choice of the two spellings.
CODE = {"RABBITMQ": "RABBITMQ_INVALID_KMS_KEY", "ACTIVEMQ": "INVALID_KMS_KEY"}
# By engine, deployment mode and storage, the grants of a broker on a customer's key (DP).
_ONE = ("mq_grant", "ebs_grant")
KINDS = {
    ("RABBITMQ", "SINGLE_INSTANCE", "EBS"): _ONE,
    ("RABBITMQ", "CLUSTER_MULTI_AZ", "EBS"): (
        "mq_grant",
        "mq_rabbit_grant",
        "ebs_grant",
        "ebs_grant",
        "ebs_grant",
    ),
    ("ACTIVEMQ", "SINGLE_INSTANCE", "EBS"): _ONE,
    ("ACTIVEMQ", "ACTIVE_STANDBY_MULTI_AZ", "EFS"): ("mq_grant", "efs_grant"),
}
# Of each grant: who retires it, and who may do what by it. The first one of a cluster is wider.
_USING = {
    "CreateGrant",
    "Decrypt",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "DescribeKey",
}
_GRANTS = {
    "mq_grant": (SERVICE, SERVICE, _USING),
    "mq_rabbit_grant": (SERVICE, SERVICE, {"DescribeKey"}),
    "ebs_grant": (EBS, SERVICE, {"Decrypt"}),
    "efs_grant": (EFS, EFS, {"Decrypt"}),
}
_OF_A_CLUSTER = {"mq_grant": (SERVICE, SERVICE, _USING | {"Encrypt", "GenerateDataKey"})}
CONTEXT_KEY = {"EBS": "aws:ebs:id", "EFS": "aws:elasticfilesystem:filesystem:id"}


@dataclass(frozen=True)
class ModelVolume:
    """A volume, which outlives its broker here. ``key`` is None for Amazon MQ's own."""

    volume_id: str
    key: int | None
    storage: str

    @property
    def context(self) -> Context:
        return ((CONTEXT_KEY[self.storage], self.volume_id),)


@dataclass
class ModelBroker:
    """``grants`` has the volume of each grant by its id; ``checked`` is the last key check."""

    engine: str
    key: int | None
    grants: dict[str, str]
    volumes: list[ModelVolume]
    checked: float
    state: str = RUNNING


@dataclass
class ModelAccount(Model):
    brokers: dict[str, ModelBroker] = field(default_factory=dict)

    # Conditions

    def creatable(self, key: int | None) -> bool:
        """Return whether a broker can be created: a key about to be disabled is refused at once."""
        return key is None or (self.exists(key) and self.keys[key].state == "Enabled")

    def maintainable(self, broker: ModelBroker, volume_id: str = "") -> bool:
        """Return whether the key and all grants are in effect, and the data keys open.

        With ``volume_id`` it is about that volume alone.
        """
        if broker.key is None:
            return True
        needed = [
            grant_id
            for grant_id, bound in broker.grants.items()
            if not volume_id or bound in ("", volume_id)
        ]
        return (
            self.exists(broker.key)
            and self.effective(broker.key) == "Enabled"
            and all(self.in_effect(self.grants[grant_id]) for grant_id in needed)
            and all(
                self.opens(volume)
                for volume in broker.volumes
                if volume_id in ("", volume.volume_id)
            )
        )

    def opens(self, volume: ModelVolume) -> bool:
        """Return whether KMS opens the data key, by any permission."""
        caller = EFS if volume.storage == "EFS" else SERVICE
        return volume.key is None or not self.decrypt(
            caller, volume.key, volume.context, volume.context
        )

    def attaches(self, broker: ModelBroker, volume: ModelVolume) -> bool:
        return self.maintainable(broker, volume.volume_id) and self.opens(volume)

    # Effects

    def created(
        self,
        broker_id: str,
        engine: str,
        key: int | None,
        granted: list[tuple[str, str, ModelVolume | None]],
        volumes: list[ModelVolume],
    ) -> None:
        """Add a broker. ``granted`` has name, id and volume of each grant."""
        shapes = _GRANTS | (
            _OF_A_CLUSTER if "mq_rabbit_grant" in [name for name, _, _ in granted] else {}
        )
        for name, grant_id, volume in granted:
            assert key is not None
            retiring, grantee, operations = shapes[name]
            self.grants[grant_id] = ModelGrant(
                key,
                grantee,
                frozenset(operations),
                subset=volume.context if volume else (),
                retiring=retiring,
                issuer=ACCOUNT[OWNER],
            )
        bound = {grant_id: volume.volume_id if volume else "" for _, grant_id, volume in granted}
        self.brokers[broker_id] = ModelBroker(engine, key, bound, volumes, self.now)

    def check(self, broker_id: str) -> ModelBroker:
        broker = self.brokers[broker_id]
        if broker.state != REBOOTING:
            broker.state, broker.checked = (
                RUNNING if self.maintainable(broker) else CRITICAL,
                self.now,
            )
        return broker

    def reboot(self, broker_id: str) -> bool:
        """Return whether the reboot begins."""
        broker = self.check(broker_id)
        begun = broker.state == RUNNING
        broker.state = REBOOTING if begun else broker.state
        return begun

    def rebooted(self, broker_id: str) -> None:
        """End a reboot, whether or not the nodes came back."""
        self.brokers[broker_id].state = RUNNING
        self.check(broker_id)

    def deleted(self, broker_id: str) -> None:
        broker = self.brokers.pop(broker_id)
        for grant_id in broker.grants:
            if (
                broker.key is not None
                and self.exists(broker.key)
                and self.grants[grant_id].ends is None
            ):
                self.end(grant_id)
