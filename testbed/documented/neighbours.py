"""Services beside Amazon MQ's own: what of each is served, and what each operation is about.

An operation is served if moto does what AWS documents of it, not only answers: there are no
instances behind EC2, no functions that rotate secrets, and nothing that an alarm could watch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Members = Mapping[str, str]


@dataclass(frozen=True)
class Neighbour:
    """One of the services.

    ``signed_for`` is its name in signatures and CloudTrail. ``resources`` has the resource part of
    ARNs, where ``{}`` is the value of a request's member (the service's page of the Service
    Authorization Reference); an operation that none of them suits is about ``anything``.
    ``created`` has the resource of operations that name none yet, and ``apart`` the operations
    whose members name something else than ``resources`` says. Whoever makes something with tags
    has to be allowed one of ``tagging`` as well. ``invalid`` is the code for a request that breaks
    the model. ``data`` operations leave no record (the service's CloudTrail page). ``along`` names
    the services that it reads from or writes to.
    """

    name: str
    called: str
    operations: frozenset[str]
    signed_for: str = ""
    resources: Members = field(default_factory=dict)
    created: Members = field(default_factory=dict)
    apart: Mapping[str, Members] = field(default_factory=dict)
    tagging: tuple[str, ...] = ()
    anything: str = "*"
    invalid: str = "ValidationException"
    denied: str = "AccessDeniedException"
    data: frozenset[str] = frozenset()
    along: tuple[str, ...] = ()

    @property
    def signing_name(self) -> str:
        """The name in signatures, actions' hosts and event sources."""
        return self.signed_for or self.name


# The kinds of EC2's resources in ARNs, by the beginning of their ids.
EC2_KINDS: Members = {
    "acl": "network-acl",
    "dopt": "dhcp-options",
    "eigw": "egress-only-internet-gateway",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _each(kinds: str) -> frozenset[str]:
    """Return the operations of words such as ``Create|Delete|Describe=Vpc``."""
    found = set()
    for word in kinds.split():
        verbs, _, nouns = word.partition("=")
        found |= {verb + noun for verb in verbs.split("|") for noun in nouns.split("|")}
    return frozenset(found)


_EC2 = Neighbour(
    "ec2",
    "EC2",
    _each(
        "Create|Delete=Vpc|Subnet|SecurityGroup|NetworkInterface|InternetGateway|RouteTable|Route|"
        "NetworkAcl|NetworkAclEntry|NatGateway|DhcpOptions|Tags|EgressOnlyInternetGateway|"
        "VpcPeeringConnection "
        "Describe=Vpcs|Subnets|SecurityGroups|SecurityGroupRules|NetworkInterfaces|"
        "InternetGateways|RouteTables|NetworkAcls|NatGateways|DhcpOptions|Tags|"
        "EgressOnlyInternetGateways|VpcPeeringConnections|VpcAttribute|VpcEndpoints|PrefixLists|"
        "NetworkInterfaceAttribute|AvailabilityZones|Regions|AccountAttributes|Addresses|"
        "AddressesAttribute|VpcEndpointServices "
        "Create=VpcEndpoint|DefaultVpc|DefaultSubnet Delete=VpcEndpoints "
        "Modify=VpcAttribute|SubnetAttribute|NetworkInterfaceAttribute|SecurityGroupRules|"
        "VpcEndpoint "
        "Authorize|Revoke=SecurityGroupIngress|SecurityGroupEgress "
        "UpdateSecurityGroupRuleDescriptions=Ingress|Egress "
        "Attach|Detach=InternetGateway "
        "Associate|Disassociate=RouteTable|VpcCidrBlock|SubnetCidrBlock "
        "Associate=DhcpOptions "
        "Accept|Reject=VpcPeeringConnection "
        "Replace=Route|RouteTableAssociation|NetworkAclAssociation|NetworkAclEntry "
        "Allocate|Release=Address"
    ),
    resources={
        "VpcId": "vpc/{}",
        "SubnetId": "subnet/{}",
        "SubnetIds": "subnet/{}",
        "GroupId": "security-group/{}",
        "GroupIds": "security-group/{}",
        "Groups": "security-group/{}",
        "SecurityGroupIds": "security-group/{}",
        "NetworkInterfaceId": "network-interface/{}",
        "InternetGatewayId": "internet-gateway/{}",
        "RouteTableId": "route-table/{}",
        "RouteTableIds": "route-table/{}",
        "NetworkAclId": "network-acl/{}",
        "NatGatewayId": "natgateway/{}",
        "DhcpOptionsId": "dhcp-options/{}",
        "VpcEndpointId": "vpc-endpoint/{}",
        "VpcEndpointIds": "vpc-endpoint/{}",
        "VpcPeeringConnectionId": "vpc-peering-connection/{}",
        "AllocationId": "elastic-ip/{}",
    },
    created={
        "AllocateAddress": "elastic-ip/*",
        "CreateDhcpOptions": "dhcp-options/*",
        "CreateEgressOnlyInternetGateway": "egress-only-internet-gateway/*",
        "CreateInternetGateway": "internet-gateway/*",
        "CreateNatGateway": "natgateway/*",
        "CreateNetworkAcl": "network-acl/*",
        "CreateNetworkInterface": "network-interface/*",
        "CreateRouteTable": "route-table/*",
        "CreateSecurityGroup": "security-group/*",
        "CreateSubnet": "subnet/*",
        "CreateVpc": "vpc/*",
        "CreateVpcEndpoint": "vpc-endpoint/*",
        "CreateVpcPeeringConnection": "vpc-peering-connection/*",
    },
    apart={"CreateTags": {"Resources": "{}"}, "DeleteTags": {"Resources": "{}"}},
    tagging=("CreateTags",),
    invalid="MissingParameter",
    denied="UnauthorizedOperation",
)
_LOGS = Neighbour(
    "logs",
    "CloudWatch Logs",
    _set(
        "CreateLogGroup CreateLogStream DeleteLogGroup DeleteLogStream DeleteResourcePolicy "
        "DeleteRetentionPolicy DescribeLogGroups DescribeLogStreams DescribeResourcePolicies "
        "FilterLogEvents GetLogEvents ListTagsForResource ListTagsLogGroup PutLogEvents "
        "PutResourcePolicy PutRetentionPolicy TagLogGroup TagResource UntagLogGroup UntagResource"
    ),
    resources={
        "logGroupName": "log-group:{}:log-stream:",
        "logGroupNamePrefix": "log-group:{}:log-stream:",
        "logGroupIdentifier": "log-group:{}:log-stream:",
        "resourceArn": "{}",
    },
    tagging=("TagResource", "TagLogGroup"),
    anything="log-group::log-stream:",
    invalid="InvalidParameterException",
    data=_set("FilterLogEvents GetLogEvents PutLogEvents"),
)
_CLOUDWATCH = Neighbour(
    "cloudwatch",
    "CloudWatch",
    _set("GetMetricData GetMetricStatistics ListMetrics PutMetricData"),
    signed_for="monitoring",
    invalid="InvalidParameterValue",
    denied="AccessDenied",
    data=_set("GetMetricData GetMetricStatistics PutMetricData"),
)
_SECRETS = Neighbour(
    "secretsmanager",
    "Secrets Manager",
    _set(
        "BatchGetSecretValue CreateSecret DeleteSecret DescribeSecret GetRandomPassword "
        "GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets PutSecretValue "
        "RestoreSecret TagResource UntagResource UpdateSecret UpdateSecretVersionStage"
    ),
    resources={"SecretId": "secret:{}", "Name": "secret:{}"},
    tagging=("TagResource",),
)
_SSM = Neighbour(
    "ssm",
    "Systems Manager",
    _set(
        "AddTagsToResource DeleteParameter DeleteParameters DescribeParameters GetParameter "
        "GetParameterHistory GetParameters GetParametersByPath LabelParameterVersion "
        "ListTagsForResource PutParameter RemoveTagsFromResource UnlabelParameterVersion"
    ),
    resources={
        "Name": "parameter/{}",
        "Names": "parameter/{}",
        "Path": "parameter/{}",
        "ResourceId": "parameter/{}",
    },
    tagging=("AddTagsToResource",),
    along=("secretsmanager",),
)
_EVENTS = Neighbour(
    "events",
    "EventBridge",
    _set(
        "CreateEventBus DeleteEventBus DeleteRule DescribeEventBus DescribeRule DisableRule "
        "EnableRule ListEventBuses ListRuleNamesByTarget ListRules ListTagsForResource "
        "ListTargetsByRule PutEvents PutRule PutTargets RemoveTargets TagResource "
        "TestEventPattern UntagResource"
    ),
    # Of a rule on a bus of the account's own the bus is part of the name, not a further resource.
    resources={"Name": "rule/{}", "Rule": "rule/{}", "ResourceARN": "{}"},
    apart={
        "CreateEventBus": {"Name": "event-bus/{}"},
        "DeleteEventBus": {"Name": "event-bus/{}"},
        "DescribeEventBus": {"Name": "event-bus/{}"},
    },
    tagging=("TagResource",),
    data=_set("PutEvents"),
    along=("logs",),
)

NEIGHBOURS: Mapping[str, Neighbour] = {
    neighbour.name: neighbour for neighbour in (_EC2, _LOGS, _CLOUDWATCH, _SECRETS, _SSM, _EVENTS)
}
