"""A network of brokers: the connectors that a node makes to others, put into the broker's configuration.

They have a user's name and no password: the node's broker gives each the password of its own user of that name
(``containers/activemq/java/NetworkUsers.java``), as the service does (GUIDE22, "network-of-brokers"). The other broker
is reached at its OpenWire listener, and its certificate is verified like any client would.
"""

from xml.sax.saxutils import quoteattr

from testbed import paths
from testbed.engines.base import NetworkConnector, NodeSpec
from testbed.errors import BadRequestException

_PLACE = "<!-- networkConnectors -->"


def files(node: NodeSpec) -> dict[str, bytes]:
    """The node's own configuration; none when it has no connector.

    Raises ``BadRequestException`` for a connector whose user the broker does not have, or with an expression in it.
    """
    if not node.network_connectors:
        return {}
    names = {user.username for user in node.users}
    for connector in node.network_connectors:
        if connector.username not in names:
            raise BadRequestException(
                f"The network connector {connector.name} is to log in as {connector.username}, who is no user of the broker {node.broker_name}.",
                error_attribute="users",
            )
    text = (paths.data("containers") / "activemq" / "etc" / "activemq.xml").read_text()
    elements = "".join(map(_element, node.network_connectors))
    return {
        "etc/activemq.xml": text.replace(
            _PLACE, f"<networkConnectors>{elements}</networkConnectors>"
        ).encode()
    }


def _element(connector: NetworkConnector) -> str:
    attributes = {
        "name": connector.name,
        "uri": connector.uri,
        "userName": connector.username,
        "duplex": str(connector.duplex).lower(),
        **dict(connector.attributes),
    }
    for name, value in attributes.items():
        if "${" in value or "#{" in value:  # Spring would put something in its place
            raise BadRequestException(
                f"The network connector's attribute {name} has to be a static value.",
                error_attribute="data",
            )
    return f"<networkConnector {' '.join(f'{name}={quoteattr(value)}' for name, value in attributes.items())}/>"
