"""The grants that a broker creates on its KMS key. Source: DP, the CreateGrant events.

The page shows them for RabbitMQ and gives none for ActiveMQ. There, the testbed creates the two of
a RabbitMQ broker of one instance; the second is for the one volume, on EBS or EFS. On EFS, the
retiring principal and the encryption context are EFS's.
"""

from dataclasses import dataclass

from testbed.documented import regions

MQ_PRINCIPAL = "mq.amazonaws.com"
EFS_PRINCIPAL = "elasticfilesystem.amazonaws.com"


@dataclass(frozen=True)
class GrantShape:
    """A grant as a CreateGrant event shows it.

    There is one ``of_volume`` grant for each volume, bound to it by its encryption context.
    """

    name: str
    operations: tuple[str, ...]
    grantee_principal: str = MQ_PRINCIPAL
    retiring_principal: str = MQ_PRINCIPAL
    of_volume: bool = False


_MQ_SINGLE = GrantShape(
    "mq_grant",
    (
        "CreateGrant",
        "Decrypt",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "DescribeKey",
    ),
)
_MQ_CLUSTER = GrantShape(
    "mq_grant",
    (
        "CreateGrant",
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "DescribeKey",
    ),
)
_MQ_RABBIT = GrantShape("mq_rabbit_grant", ("DescribeKey",))
_EFS = GrantShape("efs_grant", ("Decrypt",), EFS_PRINCIPAL, EFS_PRINCIPAL, of_volume=True)


def ebs_principal(region: str) -> str:
    """Return the retiring principal of the grant for an EBS volume in ``region``."""
    return regions.host("ec2", region)


def grants(deployment_mode: str, storage_type: str, region: str) -> tuple[GrantShape, ...]:
    """Return the grants of a broker in order of creation, those of volumes last."""
    ebs = GrantShape(
        "ebs_grant", ("Decrypt",), retiring_principal=ebs_principal(region), of_volume=True
    )
    if deployment_mode == "CLUSTER_MULTI_AZ":
        return (_MQ_CLUSTER, _MQ_RABBIT, ebs)
    return (_MQ_SINGLE, _EFS if storage_type == "EFS" else ebs)
