"""AWS's examples of whole key policies, of services' statements in them, and some of users.

From the KMS Developer Guide: "Creating a key policy", "Default key policy", "Permissions for AWS
services in key policies", "Allowing users in other accounts to use a KMS key"; from the guides of
services that need a statement in a key's policy; from IAM's examples with global condition keys;
and after policies in public repositories.
"""

from dataclasses import replace

from tests.support.documented_calls import (
    ACCOUNT,
    OTHER,
    OTHER_USER,
    ROOT,
    TO_USER,
    USER,
    USES,
    Example,
    no,
    pairs,
    service,
    session,
    to_user,
    user,
    via,
    yes,
)
from tests.support.key_policies import allow, deny

ADMINISTERS = [
    "kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*",
    "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource",
    "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
]  # fmt: skip
KEY_USERS = {"AWS": [USER.principal, f"arn:aws:iam::{ACCOUNT}:role/ExampleRole",
                     f"arn:aws:iam::{OTHER}:root"]}  # fmt: skip
TRAIL = f"arn:aws:cloudtrail:us-west-2:{ACCOUNT}:trail/finance"

POLICIES: dict[str, Example] = {
    "the whole policy of a key": (
        [
            allow(ROOT, Sid="Enable IAM policies"),
            allow({"AWS": [user("KMSAdminUser").principal,
                           f"arn:aws:iam::{ACCOUNT}:role/KMSAdminRole"]},
                  ADMINISTERS, Sid="Allow access for Key Administrators"),
            allow(KEY_USERS, USES, Sid="Allow use of the key"),
            allow(KEY_USERS, ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
                  Sid="Allow attachment of persistent resources",
                  Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ],
        [yes(user("anyone"), "Sign"), yes(user("KMSAdminUser"), "PutKeyPolicy"),
         yes(session("ExampleRole"), "Decrypt"), yes(OTHER_USER, "Encrypt"),
         no(OTHER_USER, "PutKeyPolicy"), no(OTHER_USER, "CreateGrant"),
         yes(via(OTHER_USER, "ec2"), "CreateGrant"), no(user("x", "999988887777"), "Decrypt")],
    ),
    "administrators without the account": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/KMSAdminRole"}, ADMINISTERS)],
        [yes(session("KMSAdminRole"), "ScheduleKeyDeletion"),
         no(session("KMSAdminRole"), "Decrypt"),
         no(USER, "DescribeKey")],
    ),
    "the key of EBS that AWS manages": (
        [allow({"AWS": "*"}, [*USES, "kms:CreateGrant"],
               Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT,
                                           "kms:ViaService": "ec2.us-east-1.amazonaws.com"}})],
        [yes(via(USER, "ec2"), "CreateGrant"), no(USER, "CreateGrant"),
         no(via(USER, "rds"), "Decrypt"), no(via(OTHER_USER, "ec2"), "Decrypt")],
    ),
    "CloudTrail, for one trail": (
        [allow({"Service": "cloudtrail.amazonaws.com"}, "kms:GenerateDataKey",
               Sid="Allow CloudTrail to encrypt logs", Condition={
            "ArnEquals": {"aws:SourceArn": [TRAIL]},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": [
                f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"]}})],
        [yes(service("cloudtrail", TRAIL), "GenerateDataKey",
             EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(service("cloudtrail", TRAIL + "2"), "GenerateDataKey",
            EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(service("cloudtrail", TRAIL), "GenerateDataKey"),
         no(service("logs", TRAIL), "GenerateDataKey",
            EncryptionContext={"aws:cloudtrail:arn": TRAIL})],
    ),
    "Amazon Location, on behalf of a team": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/LocationTeam"}, "kms:CreateGrant", Condition={
            "StringEquals": {"kms:ViaService": "geo.us-east-1.amazonaws.com",
                             "kms:CallerAccount": ACCOUNT,
                             "kms:EncryptionContext:aws:geo:arn": "arn:aws:geo:x"}})],
        [yes(via(session("LocationTeam"), "geo"), "CreateGrant",
             Constraints={"EncryptionContextEquals": {"aws:geo:arn": "arn:aws:geo:x"}}),
         no(via(session("LocationTeam"), "geo"), "CreateGrant"),
         no(session("LocationTeam"), "CreateGrant",
            Constraints={"EncryptionContextEquals": {"aws:geo:arn": "arn:aws:geo:x"}})],
    ),
    "CloudWatch Logs, for the groups of an account": (
        [allow({"Service": "logs.us-east-1.amazonaws.com"},
               ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
               Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn":
                                      f"arn:aws:logs:us-east-1:{ACCOUNT}:*"}})],
        [yes(service("logs.us-east-1"), "Decrypt",
             EncryptionContext={"aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g:*"}),
         no(service("logs.us-east-1"), "Decrypt",
            EncryptionContext={"aws:logs:arn": f"arn:aws:logs:us-east-1:{OTHER}:log-group:g"})],
    ),
    "a service for the resources of one account": (
        [allow({"Service": "sns.amazonaws.com"}, ["kms:GenerateDataKey*", "kms:Decrypt"],
               Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})],
        [yes(service("sns", f"arn:aws:sns:us-east-1:{ACCOUNT}:t"), "Decrypt"),
         no(service("sns", f"arn:aws:sns:us-east-1:{OTHER}:t"), "Decrypt"),
         no(service("sns"), "Decrypt")],
    ),
    "another account's role": (
        [allow({"AWS": f"arn:aws:iam::{OTHER}:role/ExampleRole"}, USES)],
        [yes(session("ExampleRole", OTHER), "Decrypt"), no(OTHER_USER, "Decrypt"),
         no(USER, "Decrypt")],
    ),
    "everyone in the account but one is denied": (
        [allow(ROOT), deny("*", "kms:*", Condition={
            "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/Break*"}})],
        [yes(session("BreakGlass"), "PutKeyPolicy"), no(USER, "PutKeyPolicy"),
         no(service("mq"), "Decrypt")],
    ),
    "only addresses of the company, unless a service calls": (
        [allow(ROOT), deny("*", "kms:*", Condition={
            "NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]},
            "Bool": {"aws:ViaAWSService": "false"}})],
        [yes(replace(USER, source_ip="192.0.2.77"), "Decrypt"), no(USER, "Decrypt"),
         yes(via(USER, "mq"), "CreateGrant")],
    ),
    "only over TLS, and only in one Region": (
        [allow(ROOT), deny("*", "kms:*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
         deny("*", "kms:*", Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}})],
        [yes(USER, "Decrypt")],
    ),
    "deletion with MFA alone": (
        [allow(ROOT), deny("*", "kms:ScheduleKeyDeletion", Condition={
            "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})],
        [no(USER, "ScheduleKeyDeletion"), yes(USER, "DescribeKey")],
    ),
    "an organization's accounts": (
        [allow({"AWS": "*"}, USES, Condition={
            "StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})],
        [no(USER, "Decrypt"), no(OTHER_USER, "Decrypt")],
    ),
    "until a date": (
        [to_user("kms:Decrypt", {"DateLessThan": {"aws:CurrentTime": "2025-06-16T00:00:00Z"},
                                 "DateGreaterThan": {"aws:CurrentTime": "2025-06-15"}})],
        [yes(USER, "Decrypt"), no(USER, "Encrypt")],
    ),
    "a console's policy whose last statement has no resource": (
        [allow(ROOT), allow({"AWS": user("jalanosadmin").principal}, ADMINISTERS),
         {"Effect": "Allow", "Principal": {"AWS": OTHER_USER.principal}, "Action": USES}],
        [yes(user("jalanosadmin"), "ScheduleKeyDeletion"), no(OTHER_USER, "Encrypt")],
    ),
    "a service's principal with a session that it does not have": (
        [allow(ROOT), allow({"Service": "s3.amazonaws.com"}, "kms:Decrypt", Condition={
            "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})],
        [no(service("s3"), "Decrypt"), yes(via(USER, "s3"), "Decrypt")],
    ),
    "whoever reads the account's trails": (
        [allow({"AWS": "*"}, ["kms:Decrypt", "kms:ReEncryptFrom"], Condition={
            "StringEquals": {"kms:CallerAccount": ACCOUNT},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn":
                           f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"},
            "Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}})],
        [yes(USER, "Decrypt", EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(OTHER_USER, "Decrypt", EncryptionContext={"aws:cloudtrail:arn": TRAIL}),
         no(USER, "Decrypt")],
    ),
    "Performance Insights of two databases": (
        [allow(TO_USER, ["kms:Decrypt", "kms:GenerateDataKey"], Condition={
            "ForAnyValue:StringEquals": {
                "kms:EncryptionContext:aws:pi:service": ["rds"],
                "kms:EncryptionContext:aws:rds:db-id": ["db-A", "db-E"]},
            "StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}})],
        [yes(via(USER, "rds"), "Decrypt",
             **pairs(**{"aws:pi:service": "rds", "aws:rds:db-id": "db-E"})),
         no(via(USER, "rds"), "Decrypt",
            **pairs(**{"aws:pi:service": "rds", "aws:rds:db-id": "db-B"})),
         no(via(USER, "rds"), "Decrypt", **pairs(**{"aws:pi:service": "rds"}))],
    ),
    "CloudFront, for one distribution": (
        [allow({"Service": ["cloudfront.amazonaws.com"]}, ["kms:Decrypt", "kms:GenerateDataKey*"],
               Condition={"StringEquals": {
                   "AWS:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"}})],
        [yes(service("cloudfront", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"), "Decrypt"),
         no(service("cloudfront", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E2"), "Decrypt")],
    ),
    "grants for volumes alone, by a role linked to a service": (
        [allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
                       "AWSServiceRoleForAutoScaling"}, "kms:CreateGrant",
               Condition={"Bool": {"kms:GrantIsForAWSResource": True}})],
        [yes(via(session("AWSServiceRoleForAutoScaling"), "ec2"), "CreateGrant"),
         no(session("AWSServiceRoleForAutoScaling"), "CreateGrant")],
    ),
}  # fmt: skip
