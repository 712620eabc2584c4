"""The services that templates for brokers name beside them, and what their calls are about.

Sources: the Service Authorization Reference of each service; CTG ("CloudTrail supported services")
for what is no management event.
"""

from collections.abc import Mapping

# botocore's name of each, and the name that requests are signed for and events come from.
SIGNED_AS: Mapping[str, str] = {
    "ec2": "ec2",
    "logs": "logs",
    "cloudwatch": "monitoring",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "events": "events",
}
# The prefix of actions, where it is not the first name.
ACTIONS: Mapping[str, str] = {"cloudwatch": "cloudwatch"}
READS = ("Describe", "Filter", "Get", "List", "Search", "Test")
NOT_RECORDED = frozenset(
    [
        "FilterLogEvents",
        "GetLogEvents",
        "GetLogRecord",
        "GetMetricData",
        "GetMetricStatistics",
        "PutEvents",
        "PutLogEvents",
        "PutMetricData",
    ]
)
# The member that names what a call is about, and the resource of its ARN. Those of EC2 have ids of
# many kinds, and are not told apart.
RESOURCES: Mapping[str, Mapping[str, str]] = {
    "logs": {"logGroupName": "log-group:{}"},
    "secretsmanager": {"SecretId": "secret:{}-??????", "Name": "secret:{}-??????"},
    "ssm": {"Name": "parameter/{}", "Names": "parameter/{}", "Path": "parameter/{}"},
    "cloudwatch": {"AlarmName": "alarm:{}", "AlarmNames": "alarm:{}"},
    "events": {"Name": "rule/{}", "Rule": "rule/{}"},
}
