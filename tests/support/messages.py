"""Messages received and acknowledged, without a wait for the silence after them."""

from testbed.clients import Client

_PATIENCE = 30.0  # seconds for each expected message
_GRACE = 0.5  # seconds for an unexpected message


def receive(client: Client, count: int) -> list[bytes]:
    """Receive ``count`` messages and any that follow at once; fewer if one does not arrive."""
    bodies: list[bytes] = []
    while message := client.receive(timeout=_PATIENCE if len(bodies) < count else _GRACE):
        bodies.append(message.body)
        message.acknowledge()
    return bodies
