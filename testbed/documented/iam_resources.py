"""What each operation of IAM is about (IAMAUTH).

An operation that is not listed is about what the first member of ``MEMBERS`` in its request names,
or about nothing in particular. GetAccessKeyLastUsed is about the user whose key it is.
"""

from collections.abc import Mapping

# The kind of resource that a member of a request names, the closest first: AddUserToGroup is about
# the group, AddRoleToInstanceProfile about the profile.
MEMBERS: Mapping[str, str] = {
    "GroupName": "group",
    "InstanceProfileName": "instance-profile",
    "RoleName": "role",
    "UserName": "user",
    "PolicyName": "policy",
    "PolicyArn": "",
    "PolicySourceArn": "",
    "VirtualMFADeviceName": "mfa",
    "SerialNumber": "",
    "SAMLProviderArn": "",
    "OpenIDConnectProviderArn": "",
    "ServerCertificateName": "server-certificate",
}
# IAM names what exists by its kind and name in a refusal, and what is created or listed by its ARN.
WORDS: Mapping[str, str] = {
    "group": "group",
    "instance-profile": "instance profile",
    "role": "role",
    "user": "user",
    "policy": "policy",
}
LISTS: Mapping[str, str] = {
    "ListUsers": "user",
    "ListRoles": "role",
    "ListGroups": "group",
    "ListInstanceProfiles": "instance-profile",
}
# These are about the caller when they name no user (API reference of each).
OF_CALLER = frozenset(
    [
        "ChangePassword",
        "CreateAccessKey",
        "DeleteAccessKey",
        "DeleteSigningCertificate",
        "GetLoginProfile",
        "GetUser",
        "ListAccessKeys",
        "ListMFADevices",
        "ListSigningCertificates",
        "UpdateAccessKey",
        "UpdateSigningCertificate",
        "UploadSigningCertificate",
    ]
)
# What the root user has none of, in the answers about the caller.
OF_ROOT: Mapping[str, str] = {
    "ListAccessKeys": "AccessKeyMetadata",
    "ListMFADevices": "MFADevices",
    "ListSigningCertificates": "Certificates",
}
CREATES = frozenset(
    [
        "CreateGroup",
        "CreateInstanceProfile",
        "CreatePolicy",
        "CreateRole",
        "CreateServiceLinkedRole",
        "CreateUser",
        "CreateVirtualMFADevice",
    ]
)
# What whoever creates something with tags has to be allowed as well (IAM User Guide, "Tagging IAM
# resources").
TAGGING: Mapping[str, str] = {
    "CreateInstanceProfile": "TagInstanceProfile",
    "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
    "CreatePolicy": "TagPolicy",
    "CreateRole": "TagRole",
    "CreateSAMLProvider": "TagSAMLProvider",
    "CreateUser": "TagUser",
    "CreateVirtualMFADevice": "TagMFADevice",
    "UploadServerCertificate": "TagServerCertificate",
}
# Operations that change a managed policy itself; AWS's own belong to AWS.
CHANGE_POLICIES = frozenset(
    [
        "CreatePolicyVersion",
        "DeletePolicy",
        "DeletePolicyVersion",
        "SetDefaultPolicyVersion",
        "TagPolicy",
        "UntagPolicy",
    ]
)
# The condition key of a member.
KEYS: Mapping[str, str] = {
    "PolicyArn": "iam:PolicyARN",
    "PermissionsBoundary": "iam:PermissionsBoundary",
    "AWSServiceName": "iam:AWSServiceName",
}
