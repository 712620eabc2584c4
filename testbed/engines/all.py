"""All engines by AWS's EngineType."""

from testbed.engines.activemq.engine import ActiveMQ
from testbed.engines.base import Engine
from testbed.engines.rabbitmq.engine import RabbitMQ

ENGINES: dict[str, Engine] = {"ACTIVEMQ": ActiveMQ(), "RABBITMQ": RabbitMQ()}
