"""What RabbitMQ itself is told of a customer's configuration, defaults of the service included.

Most keys are RabbitMQ's own. Some mean more (one switch, three headers), some RabbitMQ takes only in its other
configuration file, in Erlang's syntax, and one nothing in RabbitMQ answers to (``hostname_verification`` of a client).
"""

from collections.abc import Iterator, Mapping

from testbed.documented.rabbitmq_keys import BY_ARN, KEYS, SECURE_HEADERS
from testbed.engines.base import NodeSpec
from testbed.engines.rabbitmq.configuration import settings

CA_FILE = "/run/testbed/tls/ca.pem"
# RabbitMQ 4 would also offer ANONYMOUS.
_MECHANISM = "auth_mechanisms."
_MECHANISMS = {f"{_MECHANISM}1": "PLAIN", f"{_MECHANISM}2": "AMQPLAIN"}

_INFINITE = "consumer_timeout"
_HEADERS = "secure.management.http.headers.enabled"
_OUTGOING = "amqp_client.ssl_options.verify"
_EXCHANGES = "cluster_exchange_limit"  # not in the schema of 4.0, which stands for 4.2
_NOT_RABBITMQS = {
    _HEADERS,
    _OUTGOING,
    _EXCHANGES,
    "ssl_options.hostname_verification",
    "management.ssl.hostname_verification",
}


def chosen(node: NodeSpec) -> dict[str, str]:
    """The customer's keys, and the documented defaults of the others. Raises ``BadRequestException``."""
    mode = "CLUSTER_MULTI_AZ" if node.cluster else "SINGLE_INSTANCE"
    customers = settings(
        node.configuration, node.version, deployment_mode=mode, **_instance_type(node)
    )
    major = int(node.version.partition(".")[0])
    defaults = {
        name: key.default for name, key in KEYS.items() if key.default and key.since <= major
    }
    if not any(name.startswith(_MECHANISM) for name in customers):
        defaults |= _MECHANISMS
    return defaults | customers


def conf(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Lines of ``rabbitmq.conf`` for what ``chosen`` says."""
    for name, value in values.items():
        infinite = name == _INFINITE and value == "0"
        if not infinite and name not in _NOT_RABBITMQS and not name.startswith("aws.arns."):
            yield name, value
    yield from ((name, CA_FILE) for name, by_arn in BY_ARN.items() if by_arn in values)
    if values[_HEADERS] == "true":
        yield from SECURE_HEADERS.items()


def advanced(values: Mapping[str, str]) -> bytes:
    """``advanced.config``: Erlang terms."""
    rabbit = ["{consumer_timeout, undefined}"] if values[_INFINITE] == "0" else []
    if _EXCHANGES in values:
        rabbit.append(f"{{{_EXCHANGES}, {values[_EXCHANGES]}}}")
    terms = [f"{{rabbit, [{', '.join(rabbit)}]}}"]
    if _OUTGOING in values:
        # The service verifies against the authorities that browsers know; here there is one.
        terms.append(
            f'{{amqp_client, [{{ssl_options, [{{verify, {values[_OUTGOING]}}}, {{cacertfile, "{CA_FILE}"}}]}}]}}'
        )
    return f"[{', '.join(terms)}].\n".encode()


def mechanisms(node: NodeSpec) -> set[str]:
    """How clients may log in."""
    return {value for name, value in chosen(node).items() if name.startswith(_MECHANISM)}


def wants_certificate(node: NodeSpec) -> bool:
    """Whether a client without a certificate is turned away in the handshake."""
    values = chosen(node)
    return (
        values.get("ssl_options.verify") == "verify_peer"
        and values.get("ssl_options.fail_if_no_peer_cert") == "true"
    )


def _instance_type(node: NodeSpec) -> dict[str, str]:
    return {"instance_type": node.host_instance_type} if node.host_instance_type else {}
