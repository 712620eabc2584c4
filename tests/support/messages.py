"""Messages received and acknowledged, without a wait for the silence after them."""

from testbed.clients import Client

_PATIENCE = 30.0  # seconds for each message that has to come
_GRACE = 0.5  # seconds for one too many


def receive(client: Client, count: int) -> list[bytes]:
    """Receive ``count`` messages and whatever comes right after; fewer, if one does not come."""
    bodies: list[bytes] = []
    while message := client.receive(timeout=_PATIENCE if len(bodies) < count else _GRACE):
        bodies.append(message.body)
        message.acknowledge()
    return bodies
