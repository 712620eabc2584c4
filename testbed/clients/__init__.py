"""Real client libraries behind one face; see ``base``. A client belongs to one thread at a time."""

from importlib import import_module

from testbed.clients.base import Address, Client, Destination, Message
from testbed.errors import ClientError
from testbed.extras import explained

__all__ = ["PROTOCOLS", "Address", "Client", "Destination", "Message", "connect"]

# Protocol id -> where its client is. Modules are imported on first use, so that a missing
# library breaks its own protocol only.
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


def connect(address: Address) -> Client:
    """A connected and logged-in client of ``address.protocol``.

    Raises ``ConnectionRefused`` (its message names the reason: closed port, TLS refused,
    certificate expired, of an unknown authority or made out to another name, another
    protocol), ``NotAuthorized``, ``ClientError`` for an unknown protocol, or ``MissingExtra``.
    """
    try:
        module, name = _CLIENTS[address.protocol]
    except KeyError:
        raise ClientError(
            f"there is no client for {address.protocol!r}; there is one for each of {', '.join(PROTOCOLS)}"
        ) from None
    with explained():
        client: type[Client] = getattr(import_module(f"testbed.clients.{module}"), name)
    return client(address)
