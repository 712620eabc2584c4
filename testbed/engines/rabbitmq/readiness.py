"""A login at each of RabbitMQ's listeners: a node is ready when all succeed.

A node is known by its certificate, which must be the one it was given: a node with a deliberately
bad certificate becomes ready too, and no password goes to anything else.
"""

import base64
import http.client
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
import pika.exceptions

from testbed.documented import listeners
from testbed.documented.engines import ALARMS
from testbed.documented.listeners import Listener
from testbed.engines.base import NodeSpec, User
from testbed.engines.rabbitmq import settings, start
from testbed.errors import ConnectionRefused, NotAuthorized
from testbed.protocols import tls

TIMEOUT = 5.0  # seconds, for each answer
# How a listener turns away a client without a certificate: on TLS 1.2, on 1.3.
_NO_CERTIFICATE = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV13_ALERT_CERTIFICATE_REQUIRED")
# The codes of AMQP 0-9-1 with which a broker refuses a user, and a virtual host that is gone or not
# the user's. Pika guesses at the same when a connection just ends.
_REFUSED = ("(403)", "(530)")


def log_in(node: NodeSpec, listener: Listener, address: tuple[str, int]) -> None:
    """Connect to a listener and log in. Raises ``ConnectionRefused`` or ``NotAuthorized``.

    A customer's configuration may require a client certificate, which nobody here has, or accept
    no password. Then a listener that asks for one is ready, and one that completes the handshake.
    """
    host, port = address
    management = "management" in listener.protocols
    try:
        with _handshake(node, host, port) as connection:
            if management:
                _query_management(connection, node)
                return
        if "PLAIN" in settings.mechanisms(node):
            _log_in_to_amqp(host, port, node.users[0])
    except (OSError, http.client.HTTPException, pika.exceptions.AMQPError) as error:
        wants_certificate = getattr(error, "reason", "") in _NO_CERTIFICATE
        if wants_certificate and not management and settings.wants_certificate(node):
            return
        reason = str(error) or type(error).__name__
        raise ConnectionRefused(f"{listener.name} does not answer yet: {reason}") from error


def _handshake(node: NodeSpec, host: str, port: int) -> ssl.SSLSocket:
    raw = socket.create_connection((host, port), timeout=TIMEOUT)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secured = tls.permissive_context().wrap_socket(raw, server_hostname=node.hostname)
    except BaseException:
        raw.close()
        raise
    known = [tls.leaf(chain) for chain in (node.chain_pem, node.former_chain_pem) if chain]
    if secured.getpeercert(binary_form=True) not in known:
        secured.close()
        raise ConnectionRefused(f"{host}:{port} has a foreign certificate.")
    return secured


def _log_in_to_amqp(host: str, port: int, user: User) -> None:
    """Log in over AMQP 0-9-1; AMQP 1.0 has the same listener and the same users."""
    parameters = pika.ConnectionParameters(
        host,
        port,
        credentials=pika.PlainCredentials(user.username, user.password),
        ssl_options=pika.SSLOptions(tls.permissive_context()),
        socket_timeout=TIMEOUT,
        stack_timeout=TIMEOUT,
        blocked_connection_timeout=TIMEOUT,
    )
    try:
        with _muted("pika"):
            pika.BlockingConnection(parameters).close()
    except (
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.ProbableAccessDeniedError,
        pika.exceptions.AuthenticationError,
    ) as error:
        is_guess = not isinstance(error, pika.exceptions.AuthenticationError)
        if is_guess and not any(code in str(error) for code in _REFUSED):
            raise
        raise NotAuthorized("The broker refused the login over amqps.") from error


@contextmanager
def _muted(name: str) -> Iterator[None]:
    """Keep a library's warnings off standard error, where they go while logging is unconfigured.

    A refused login is expected while a node starts. The library's logger is left as it was.
    """
    logger, handler = logging.getLogger(name), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def alarms(node: NodeSpec, address: tuple[str, int]) -> tuple[str, ...]:
    """Return the codes of the alarms of all nodes. Raises ``ClientError``."""
    try:
        with _handshake(node, *address) as connection:
            answer = _get(connection, node, "/api/health/checks/alarms", or_status=503)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionRefused(f"The management interface does not answer: {error}") from error
    # "memory" and "disk space"
    short = {alarm["resource"].partition(" ")[0] for alarm in answer.get("alarms", ())}
    return tuple(code for resource, code in ALARMS.items() if resource in short)


def _query_management(connection: ssl.SSLSocket, node: NodeSpec) -> None:
    """Log in to the management interface.

    In a cluster, look there for this node: another one may be answering.
    """
    overview = _get(connection, node, "/api/overview?columns=listeners")
    if node.cluster:
        member = start.node_name(node.hostname)
        ports = {
            listener["port"] for listener in overview["listeners"] if listener["node"] == member
        }
        # A node counts as running before it listens.
        if not ports >= {listener.container_port for listener in listeners.RABBITMQ}:
            raise ConnectionRefused(f"{member} does not listen yet.")


def _get(connection: ssl.SSLSocket, node: NodeSpec, path: str, or_status: int = 200) -> Any:
    """Return what the management interface answers with HTTP 200, or ``or_status``.

    Raises ``ClientError``.
    """
    user = node.users[0]
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    client = http.client.HTTPConnection("localhost", timeout=TIMEOUT)
    client.sock = connection
    client.request(
        "GET",
        path,
        headers={"Authorization": f"Basic {credentials}", "Connection": "close"},
    )
    answer = client.getresponse()
    if answer.status in {401, 403}:
        raise NotAuthorized("The broker refused the login over management.")
    if answer.status not in {http.HTTPStatus.OK, or_status}:
        raise ConnectionRefused(f"The management interface answers HTTP {answer.status}.")
    return json.load(answer)
