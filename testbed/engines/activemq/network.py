"""A network of brokers: a node's connectors to others, in the broker's configuration.

A connector has a user name and no password: the node's broker adds the password of its own user of
that name (``containers/activemq/java/NetworkUsers.java``), as the service does (GUIDE22,
"network-of-brokers"). It connects to the other broker's OpenWire listener, and verifies its
certificate as any client would.
"""

from xml.sax.saxutils import quoteattr

from testbed import paths
from testbed.engines.base import NetworkConnector, NodeSpec
from testbed.errors import BadRequestException

_PLACE = "<!-- networkConnectors -->"


def files(node: NodeSpec) -> dict[str, bytes]:
    """Return the node's own configuration, if it has connectors.

    Raises ``BadRequestException`` for a connector with an expression in it. One whose user was
    deleted stays, and the other broker refuses it: the broker itself starts all the same.
    """
    if not node.network_connectors:
        return {}
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
        if "${" in value or "#{" in value:  # Spring would substitute it
            raise BadRequestException(
                f"The network connector's attribute {name} has to be a static value.",
                error_attribute="data",
            )
    written = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<networkConnector {written}/>"
