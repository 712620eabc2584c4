"""Code that connects known client libraries to a broker and sends a message there and back.

The code is in ``snippets/``, a file for each client. ``{{name}}`` stands for a value, which is
written as a literal of the file's language.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from testbed.broker.model import Broker
from testbed.client_setup.formats import failover
from testbed.client_setup.settings import with_credentials
from testbed.errors import TestbedError
from testbed.pki.authority import TRUSTSTORE, TRUSTSTORE_PASSWORD

SNIPPETS = Path(__file__).with_name("snippets")
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_Value = str | int


@dataclass(frozen=True)
class Client:
    """A library or tool: its file, the protocol that it speaks, and how its URLs begin."""

    file: str
    protocol: str
    scheme: str = ""

    @property
    def language(self) -> str:
        """The file's extension, such as ``py``."""
        return self.file.rpartition(".")[2]


CLIENTS: Mapping[str, Client] = {
    "pika": Client("pika.py", "amqp", "amqps"),
    "aio-pika": Client("aio-pika.py", "amqp", "amqps"),
    "celery": Client("celery.py", "amqp", "amqps"),
    "stomp.py": Client("stomp.py.py", "stomp"),
    "paho-mqtt": Client("paho-mqtt.py", "mqtt"),
    "qpid-proton": Client("qpid-proton.py", "amqp10", "amqps"),
    "amqp-client": Client("amqp-client.java", "amqp", "amqps"),
    "activemq-client": Client("activemq-client.java", "openwire", "ssl"),
    "qpid-jms": Client("qpid-jms.java", "amqp10", "amqps"),
    "amqplib": Client("amqplib.mjs", "amqp", "amqps"),
    "mqtt": Client("mqtt.mjs", "mqtt", "mqtts"),
    "stompjs": Client("stompjs.mjs", "stomp-ws", "wss"),
    "rhea": Client("rhea.mjs", "amqp10"),
    "amqp091-go": Client("amqp091-go.go", "amqp", "amqps"),
    "paho.mqtt.golang": Client("paho.mqtt.golang.go", "mqtt", "mqtts"),
    "lapin": Client("lapin.rs", "amqp", "amqps"),
    "rabbitmq.client": Client("rabbitmq.client.cs", "amqp", "amqps"),
    "bunny": Client("bunny.rb", "amqp", "amqps"),
    "php-amqplib": Client("php-amqplib.php", "amqp"),
    "rabbitmqadmin": Client("rabbitmqadmin.sh", "management"),
    "perf-test": Client("perf-test.sh", "amqp", "amqps"),
    "curl": Client("curl.sh", "management", "https"),
}


def snippet(name: str, broker: Broker, folder: Path) -> str:
    """Return the code of the client ``name`` for ``broker``, the password included.

    ``folder`` is where the authority's files are. Raises ``TestbedError`` if there is no code for
    the client, or the broker does not speak its protocol.
    """
    if name not in offered(broker):
        unknown = name not in CLIENTS
        raise TestbedError(
            f"There is no code for the client {name!r}."
            if unknown
            else f"{broker.broker_name} does not speak {CLIENTS[name].protocol}, as {name} does.",
            hint=f"For {broker.broker_name} there is code for {', '.join(offered(broker))}.",
        )
    return render(CLIENTS[name], _values(CLIENTS[name], broker, folder))


def offered(broker: Broker) -> tuple[str, ...]:
    """Return the clients that speak a protocol of the broker's."""
    spoken = {protocol for endpoint in broker.endpoints for protocol in endpoint.protocols}
    return tuple(name for name, client in CLIENTS.items() if client.protocol in spoken)


def render(client: Client, values: Mapping[str, _Value]) -> str:
    """Return the client's code with ``values`` as literals of its language."""
    text = (SNIPPETS / f"{client.file}.txt").read_text()
    literal = _LITERALS.get(client.language, _double_quoted)
    return _PLACE.sub(lambda place: literal(values[place[1]]), text)


def _values(client: Client, broker: Broker, folder: Path) -> dict[str, _Value]:
    user = broker.users[0]
    first, *others = (
        f"{client.scheme or endpoint.scheme}://{endpoint.host}:{endpoint.port}"
        for endpoint in broker.endpoints
        if client.protocol in endpoint.protocols and endpoint.tls
    )
    address = urlsplit(first)
    return {
        "host": address.hostname or "",
        "port": address.port or 0,
        "username": user.username,
        "password": user.password,
        "url": first,
        "login_url": with_credentials(first, user.username, user.password),
        "failover": failover((first, *others)),
        "address": "/queues/greetings" if broker.engine_type == "RABBITMQ" else "greetings",
        "ca_file": str(folder / "ca.pem"),
        "truststore": str(folder / TRUSTSTORE),
        "truststore_password": TRUSTSTORE_PASSWORD,
    }


def _double_quoted(value: _Value) -> str:
    """JSON's escapes are also those of Python, JavaScript, Java, Go, C# and, in ASCII, Rust."""
    return json.dumps(value, ensure_ascii=False)


def _single_quoted(value: _Value) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_LITERALS: Mapping[str, Callable[[_Value], str]] = {
    "rb": _single_quoted,
    "php": lambda value: str(value) if isinstance(value, int) else _single_quoted(value),
    "sh": lambda value: shlex.quote(str(value)),
}
