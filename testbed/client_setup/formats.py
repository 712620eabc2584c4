"""Settings as shells, containers, Java and Spring read them. Pure."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.client_setup.settings import MOUNTED, BrokerSettings, Settings
from testbed.pki.authority import TRUSTSTORE_PASSWORD

_BARE = re.compile(r"[\w@%+=:,./-]*", re.ASCII)
_AWS_PROPERTIES = {
    "AWS_ENDPOINT_URL": "aws.endpointUrl",
    "AWS_ACCESS_KEY_ID": "aws.accessKeyId",
    "AWS_SECRET_ACCESS_KEY": "aws.secretAccessKey",
    "AWS_REGION": "aws.region",
}


@dataclass(frozen=True)
class Format:
    """How settings are written. ``inside`` is for clients in the testbed's network."""

    render: Callable[[Settings], str]
    inside: bool = False


def _shell(settings: Settings) -> str:
    variables = settings.variables().items()
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables)


def _dotenv(settings: Settings) -> str:
    return "\n".join(f"{name}={_quoted(value)}" for name, value in settings.variables().items())


def _docker(settings: Settings) -> str:
    """Render for ``docker run --env-file``, which takes everything after ``=`` as it is."""
    variables = settings.variables(MOUNTED).items()
    mounts = " ".join(
        f"--volume {shlex.quote(f'{path}:{MOUNTED / path.name}:ro')}"
        for path in (settings.ca_file, settings.truststore)
    )
    return "\n".join(
        (
            f"# docker run --env-file FILE --network {settings.network} {mounts} IMAGE",
            *(f"{name}={value}" for name, value in variables),
        )
    )


def _java(settings: Settings) -> str:
    """Render as an argument file: ``java @FILE``."""
    properties = _trust(settings)
    properties |= {
        name: settings.aws[variable]
        for variable, name in _AWS_PROPERTIES.items()
        if variable in settings.aws
    }
    properties |= {
        name.lower().replace("_", "."): value
        for name, value in settings.variables().items()
        if name not in settings.aws
    }
    lines = (f"-D{name}={value}" for name, value in properties.items())
    return "\n".join(
        line if _BARE.fullmatch(line) else json.dumps(line, ensure_ascii=False) for line in lines
    )


def _spring(settings: Settings) -> str:
    """Render as ``application.properties`` for the first broker of each engine."""
    first = {broker.engine_type: broker for broker in reversed(settings.brokers)}
    properties: dict[str, str] = {}
    if rabbitmq := first.get("RABBITMQ"):
        properties |= _spring_rabbitmq(rabbitmq, settings)
    lines = []
    if activemq := first.get("ACTIVEMQ"):
        properties |= {
            "spring.activemq.broker-url": failover(activemq.of("openwire")),
            "spring.activemq.user": activemq.username,
            "spring.activemq.password": activemq.password,
        }
        lines.append("# ActiveMQ's client takes the JVM's truststore: java @FILE, with the file of")
        lines.append("# testbed env --format java")
    # JSON's escapes are those of a properties file, which is in Latin-1.
    return "\n".join((*lines, *(f"{n}={json.dumps(v)[1:-1]}" for n, v in properties.items())))


def _spring_rabbitmq(broker: BrokerSettings, settings: Settings) -> Mapping[str, str]:
    return {
        "spring.rabbitmq.addresses": ",".join(broker.of("amqps")),
        "spring.rabbitmq.username": broker.username,
        "spring.rabbitmq.password": broker.password,
        "spring.rabbitmq.ssl.enabled": "true",
        "spring.rabbitmq.ssl.trust-store": f"file:{settings.truststore}",
        "spring.rabbitmq.ssl.trust-store-type": "PKCS12",
        "spring.rabbitmq.ssl.trust-store-password": TRUSTSTORE_PASSWORD,
    }


def _json(settings: Settings) -> str:
    return json.dumps(settings.variables(), indent=2)


def failover(urls: tuple[str, ...]) -> str:
    """Return ActiveMQ's URL for all instances, of which one is active."""
    return f"failover:({','.join(urls)})" if len(urls) > 1 else urls[0]


def _trust(settings: Settings) -> dict[str, str]:
    return {
        "javax.net.ssl.trustStore": str(settings.truststore),
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": TRUSTSTORE_PASSWORD,
    }


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


FORMATS = {
    "shell": Format(_shell),
    "dotenv": Format(_dotenv),
    "docker": Format(_docker, inside=True),
    "java": Format(_java),
    "spring": Format(_spring),
    "json": Format(_json),
}
