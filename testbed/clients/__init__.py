"""Real client libraries behind one interface; see ``base``.

A client belongs to one thread at a time.
"""

from importlib import import_module

from testbed.clients.base import Address, Client, Destination, Message
from testbed.errors import ClientError
from testbed.extras import explained

__all__ = ["PROTOCOLS", "QUEUE_PROTOCOL", "Address", "Client", "Destination", "Message", "connect"]

# Protocol id -> module and class. Modules are imported on first use, so that a missing library
# breaks only its own protocol.
_CLIENTS = {
    "amqp": ("amqp091", "Amqp091Client"),
    "amqp10": ("amqp10", "Amqp10Client"),
    "openwire": ("openwire", "OpenWireClient"),
    "stomp": ("stomp_client", "StompClient"),
    "stomp-ws": ("stomp_ws", "StompWsClient"),
    "mqtt": ("mqtt", "MqttClient"),
    "mqtt-ws": ("mqtt", "MqttClient"),
}
PROTOCOLS = tuple(_CLIENTS)

# A protocol of each engine that has queues, and whose client runs in this process.
QUEUE_PROTOCOL = {"RABBITMQ": "amqp", "ACTIVEMQ": "stomp"}


def connect(address: Address) -> Client:
    """Connect and log in over ``address.protocol``.

    Raises ``ConnectionRefused`` (its message names the reason: a closed port, refused TLS, an
    expired certificate, an unknown authority, another host name, another protocol),
    ``NotAuthorized``, ``ClientError`` for an unknown protocol, or ``MissingExtra``.
    """
    try:
        module, name = _CLIENTS[address.protocol]
    except KeyError:
        raise ClientError(
            f"unknown protocol {address.protocol!r}; there are clients for {', '.join(PROTOCOLS)}"
        ) from None
    with explained():
        client_class = getattr(import_module(f"testbed.clients.{module}"), name)
    client: Client = client_class(address)
    return client
