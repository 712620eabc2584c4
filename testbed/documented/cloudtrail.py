"""What AWS CloudTrail records of calls on KMS and on Amazon MQ, member by member.

Sources: CTG, KMSG, CTAPI, DP, GUIDE22.

The tables list what is recorded. A member that is not in them is never recorded, whatever its name:
plaintext, ciphertext, key material, grant tokens and messages are simply not mentioned here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# CTG: the current version; DP's samples have 1.08. A newer minor version only adds members.
EVENT_VERSION = "1.11"
KMS_SOURCE, MQ_SOURCE = "kms.amazonaws.com", "amazonmq.amazonaws.com"
AWS_INTERNAL = "AWS Internal"  # KMSG: deletes keys that are due, and rotates them

# DP shows the CreateGrant calls that Amazon MQ makes in the session of the broker's creator under
# Amazon MQ's event source. All other samples of KMS calls (KMSG, and DP's own of EBS) have KMS's.
FORWARDED_BY, FORWARDED_UNDER_MQ_SOURCE = "mq.amazonaws.com", frozenset({"CreateGrant"})

KMS_KEY, MQ_BROKER, MQ_CONFIGURATION = (
    "AWS::KMS::Key",
    "AWS::AmazonMQ::Broker",
    "AWS::AmazonMQ::Configuration",
)

IAM_ROLE = "AWS::IAM::Role"

# CTAPI: LookupEvents.
LOOKUP_ATTRIBUTES = (
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
)
LOOKUP_MAX_RESULTS = 50
LOOKUP_VALUE = 2000  # characters

# CTG: a log file holds the events of about five minutes; its name ends in 16 random characters.
DELIVERY_SECONDS, UNIQUE_CHARACTERS = 300, 16


class Shown(Enum):
    """How a member is recorded."""

    VALUE = "unchanged: a string, number or boolean; a time in CloudTrail's format"
    LIST = "a list of such values"
    MAP = "names and values chosen by the caller"
    TAGS = "KMS's list of tags"
    HIDDEN = "three asterisks"


# A member is one of the above, a structure, or (in a list) a list of structures.
Members = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """What is recorded of an operation. An empty ``request`` or ``response`` is recorded as null.

    ``keys`` are the request's members that name a key. With ``key_in_response``,
    ``responseElements.keyId`` is the key's ARN, though not returned (KMSG: since December 2022).
    ``defaults`` are recorded for members that the request leaves out (KMSG, Decrypt).
    """

    request: Members
    response: Members = field(default_factory=dict)
    read_only: bool = True
    keys: tuple[str, ...] = ("KeyId",)
    key_in_response: bool = False
    defaults: Mapping[str, str] = field(default_factory=dict)


def _members(values: str, **others: Any) -> Members:
    return dict.fromkeys(values.split(), Shown.VALUE) | others


_KEY = _members("KeyId")
_KEY_STORE = _members("CustomKeyStoreId")
_MULTI_REGION_KEY = _members("Arn Region")
_KEY_METADATA = _members(
    "AWSAccountId KeyId Arn CreationDate Enabled Description KeyUsage KeyState DeletionDate "
    "ValidTo Origin CustomKeyStoreId CloudHsmClusterId ExpirationModel KeyManager KeySpec "
    "CustomerMasterKeySpec MultiRegion PendingDeletionWindowInDays",
    EncryptionAlgorithms=Shown.LIST,
    SigningAlgorithms=Shown.LIST,
    MacAlgorithms=Shown.LIST,
    KeyAgreementAlgorithms=Shown.LIST,
    MultiRegionConfiguration=_members(
        "MultiRegionKeyType", PrimaryKey=_MULTI_REGION_KEY, ReplicaKeys=[_MULTI_REGION_KEY]
    ),
)
_CONSTRAINTS = _members(
    "SourceArn", EncryptionContextSubset=Shown.MAP, EncryptionContextEquals=Shown.MAP
)
_PAGE = "Limit Marker"
_SYMMETRIC = "SYMMETRIC_DEFAULT"


def _crypto(
    values: str, *, context: bool = True, defaults: Mapping[str, str] | None = None
) -> Event:
    """Return a cryptographic operation: read-only to CloudTrail, and without response (KMSG)."""
    others = {"EncryptionContext": Shown.MAP} if context else {}
    return Event(_members(f"KeyId {values} DryRun", **others), defaults=defaults or {})


def _change(
    request: Members,
    response: Members | None = None,
    *,
    key_in_response: bool = False,
    keys: tuple[str, ...] = ("KeyId",),
) -> Event:
    return Event(
        request, response or {}, read_only=False, keys=keys, key_in_response=key_in_response
    )


# KMSG, one page for each operation. No sample (KMSG, DP) has CreateGrant's Name, so it is left out.
KMS_EVENTS: Mapping[str, Event] = {
    "CancelKeyDeletion": _change(_KEY, _KEY),
    "ConnectCustomKeyStore": _change(_KEY_STORE, keys=()),
    "CreateAlias": _change(
        _members("AliasName TargetKeyId"), key_in_response=True, keys=("AliasName", "TargetKeyId")
    ),
    "CreateCustomKeyStore": _change(
        _members("CustomKeyStoreName CustomKeyStoreType CloudHsmClusterId"), _KEY_STORE, keys=()
    ),
    "CreateGrant": _change(
        _members(
            "KeyId GranteePrincipal GranteeServicePrincipal RetiringPrincipal "
            "RetiringServicePrincipal DryRun",
            Constraints=_CONSTRAINTS,
            Operations=Shown.LIST,
        ),
        _members("GrantId"),
        key_in_response=True,
    ),
    "CreateKey": _change(
        _members(
            "Policy Description KeyUsage KeySpec CustomerMasterKeySpec Origin "
            "CustomKeyStoreId MultiRegion BypassPolicyLockoutSafetyCheck",
            Tags=Shown.TAGS,
        ),
        {"KeyMetadata": _KEY_METADATA},
        keys=(),
    ),
    "Decapsulate": _crypto("EncapsulationAlgorithm", context=False),
    "Decrypt": _crypto("EncryptionAlgorithm", defaults={"encryptionAlgorithm": _SYMMETRIC}),
    "DeleteAlias": _change(_members("AliasName"), key_in_response=True, keys=("AliasName",)),
    "DeleteCustomKeyStore": _change(_KEY_STORE, keys=()),
    "DeleteImportedKeyMaterial": _change(
        _members("KeyId KeyMaterialId"), _members("KeyMaterialId"), key_in_response=True
    ),
    "DeriveSharedSecret": _crypto("KeyAgreementAlgorithm", context=False),
    "DescribeCustomKeyStores": Event(
        _members(f"CustomKeyStoreId CustomKeyStoreName {_PAGE}"), keys=()
    ),
    "DescribeKey": Event(_KEY),
    "DisableKey": _change(_KEY, key_in_response=True),
    "DisableKeyRotation": _change(_KEY, key_in_response=True),
    "DisconnectCustomKeyStore": _change(_KEY_STORE, keys=()),
    "EnableKey": _change(_KEY, key_in_response=True),
    "EnableKeyRotation": _change(_members("KeyId RotationPeriodInDays"), key_in_response=True),
    "Encapsulate": _crypto("EncapsulationAlgorithm", context=False),
    "Encrypt": _crypto("EncryptionAlgorithm", defaults={"encryptionAlgorithm": _SYMMETRIC}),
    "GenerateDataKey": _crypto("KeySpec NumberOfBytes"),
    "GenerateDataKeyPair": _crypto("KeyPairSpec"),
    "GenerateDataKeyPairWithoutPlaintext": _crypto("KeyPairSpec"),
    "GenerateDataKeyWithoutPlaintext": _crypto("KeySpec NumberOfBytes"),
    "GenerateMac": _crypto("MacAlgorithm", context=False),
    "GenerateRandom": Event(_members("NumberOfBytes CustomKeyStoreId"), keys=()),
    "GetKeyLastUsage": Event(_KEY),
    "GetKeyPolicy": Event(_members("KeyId PolicyName")),
    "GetKeyRotationStatus": Event(_KEY),
    "GetParametersForImport": Event(_members("KeyId WrappingAlgorithm WrappingKeySpec")),
    "GetPublicKey": Event(_KEY),
    "ImportKeyMaterial": _change(
        _members("KeyId ValidTo ExpirationModel ImportType KeyMaterialId"),
        _members("KeyMaterialId"),
        key_in_response=True,
    ),
    "ListAliases": Event(_members(f"KeyId {_PAGE}")),
    "ListGrants": Event(_members(f"KeyId GrantId GranteePrincipal {_PAGE}")),
    "ListKeyPolicies": Event(_members(f"KeyId {_PAGE}")),
    "ListKeyRotations": Event(_members(f"KeyId {_PAGE}")),
    "ListKeys": Event(_members(_PAGE, ResourceOwners=Shown.LIST), keys=()),
    "ListResourceTags": Event(_members(f"KeyId {_PAGE}")),
    "ListRetirableGrants": Event(_members(f"RetiringPrincipal {_PAGE}"), keys=()),
    "PutKeyPolicy": _change(_members("KeyId PolicyName Policy BypassPolicyLockoutSafetyCheck")),
    "ReEncrypt": Event(
        _members(
            "SourceEncryptionAlgorithm SourceKeyId DestinationKeyId "
            "DestinationEncryptionAlgorithm DryRun",
            SourceEncryptionContext=Shown.MAP,
            DestinationEncryptionContext=Shown.MAP,
        ),
        keys=("SourceKeyId", "DestinationKeyId"),
        defaults={
            "sourceEncryptionAlgorithm": _SYMMETRIC,
            "destinationEncryptionAlgorithm": _SYMMETRIC,
        },
    ),
    "ReplicateKey": _change(
        _members(
            "KeyId ReplicaRegion Description Policy BypassPolicyLockoutSafetyCheck",
            Tags=Shown.TAGS,
        ),
        _members("ReplicaPolicy", ReplicaKeyMetadata=_KEY_METADATA, ReplicaTags=Shown.TAGS),
    ),
    "RetireGrant": _change({}),  # null, and the grant's id in additionalEventData
    "RevokeGrant": _change(_members("KeyId GrantId DryRun")),
    "RotateKeyOnDemand": _change(_KEY, _KEY),
    "ScheduleKeyDeletion": _change(
        _members("KeyId PendingWindowInDays"),
        _members("KeyId KeyState DeletionDate PendingWindowInDays"),
    ),
    "Sign": _crypto("MessageType SigningAlgorithm", context=False),
    "TagResource": _change(_members("KeyId", Tags=Shown.TAGS)),
    "UntagResource": _change(_members("KeyId", TagKeys=Shown.LIST)),
    "UpdateAlias": _change(
        _members("AliasName TargetKeyId"), key_in_response=True, keys=("AliasName", "TargetKeyId")
    ),
    "UpdateCustomKeyStore": _change(
        _members("CustomKeyStoreId NewCustomKeyStoreName CloudHsmClusterId"), keys=()
    ),
    "UpdatePrimaryRegion": _change(_members("KeyId PrimaryRegion"), key_in_response=True),
    "UpdateKeyDescription": _change(_members("KeyId Description")),
    "Verify": _crypto("MessageType SigningAlgorithm", context=False),
    "VerifyMac": _crypto("MacAlgorithm", context=False),
}

_USER = _members("Username ConsoleAccess ReplicationUser", Password=Shown.HIDDEN, Groups=Shown.LIST)
_LDAP = _members(
    "RoleBase RoleName RoleSearchMatching RoleSearchSubtree ServiceAccountUsername UserBase "
    "UserRoleName UserSearchMatching UserSearchSubtree",
    Hosts=Shown.LIST,
    ServiceAccountPassword=Shown.HIDDEN,
)
_BROKER = _members(
    "AuthenticationStrategy AutoMinorVersionUpgrade DataReplicationMode EngineVersion "
    "HostInstanceType StorageSize",
    Configuration=_members("Id Revision"),
    LdapServerMetadata=_LDAP,
    Logs=_members("Audit General"),
    MaintenanceWindowStartTime=_members("DayOfWeek TimeOfDay TimeZone"),
    SecurityGroups=Shown.LIST,
)
_BROKER_ID = _members("BrokerId")
_CONFIGURATION = _members(
    "Arn Created Id Name", LatestRevision=_members("Created Description Revision")
)

# GUIDE22: requests and responses of changes are recorded, passwords and ``data`` as asterisks.
MQ_EVENTS: Mapping[str, Event] = {
    "CreateBroker": _change(
        {
            **_members(
                "BrokerName CreatorRequestId DataReplicationPrimaryBrokerArn DeploymentMode "
                "EngineType PubliclyAccessible StorageType"
            ),
            **_BROKER,
            "EncryptionOptions": _members("KmsKeyId UseAwsOwnedKey"),
            "SubnetIds": Shown.LIST,
            "Tags": Shown.MAP,
            "Users": [_USER],
        },
        _members("BrokerArn BrokerId"),
    ),
    "CreateConfiguration": _change(
        _members("AuthenticationStrategy EngineType EngineVersion Name", Tags=Shown.MAP),
        {**_CONFIGURATION, **_members("AuthenticationStrategy")},
    ),
    "CreateTags": _change(_members("ResourceArn", Tags=Shown.MAP)),
    "CreateUser": _change({**_BROKER_ID, **_USER}),
    "DeleteBroker": _change(_BROKER_ID, _BROKER_ID),
    "DeleteConfiguration": _change(_members("ConfigurationId"), _members("ConfigurationId")),
    "DeleteTags": _change(_members("ResourceArn", TagKeys=Shown.LIST)),
    "DeleteUser": _change(_members("BrokerId Username")),
    "Promote": _change(_members("BrokerId Mode"), _BROKER_ID),
    "RebootBroker": _change(_BROKER_ID),
    "UpdateBroker": _change({**_BROKER_ID, **_BROKER}, {**_BROKER_ID, **_BROKER}),
    "UpdateConfiguration": _change(
        _members("ConfigurationId Description", Data=Shown.HIDDEN), _CONFIGURATION
    ),
    "UpdateUser": _change({**_BROKER_ID, **_USER}),
}

# GUIDE22: for GET methods the request is recorded and the response is not.
MQ_GET = Event(
    _members(
        "BrokerId Username ConfigurationId ConfigurationRevision ResourceArn EngineType "
        "HostInstanceType StorageType MaxResults",
    )
)

# Names of path parameters in a request (API). That CloudTrail uses these names is an inference.
MQ_PATH_MEMBERS = {
    "BrokerId": "broker-id",
    "ConfigurationId": "configuration-id",
    "ConfigurationRevision": "configuration-revision",
    "ResourceArn": "resource-arn",
}

# For an operation in neither table: only members that name a resource; they are never secret.
UNKNOWN_KMS, UNKNOWN_MQ = (
    _members("KeyId AliasName TargetKeyId GrantId PolicyName"),
    _members("BrokerId ConfigurationId"),
)
_READ_ONLY = ("Describe", "Get", "List")


def kms_event(operation: str) -> Event:
    """Return what is recorded of a KMS operation."""
    return KMS_EVENTS.get(operation) or Event(
        UNKNOWN_KMS, read_only=operation.startswith(_READ_ONLY)
    )


def mq_event(operation: str) -> Event:
    """Return what is recorded of an Amazon MQ operation."""
    if operation.startswith(_READ_ONLY):
        return MQ_GET
    return MQ_EVENTS.get(operation) or Event(UNKNOWN_MQ, read_only=False)
