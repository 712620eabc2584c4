"""The listeners of each engine: protocol, URL scheme and port. All are TLS.

Sources: GUIDE22 and TF for ActiveMQ, WWR for RabbitMQ. RabbitMQ's management interface answers on
both 443 and 15671; on RabbitMQ 4, AMQP 1.0 shares port 5671 with AMQP 0-9-1. Not here is the
Prometheus endpoint that the service has from RabbitMQ 4.2 on (16001, TF).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Listener:
    """One listening port.

    ``protocols`` are the testbed's protocol ids: ``amqp`` is AMQP 0-9-1, ``amqp10`` AMQP 1.0.
    ``port`` is the documented port. ``inside`` is the port in the container if it differs.
    """

    name: str
    scheme: str
    port: int
    protocols: tuple[str, ...]
    inside: int = 0

    @property
    def container_port(self) -> int:
        return self.inside or self.port


# The order is DescribeBroker's as TF normalises it, the console last.
ACTIVEMQ = (
    Listener("openwire", "ssl", 61617, ("openwire",)),
    Listener("amqp", "amqp+ssl", 5671, ("amqp10",)),
    Listener("stomp", "stomp+ssl", 61614, ("stomp",)),
    Listener("mqtt", "mqtt+ssl", 8883, ("mqtt",)),
    Listener("wss", "wss", 61619, ("stomp-ws", "mqtt-ws")),
    Listener("console", "https", 8162, ("console",)),
)

RABBITMQ = (
    Listener("amqps", "amqps", 5671, ("amqp", "amqp10")),
    Listener("management", "https", 15671, ("management",)),
    Listener("management-443", "https", 443, ("management",), inside=15671),
)

# AMQP 1.0 came with RabbitMQ 4 (WWR).
RABBITMQ_3 = (Listener("amqps", "amqps", 5671, ("amqp",)), *RABBITMQ[1:])

LISTENERS = {"ACTIVEMQ": ACTIVEMQ, "RABBITMQ": RABBITMQ}

# Protocols that RabbitMQ can speak and Amazon MQ for RabbitMQ does not offer, with the
# ports a client would try (WWR, "supported protocols").
RABBITMQ_CLOSED = {
    "amqp plaintext": 5672,
    "mqtt": 1883,
    "mqtts": 8883,
    "stomp": 61613,
    "stomps": 61614,
    "stream": 5552,
    "streams": 5551,
}
# ActiveMQ has no plaintext listener (GUIDE22): its usual plaintext ports stay closed.
ACTIVEMQ_CLOSED = {
    "openwire": 61616,
    "amqp": 5672,
    "stomp": 61613,
    "mqtt": 1883,
    "console http": 8161,
}
CLOSED = {"ACTIVEMQ": ACTIVEMQ_CLOSED, "RABBITMQ": RABBITMQ_CLOSED}
