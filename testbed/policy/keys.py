"""The condition keys that the testbed knows: global ones, those of KMS, Amazon MQ, IAM and STS.

A statement may use any key. One that is neither listed here nor in the request's context is
unknown, and what AWS would compare is anybody's guess:

- an Allow with an unknown key never applies, so that no permission rests on a guess. AWS would let
  ``Null``, ``...IfExists`` and negated operators match a key that the request does not have;
- a Deny treats it like any key that the request does not have, as AWS does (OPERATORS).

``absent`` says why the testbed's requests never have a key that AWS's may have. Such a key is
missing, not unknown.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["string", "bool", "arn", "date", "numeric", "ip"]

_NO_ORGANIZATION = "the testbed's accounts belong to no organization"
_NO_VPC_ENDPOINT = "no request of the testbed passes a VPC endpoint"
_NO_ATTESTATION = "no request of the testbed carries an attestation document"
_NO_FEDERATION = "the testbed has no identity providers"
_NO_MCP = "no MCP server of AWS calls the testbed"
_NO_INSTANCE = "no credentials of the testbed come from an instance, a function or a build"


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """A key, or a family of keys if ``name`` ends with ``/``, ``:`` or ``PCR``.

    A family's keys go on with the tag, the encryption context's key or the register. A key with
    ``many`` values needs a set operator.
    """

    name: str
    kind: Kind
    meaning: str
    many: bool = False
    absent: str = ""

    @property
    def is_family(self) -> bool:
        return self.name.endswith(("/", ":", "PCR"))


def find(name: str) -> ConditionKey | None:
    """Return what is known of a key, whose case does not count; None if it is unknown."""
    return _find(name.lower())


@lru_cache(4096)
def _find(name: str) -> ConditionKey | None:
    if known := _BY_NAME.get(name):
        return known
    for family in _FAMILIES:
        if name.startswith(family.name.lower()) and len(name) > len(family.name):
            return family
    return None


GLOBAL = (
    # Properties of the principal (GLOBAL)
    ConditionKey("aws:PrincipalArn", "arn", "ARN of the principal; of the role for a session"),
    ConditionKey("aws:PrincipalAccount", "string", "account to which the principal belongs"),
    ConditionKey("aws:PrincipalTag/", "string", "tag attached to the principal"),
    ConditionKey("aws:PrincipalIsAWSService", "bool", "whether an AWS service makes the call"),
    ConditionKey("aws:PrincipalServiceName", "string", "name of the service that calls"),
    ConditionKey("aws:PrincipalServiceNamesList", "string", "all names of that service", many=True),
    ConditionKey(
        "aws:PrincipalType", "string", "Account, User, FederatedUser, AssumedRole or Anonymous"
    ),
    ConditionKey("aws:userid", "string", "the principal's unique id"),
    ConditionKey("aws:username", "string", "name of the IAM user"),
    ConditionKey(
        "aws:PrincipalOrgID", "string", "organization of the principal", absent=_NO_ORGANIZATION
    ),
    ConditionKey(
        "aws:PrincipalOrgPaths",
        "string",
        "path of the principal in its organization",
        many=True,
        absent=_NO_ORGANIZATION,
    ),
    # Properties of the session
    ConditionKey("aws:TokenIssueTime", "date", "when the temporary credentials were issued"),
    ConditionKey("aws:MultiFactorAuthPresent", "bool", "whether the session used MFA"),
    ConditionKey("aws:MultiFactorAuthAge", "numeric", "seconds since the MFA"),
    ConditionKey("aws:SourceIdentity", "string", "source identity set with AssumeRole"),
    ConditionKey(
        "aws:FederatedProvider", "string", "identity provider of the session", absent=_NO_FEDERATION
    ),
    ConditionKey(
        "aws:AssumedRoot", "bool", "whether AssumeRoot made the session", absent="no AssumeRoot"
    ),
    ConditionKey(
        "aws:ChatbotSourceArn", "arn", "chat configuration of the session", absent="no chat client"
    ),
    ConditionKey(
        "aws:SignInSessionArn", "arn", "console session of the credentials", absent="no console"
    ),
    ConditionKey("aws:Ec2InstanceSourceVpc", "string", "VPC of the instance", absent=_NO_INSTANCE),
    ConditionKey(
        "aws:Ec2InstanceSourcePrivateIPv4", "ip", "address of the instance", absent=_NO_INSTANCE
    ),
    ConditionKey("ec2:RoleDelivery", "numeric", "version of IMDS", absent=_NO_INSTANCE),
    ConditionKey("ec2:SourceInstanceArn", "arn", "ARN of the instance", absent=_NO_INSTANCE),
    ConditionKey("codebuild:BuildArn", "arn", "ARN of the build", absent=_NO_INSTANCE),
    ConditionKey("codebuild:ProjectArn", "arn", "ARN of its project", absent=_NO_INSTANCE),
    ConditionKey("lambda:SourceFunctionArn", "arn", "ARN of the function", absent=_NO_INSTANCE),
    ConditionKey("ssm:SourceInstanceArn", "arn", "ARN of the managed node", absent=_NO_INSTANCE),
    ConditionKey("identitystore:UserId", "string", "Identity Center user", absent=_NO_FEDERATION),
    # Properties of the network
    ConditionKey("aws:SourceIp", "ip", "public address of the requester"),
    ConditionKey("aws:SourceVpc", "string", "VPC of the endpoint", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:SourceVpcArn", "arn", "ARN of that VPC", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:SourceVpce", "string", "the VPC endpoint", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:VpcSourceIp", "ip", "address within the VPC", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:VpceAccount", "string", "account of the endpoint", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:VpceOrgID", "string", "its organization", absent=_NO_VPC_ENDPOINT),
    ConditionKey("aws:VpceOrgPaths", "string", "its path", many=True, absent=_NO_VPC_ENDPOINT),
    # Properties of the resource
    ConditionKey("aws:ResourceAccount", "string", "account that owns the resource"),
    ConditionKey("aws:ResourceTag/", "string", "tag attached to the resource"),
    ConditionKey("aws:ResourceOrgID", "string", "its organization", absent=_NO_ORGANIZATION),
    ConditionKey("aws:ResourceOrgPaths", "string", "its path", many=True, absent=_NO_ORGANIZATION),
    # Properties of the request
    ConditionKey("aws:CalledVia", "string", "services that called in turn", many=True),
    ConditionKey("aws:CalledViaFirst", "string", "first of these services"),
    ConditionKey("aws:CalledViaLast", "string", "last of these services"),
    ConditionKey("aws:ViaAWSService", "bool", "whether a service calls with a forward session"),
    ConditionKey("aws:ViaAWSMCPService", "bool", "whether an MCP server calls", absent=_NO_MCP),
    ConditionKey("aws:CalledViaAWSMCP", "string", "name of that server", absent=_NO_MCP),
    ConditionKey("aws:CurrentTime", "date", "date and time of the request"),
    ConditionKey("aws:EpochTime", "date", "the same in seconds since 1970"),
    ConditionKey("aws:referer", "string", "Referer header of the request"),
    ConditionKey("aws:RequestedRegion", "string", "Region that was called"),
    ConditionKey("aws:RequestTag/", "string", "tag passed in the request"),
    ConditionKey("aws:TagKeys", "string", "keys of the tags passed in the request", many=True),
    ConditionKey("aws:SecureTransport", "bool", "whether the request was sent over TLS"),
    ConditionKey("aws:SourceArn", "arn", "resource for which a service calls another"),
    ConditionKey("aws:SourceAccount", "string", "account of that resource"),
    ConditionKey("aws:SourceOrgID", "string", "its organization", absent=_NO_ORGANIZATION),
    ConditionKey("aws:SourceOrgPaths", "string", "its path", many=True, absent=_NO_ORGANIZATION),
    ConditionKey("aws:UserAgent", "string", "client application of the requester"),
)

KMS = (  # KMSAUTH, KMSKEYS
    ConditionKey("kms:BypassPolicyLockoutSafetyCheck", "bool", "that parameter of the request"),
    ConditionKey("kms:CallerAccount", "string", "account of the caller"),
    ConditionKey("kms:CustomerMasterKeySpec", "string", "deprecated name of kms:KeySpec"),
    ConditionKey("kms:CustomerMasterKeyUsage", "string", "deprecated name of kms:KeyUsage"),
    ConditionKey("kms:DataKeyPairSpec", "string", "KeyPairSpec of the request"),
    ConditionKey("kms:EncryptionAlgorithm", "string", "encryption algorithm of the operation"),
    ConditionKey("kms:EncryptionContext:", "string", "value in the encryption context"),
    ConditionKey(
        "kms:EncryptionContextKeys", "string", "keys of the encryption context", many=True
    ),
    ConditionKey("kms:ExpirationModel", "string", "that parameter of ImportKeyMaterial"),
    ConditionKey("kms:GrantConstraintSourceArn", "arn", "SourceArn constraint of the grant"),
    ConditionKey("kms:GrantConstraintType", "string", "kind of the grant's constraint"),
    ConditionKey("kms:GrantIsForAWSResource", "bool", "whether a service asks for the grant"),
    ConditionKey("kms:GrantOperations", "string", "operations in the grant", many=True),
    ConditionKey("kms:GranteePrincipal", "string", "grantee of the grant"),
    ConditionKey("kms:GranteeServicePrincipal", "string", "service that is the grantee"),
    ConditionKey("kms:KeyAgreementAlgorithm", "string", "that parameter of DeriveSharedSecret"),
    ConditionKey("kms:KeyOrigin", "string", "Origin of the key"),
    ConditionKey("kms:KeySpec", "string", "KeySpec of the key"),
    ConditionKey("kms:KeyUsage", "string", "KeyUsage of the key"),
    ConditionKey("kms:MacAlgorithm", "string", "that parameter of GenerateMac and VerifyMac"),
    ConditionKey("kms:MessageType", "string", "that parameter of Sign and Verify"),
    ConditionKey("kms:MultiRegion", "bool", "whether the key is a multi-Region key"),
    ConditionKey("kms:MultiRegionKeyType", "string", "PRIMARY or REPLICA"),
    ConditionKey("kms:PolicyName", "string", "that parameter of GetKeyPolicy and PutKeyPolicy"),
    ConditionKey("kms:PrimaryRegion", "string", "that parameter of UpdatePrimaryRegion"),
    ConditionKey("kms:ReEncryptOnSameKey", "bool", "whether ReEncrypt uses one key for both"),
    ConditionKey(
        "kms:RecipientAttestation:ImageSha384",
        "string",
        "hash of the image",
        absent=_NO_ATTESTATION,
    ),
    ConditionKey(
        "kms:RecipientAttestation:PCR",
        "string",
        "a Nitro enclave's register 0 to 31",
        absent=_NO_ATTESTATION,
    ),
    ConditionKey(
        "kms:RecipientAttestation:NitroTPMPCR",
        "string",
        "a NitroTPM's register 0 to 23",
        absent=_NO_ATTESTATION,
    ),
    ConditionKey("kms:ReplicaRegion", "string", "that parameter of ReplicateKey"),
    ConditionKey("kms:RequestAlias", "string", "alias in the request"),
    ConditionKey("kms:ResourceAliases", "string", "aliases of the key", many=True),
    ConditionKey("kms:RetiringPrincipal", "string", "retiring principal of the grant"),
    ConditionKey("kms:RetiringServicePrincipal", "string", "service that may retire the grant"),
    ConditionKey("kms:RotationPeriodInDays", "numeric", "that parameter of EnableKeyRotation"),
    ConditionKey(
        "kms:ScheduleKeyDeletionPendingWindowInDays", "numeric", "waiting period of the deletion"
    ),
    ConditionKey("kms:SigningAlgorithm", "string", "that parameter of Sign and Verify"),
    ConditionKey("kms:TrailingDaysWithoutKeyUsage", "numeric", "days since the key was last used"),
    ConditionKey("kms:ValidTo", "date", "that parameter of ImportKeyMaterial"),
    ConditionKey("kms:ViaService", "string", "service through which the request comes"),
    ConditionKey("kms:WrappingAlgorithm", "string", "that parameter of GetParametersForImport"),
    ConditionKey("kms:WrappingKeySpec", "string", "that parameter of GetParametersForImport"),
)

AMAZON_MQ = tuple(  # MQAUTH: it has none but these three global ones
    key for key in GLOBAL if key.name in ("aws:RequestTag/", "aws:ResourceTag/", "aws:TagKeys")
)

IDENTITY = (  # those of IAM and STS that the testbed's requests can have
    ConditionKey("iam:AWSServiceName", "string", "service of a service-linked role"),
    ConditionKey("iam:AssociatedResourceArn", "arn", "resource with which a role will be used"),
    ConditionKey("iam:PassedToService", "string", "service to which a role is passed"),
    ConditionKey("iam:PermissionsBoundary", "arn", "boundary in the request"),
    ConditionKey("iam:PolicyARN", "arn", "managed policy in the request"),
    ConditionKey("iam:ResourceTag/", "string", "tag attached to the identity"),
    ConditionKey("sts:AWSServiceName", "string", "service that gets a token"),
    ConditionKey("sts:DurationSeconds", "numeric", "lifetime of the token"),
    ConditionKey("sts:ExternalId", "string", "external id in the request"),
    ConditionKey("sts:RoleSessionName", "string", "name of the session"),
    ConditionKey("sts:SourceIdentity", "string", "source identity in the request"),
    ConditionKey("sts:TransitiveTagKeys", "string", "keys of transitive tags", many=True),
)

_ALL = (*GLOBAL, *KMS, *IDENTITY)
_FAMILIES = tuple(key for key in _ALL if key.is_family)
_BY_NAME = {key.name.lower(): key for key in _ALL if not key.is_family}
