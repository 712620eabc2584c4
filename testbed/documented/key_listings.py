"""Lists of AWS KMS: how they are cut into pages, and the aliases that every account has."""

from collections.abc import Mapping

# How many items a page has by default and at most: ``Limit`` of each operation in the model, which
# says nothing of DescribeCustomKeyStores.
PAGES: Mapping[str, tuple[int, int]] = {
    "DescribeCustomKeyStores": (100, 1000),
    "ListAliases": (50, 100),
    "ListGrants": (50, 100),
    "ListKeyPolicies": (100, 1000),
    "ListKeyRotations": (100, 1000),
    "ListKeys": (100, 1000),
    "ListResourceTags": (50, 50),
    "ListRetirableGrants": (50, 100),
}
TAGS_PER_KEY = 50  # "Resource quotas" of AWS KMS
ALIASES_PER_KEY = 50  # the same; AWS's own aliases do not count

# Aliases that AWS "has created but has not yet associated with a KMS key" (ListAliases in the
# model); DescribeKey associates one. The names are from answers that users published; that Amazon
# MQ's is among them is the testbed's choice.
PREDEFINED_ALIASES = tuple(
    f"alias/aws/{service}"
    for service in (
        "acm",
        "dynamodb",
        "ebs",
        "elasticfilesystem",
        "es",
        "glue",
        "kinesisvideo",
        "lambda",
        "mq",
        "rds",
        "redshift",
        "s3",
        "secretsmanager",
        "ssm",
        "xray",
    )
)
