"""A customer's configuration in RabbitMQ's terms, with the service's defaults.

Most keys are RabbitMQ's own. Some mean more (one switch, three headers), some are only possible in
RabbitMQ's other configuration file, in Erlang's syntax, and one has no counterpart in RabbitMQ
(``hostname_verification`` of a client).
"""

from collections.abc import Iterator, Mapping

from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.documented.rabbitmq_keys import BY_ARN, KEYS, SECURE_HEADERS
from testbed.engines.base import NodeSpec
from testbed.engines.rabbitmq.configuration import settings
from testbed.engines.rabbitmq.releases import LACKS

CA_FILE = "/run/testbed/tls/ca.pem"
# RabbitMQ 4 would also offer ANONYMOUS.
_MECHANISM = "auth_mechanisms."
_MECHANISMS = {f"{_MECHANISM}1": "PLAIN", f"{_MECHANISM}2": "AMQPLAIN"}

_INFINITE = "consumer_timeout"
_HEADERS = "secure.management.http.headers.enabled"
_OUTGOING = "amqp_client.ssl_options.verify"
_NOT_RABBITMQS = {
    _HEADERS,
    _OUTGOING,
    "ssl_options.hostname_verification",
    "management.ssl.hostname_verification",
}


def effective(node: NodeSpec) -> dict[str, str]:
    """Return the customer's keys over the documented defaults.

    Raises ``BadRequestException`` as ``configuration.settings`` does.
    """
    mode = "CLUSTER_MULTI_AZ" if node.cluster else "SINGLE_INSTANCE"
    customers = settings(
        node.configuration,
        node.version,
        deployment_mode=mode,
        instance_type=node.host_instance_type or DEFAULT_INSTANCE_TYPE["RABBITMQ"],
    )
    major = int(node.version.partition(".")[0])
    defaults = {
        name: key.default for name, key in KEYS.items() if key.default and key.since <= major
    }
    if not any(name.startswith(_MECHANISM) for name in customers):
        defaults |= _MECHANISMS
    return defaults | customers


def conf(values: Mapping[str, str], release: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of ``rabbitmq.conf`` for the values of ``effective``.

    What ``release`` does not have is left out.
    """
    left_out = _NOT_RABBITMQS.union(LACKS.get(release, ()))
    for name, value in values.items():
        infinite = name == _INFINITE and value == "0"
        if not infinite and name not in left_out and not name.startswith("aws.arns."):
            yield name, value
    yield from ((name, CA_FILE) for name, by_arn in BY_ARN.items() if by_arn in values)
    if values[_HEADERS] == "true":
        yield from SECURE_HEADERS.items()


def advanced(values: Mapping[str, str]) -> bytes:
    """Return ``advanced.config``, Erlang terms, for the values of ``effective``."""
    rabbit = ["{consumer_timeout, undefined}"] if values[_INFINITE] == "0" else []
    terms = [f"{{rabbit, [{', '.join(rabbit)}]}}"]
    if _OUTGOING in values:
        # The service verifies against the authorities that browsers trust; here there is one.
        options = f'{{verify, {values[_OUTGOING]}}}, {{cacertfile, "{CA_FILE}"}}'
        terms.append(f"{{amqp_client, [{{ssl_options, [{options}]}}]}}")
    return f"[{', '.join(terms)}].\n".encode()


def mechanisms(node: NodeSpec) -> set[str]:
    """Return the SASL mechanisms that clients may use."""
    return {value for name, value in effective(node).items() if name.startswith(_MECHANISM)}


def wants_certificate(node: NodeSpec) -> bool:
    """Say whether the handshake of a client without a certificate fails."""
    values = effective(node)
    return (
        values.get("ssl_options.verify") == "verify_peer"
        and values.get("ssl_options.fail_if_no_peer_cert") == "true"
    )
