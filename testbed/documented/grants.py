"""The grants that a broker creates on its KMS key. Source: DP, the CreateGrant events.

The page shows them for RabbitMQ and gives none for ActiveMQ. There, the testbed creates the two of
a RabbitMQ broker of one instance; the second is for the one volume, on EBS or EFS. On EFS, the
retiring principal and the encryption context are EFS's.
"""

from dataclasses import dataclass

from testbed.documented.engines import REGION

MQ_PRINCIPAL = "mq.amazonaws.com"
EBS_PRINCIPAL = f"ec2.{REGION}.amazonaws.com"
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
_EBS = GrantShape("ebs_grant", ("Decrypt",), retiring_principal=EBS_PRINCIPAL, of_volume=True)
_EFS = GrantShape("efs_grant", ("Decrypt",), EFS_PRINCIPAL, EFS_PRINCIPAL, of_volume=True)


def grants(deployment_mode: str, storage_type: str) -> tuple[GrantShape, ...]:
    """Return the grants of a broker in order of creation, those of volumes last."""
    if deployment_mode == "CLUSTER_MULTI_AZ":
        return (_MQ_CLUSTER, _MQ_RABBIT, _EBS)
    return (_MQ_SINGLE, _EFS if storage_type == "EFS" else _EBS)
