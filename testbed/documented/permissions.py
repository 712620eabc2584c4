"""What a caller of Amazon MQ's API has to be allowed, besides KMS's own permissions.

Sources: MQAUTH, MQIAM, MQSLR.
"""

from collections.abc import Mapping

# MQAUTH: the resource type of each operation; those that are missing have none, and ask for "*".
ON_BROKERS = frozenset(
    [
        "CreateUser",
        "DeleteBroker",
        "DeleteUser",
        "DescribeBroker",
        "DescribeSharedResources",
        "DescribeUser",
        "ListUsers",
        "Promote",
        "RebootBroker",
        "UpdateBroker",
        "UpdateUser",
    ]
)
ON_CONFIGURATIONS = frozenset(
    [
        "DeleteConfiguration",
        "DescribeConfiguration",
        "DescribeConfigurationRevision",
        "ListConfigurationRevisions",
        "UpdateConfiguration",
    ]
)
ON_EITHER = frozenset(["CreateTags", "DeleteTags", "ListTags"])

# MQIAM: Amazon MQ calls EC2 for the caller. That each of these is asked for is the guide's word:
# it lists them as required, with the condition for interface permissions.
CREATE_BROKER_EC2 = (
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeRouteTables",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:CreateNetworkInterface",
)
CREATE_BROKER_INTERFACES = (
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfacePermissions",
)
DELETE_BROKER_EC2 = ("ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface")
DELETE_BROKER_INTERFACES = ("ec2:DeleteNetworkInterfacePermission",)
AUTHORIZED_SERVICE: Mapping[str, str] = {"ec2:AuthorizedService": "mq.amazonaws.com"}

# MQSLR: the role is created with the first RabbitMQ broker, unless it is there.
SERVICE_LINKED_ROLE = "AWSServiceRoleForAmazonMQ"
SERVICE_LINKED_ROLE_OF = "mq.amazonaws.com"
SERVICE_LINKED_ROLE_POLICY = "AmazonMQServiceRolePolicy"
