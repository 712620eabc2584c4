"""The log groups of a broker, and which lines go where.

ActiveMQ's are documented (MQLOGS: "Configuring Amazon MQ for ActiveMQ logs"). RabbitMQ's are known
from brokers: ``general``, ``connection`` and ``channel``; RabbitMQ itself has such categories
("Log Message Categories" of its guide to logging), whose messages are told apart by their words.
"""

import re
from collections.abc import Mapping

GROUPS: Mapping[str, tuple[str, ...]] = {
    "ACTIVEMQ": ("general", "audit"),
    "RABBITMQ": ("general", "connection", "channel"),
}
# ``Logs`` of CreateBroker: which member turns a group on.
MEMBERS: Mapping[str, str] = {"audit": "Audit"}
_AUDIT = re.compile(r"\bINFO audit - ")
_CATEGORIES = {
    "connection": re.compile(
        r"\[\w+\] <[^>]*> ("
        r"(accepting|closing) AMQP connection|connection <|error on AMQP connection|"
        r"client unexpectedly closed|Connection \S+ .*(authenticat|vhost)|"
        r"missed heartbeats|AMQP connection)"
    ),
    "channel": re.compile(r"\[\w+\] <[^>]*> (Channel error|channel exception)"),
}


def name(broker_id: str, group: str) -> str:
    """Return the name of a broker's log group."""
    return f"/aws/amazonmq/broker/{broker_id}/{group}"


def stream(engine_type: str, broker_id: str, node: str) -> str:
    """Return the name of a node's log stream; of RabbitMQ's none is documented."""
    return f"{engine_type.lower()}-{broker_id}-{node}.log"


def group_of(engine_type: str, line: str) -> str:
    """Return the group that a line of a node's output belongs to."""
    if engine_type == "ACTIVEMQ":
        return "audit" if _AUDIT.search(line) else "general"
    return next((group for group, words in _CATEGORIES.items() if words.search(line)), "general")
