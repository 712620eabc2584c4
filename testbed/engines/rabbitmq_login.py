"""A login at each of RabbitMQ's listeners, which is what ready means.

A node is known by its certificate, compared with the one it was given: a node with a deliberately bad one becomes ready
too, and no password goes to anything else.
"""

import base64
import http.client
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pika.exceptions

from testbed.documented import listeners
from testbed.engines import rabbitmq_settings, rabbitmq_start
from testbed.engines.base import NodeSpec, User
from testbed.errors import ConnectionRefused, NotAuthorized

TIMEOUT = 5.0  # seconds, for each answer
# How a listener turns away a client without a certificate: on TLS 1.2, on 1.3.
_NO_CERTIFICATE = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV13_ALERT_CERTIFICATE_REQUIRED")


def login(node: NodeSpec, name: str, management: bool, address: tuple[str, int]) -> None:
    """Connect to the listener ``name`` and log in. Raises ``ConnectionRefused`` or ``NotAuthorized``.

    A customer's configuration may want a certificate that nobody here has, or take no password: then being asked for one
    is ready, and completing the handshake is.
    """
    host, port = address
    try:
        with _handshake(node, host, port) as tls:
            if management:
                _ask_management(tls, node)
                return
        if "PLAIN" in rabbitmq_settings.mechanisms(node):
            _log_in(host, port, node.users[0])
    except (OSError, http.client.HTTPException, pika.exceptions.AMQPError) as error:
        if (
            not management
            and getattr(error, "reason", "") in _NO_CERTIFICATE
            and rabbitmq_settings.wants_certificate(node)
        ):
            return
        raise ConnectionRefused(
            f"{name} does not answer yet: {str(error) or type(error).__name__}"
        ) from error


def _handshake(node: NodeSpec, host: str, port: int) -> ssl.SSLSocket:
    raw = socket.create_connection((host, port), timeout=TIMEOUT)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = _context().wrap_socket(raw, server_hostname=node.hostname)
    except BaseException:
        raw.close()
        raise
    end = b"-----END CERTIFICATE-----"
    leaf = ssl.PEM_cert_to_DER_cert((node.chain_pem.split(end)[0] + end).decode())
    if tls.getpeercert(binary_form=True) != leaf:
        tls.close()
        raise ConnectionRefused(f"{host}:{port} has the certificate of something else.")
    return tls


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # see above
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _log_in(host: str, port: int, user: User) -> None:
    """AMQP 0-9-1; AMQP 1.0 is answered by the same listener with the same users."""
    parameters = pika.ConnectionParameters(
        host,
        port,
        credentials=pika.PlainCredentials(user.username, user.password),
        ssl_options=pika.SSLOptions(_context()),
        socket_timeout=TIMEOUT,
        stack_timeout=TIMEOUT,
        blocked_connection_timeout=TIMEOUT,
    )
    try:
        with _muted("pika"):
            pika.BlockingConnection(parameters).close()
    except (
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.AuthenticationError,
    ) as error:
        raise NotAuthorized("The broker refused the login over amqps.") from error


@contextmanager
def _muted(name: str) -> Iterator[None]:
    """Keep a library's warnings off standard error, where Python prints them if nobody has configured logging.

    A refused login is expected while a node starts. The library's logger is left as it was.
    """
    logger, handler = logging.getLogger(name), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _ask_management(tls: ssl.SSLSocket, node: NodeSpec) -> None:
    """A login at the management interface, and in a cluster what it says of the node: another one may be answering."""
    user = node.users[0]
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT)
    connection.sock = tls
    connection.request(
        "GET",
        "/api/overview?columns=listeners",
        headers={"Authorization": f"Basic {credentials}", "Connection": "close"},
    )
    answer = connection.getresponse()
    if answer.status in (401, 403):
        raise NotAuthorized("The broker refused the login over management.")
    if answer.status != 200:
        raise ConnectionRefused(f"The management interface answers HTTP {answer.status}.")
    if node.cluster:
        member = rabbitmq_start.node_name(node.hostname)
        ports = {
            listener["port"]
            for listener in json.load(answer)["listeners"]
            if listener["node"] == member
        }
        # A node counts as running before it listens.
        if not ports >= {listener.container_port for listener in listeners.RABBITMQ}:
            raise ConnectionRefused(f"{member} does not listen yet.")
