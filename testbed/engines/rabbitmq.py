"""RabbitMQ: the image, the files that make a node of it, and a login.

What a node differs in comes with its secrets and stays in memory: the configuration, the certificate, and its user
with a hashed password. The broker's data and its Erlang cookie are on the encrypted volume.

Debian's RabbitMQ 4.0 stands for Amazon MQ's 4.2: the nearest that Debian's stable release has. For 4.3 and 3.13 there
is no package to build from, so they need an image of the user's own, which runs with these same files.
"""

import base64
import hashlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pika
import pika.exceptions

from testbed.clients.mailbox import quiet
from testbed.documented import listeners
from testbed.documented.listeners import Listener
from testbed.documented.tls import TlsProfile
from testbed.engines.base import NodeSpec, User
from testbed.errors import BadRequestException, ConnectionRefused, NotAuthorized
from testbed.runtime.images import BROKER_BASE, ImageSpec

quiet("pika")

# The release behind each version that CreateBroker takes.
RELEASES = {"4.2": "4.0.5"}

PLAINTEXT = (Listener("amqp-plaintext", "amqp", 5672, ("amqp", "amqp10")),)

# What Amazon MQ offers ("rabbitmq-basic-elements-plugins"), as far as it works without an outside party or a listener
# that is not documented.
PLUGINS = (
    "rabbitmq_management", "rabbitmq_shovel", "rabbitmq_shovel_management", "rabbitmq_federation",
    "rabbitmq_federation_management", "rabbitmq_consistent_hash_exchange", "rabbitmq_jms_topic_exchange",
)  # fmt: skip

# Amazon MQ's defaults ("configurable-values"; the default queue type is that of 4.2).
_DEFAULTS = {
    "heartbeat": "60",
    "consumer_timeout": "1800000",
    "default_queue_type": "quorum",
    "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration": "true",
    "management.restrictions.operator_policy_changes.disabled": "true",
}
# RabbitMQ 4 would also offer ANONYMOUS.
_MECHANISMS = ("PLAIN", "AMQPLAIN")
_TLS13_SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")

_RUN = "/run/testbed"
# The name is part of the data, so it may not change with the container's. Passing it to the Erlang VM itself spares
# the start of a second one, which would only look for epmd. Erlang's own ports stay inside the container's loopback.
# Schedulers that wait busily would take a laptop's cores for nothing.
_START = f"""\
umask 077
if [ ! -s .erlang.cookie ]; then
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > .erlang.cookie.new
    chmod 400 .erlang.cookie.new
    mv .erlang.cookie.new .erlang.cookie
fi
export HOME="$PWD" LANG=C.UTF-8
export RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_MNESIA_BASE="$PWD/node" RABBITMQ_LOGS=-
export RABBITMQ_CONF_ENV_FILE={_RUN}/etc/none.conf RABBITMQ_CONFIG_FILES={_RUN}/etc/none
export RABBITMQ_CONFIG_FILE={_RUN}/etc/rabbitmq.conf RABBITMQ_ADVANCED_CONFIG_FILE={_RUN}/etc/none.config
export RABBITMQ_ENABLED_PLUGINS_FILE={_RUN}/etc/enabled_plugins
export ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-sname rabbit@localhost \\
-kernel inet_dist_use_interface {{127,0,0,1}} inet_dist_listen_min 25672 inet_dist_listen_max 25672 \\
+sbwt none +sbwtdcpu none +sbwtdio none"
exec rabbitmq-server
"""


@dataclass(frozen=True)
class RabbitMQ:
    """``memory`` is the limit at which the broker holds its publishers back, as RabbitMQ writes sizes."""

    memory: str = "1GB"
    type: str = "RABBITMQ"
    user: str = "rabbitmq"

    def image(self, version: str) -> ImageSpec:
        """See ``Engine.image``. Raises ``BadRequestException`` for a version that there is no image of."""
        return ImageSpec("rabbitmq", "rabbitmq", BROKER_BASE, args=(("VERSION", self.running_version(version)),))

    def running_version(self, version: str) -> str:
        """See ``Engine.running_version``. Raises as ``image`` does."""
        try:
            return RELEASES[version]
        except KeyError:
            raise BadRequestException(
                f"RabbitMQ {version} cannot be had here. The testbed has {', '.join(f'{release} for {asked}' for asked, release in RELEASES.items())}.",
                error_attribute="engineVersion",
                hint=f"Give an image of your own, such as rabbitmq:{version}-management.",
            ) from None

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """See ``Engine.listeners``: the same for all versions."""
        return listeners.RABBITMQ

    def plaintext_listeners(self) -> tuple[Listener, ...]:
        """See ``Engine.plaintext_listeners``."""
        return PLAINTEXT

    def files(self, node: NodeSpec) -> dict[str, bytes]:
        """See ``Engine.files``."""
        return {
            "start": _START.encode(),
            "etc/rabbitmq.conf": "".join(f"{name} = {value}\n" for name, value in self._settings(node)).encode(),
            "etc/enabled_plugins": f"[{','.join(PLUGINS)}].\n".encode(),
            "etc/definitions.json": _definitions(node),
            "tls/chain.pem": node.chain_pem,
            "tls/key.pem": node.private_key_pem,
        }

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]], ca_file: str) -> None:
        """See ``Engine.login``.

        A node is known by its certificate, compared with the one it was given: a node with a deliberately bad one
        becomes ready too, and no password goes to anything else.
        """
        spoken = {listener.name: listener.protocols for listener in self.listeners(node.version)}
        # RabbitMQ opens its AMQP listener last.
        for name in sorted(addresses, key=lambda name: "management" in spoken[name]):
            host, port = addresses[name]
            try:
                with _handshake(node, host, port) as tls:
                    if "management" in spoken[name]:
                        _ask_management(tls, node.users[0])
                        continue
                _log_in(host, port, node.users[0])
            except (OSError, http.client.HTTPException, pika.exceptions.AMQPError) as error:
                raise ConnectionRefused(f"{name} does not answer yet: {str(error) or type(error).__name__}") from error

    def _settings(self, node: NodeSpec) -> Iterator[tuple[str, str]]:
        plaintext = node.control and node.control.plaintext_listener
        yield ("listeners.tcp.default", str(PLAINTEXT[0].port)) if plaintext else ("listeners.tcp", "none")
        ports = {listener.name: str(listener.container_port) for listener in listeners.RABBITMQ}
        yield "listeners.ssl.default", ports["amqps"]
        yield from _tls("ssl_options", node.tls)
        yield "ssl_options.verify", "verify_none"
        yield "ssl_options.fail_if_no_peer_cert", "false"
        yield "management.ssl.port", ports["management"]
        yield from _tls("management.ssl", node.tls)
        yield from ((f"auth_mechanisms.{number}", name) for number, name in enumerate(_MECHANISMS, 1))
        # Once: what was changed in the broker since stays changed.
        yield "definitions.import_backend", "local_filesystem"
        yield "definitions.local.path", f"{_RUN}/etc/definitions.json"
        yield "definitions.skip_if_unchanged", "true"
        yield from _DEFAULTS.items()
        yield "vm_memory_high_watermark.absolute", self.memory
        yield "disk_free_limit.absolute", "50MB"
        yield "log.console", "true"


def _tls(prefix: str, profile: TlsProfile) -> Iterator[tuple[str, str]]:
    yield f"{prefix}.certfile", f"{_RUN}/tls/chain.pem"
    yield f"{prefix}.keyfile", f"{_RUN}/tls/key.pem"
    # Erlang names versions in lower case, and TLS 1.0 without its minor.
    versions = ["tlsv1" if version == "TLSv1" else version.lower() for version in profile.versions]
    names = [suite.openssl for suite in profile.suites]
    if "TLSv1.3" in profile.versions:
        # It has suites of its own, and takes no part in the two options below.
        names += [name for name in _TLS13_SUITES if name not in names]
    else:
        yield f"{prefix}.honor_cipher_order", "true"
        yield f"{prefix}.client_renegotiation", "false"
    yield from ((f"{prefix}.versions.{number}", name) for number, name in enumerate(versions, 1))
    yield from ((f"{prefix}.ciphers.{number}", name) for number, name in enumerate(names, 1))


def _definitions(node: NodeSpec) -> bytes:
    """The virtual host and the users. The same node gets the same bytes, which is how RabbitMQ knows them again."""
    users = [
        {
            "name": user.username,
            "password_hash": _password_hash(user, node.broker_id),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
        }
        for user in node.users
    ]
    everything = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps(
        {
            "vhosts": [{"name": "/", "default_queue_type": "quorum"}],
            "users": users,
            "permissions": [{"user": user.username, **everything} for user in node.users],
        }
    ).encode()


def _password_hash(user: User, broker_id: str) -> str:
    """RabbitMQ's salted SHA-256 ("Credentials and Passwords": salt of four bytes, then the digest, in base64)."""
    salt = hashlib.sha256(f"{broker_id}\0{user.username}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + user.password.encode()).digest()).decode()


_TIMEOUT = 5.0  # seconds, for each answer


def _handshake(node: NodeSpec, host: str, port: int) -> ssl.SSLSocket:
    raw = socket.create_connection((host, port), timeout=_TIMEOUT)
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
    context.verify_mode = ssl.CERT_NONE  # see RabbitMQ.login
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
        socket_timeout=_TIMEOUT,
        stack_timeout=_TIMEOUT,
        blocked_connection_timeout=_TIMEOUT,
    )
    try:
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.ProbableAuthenticationError, pika.exceptions.AuthenticationError) as error:
        raise NotAuthorized("The broker refused the login over amqps.") from error


def _ask_management(tls: ssl.SSLSocket, user: User) -> None:
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    connection = http.client.HTTPConnection("localhost", timeout=_TIMEOUT)
    connection.sock = tls
    connection.request("GET", "/api/whoami", headers={"Authorization": f"Basic {credentials}", "Connection": "close"})
    status = connection.getresponse().status
    if status in (401, 403):
        raise NotAuthorized("The broker refused the login over management.")
    if status != 200:
        raise ConnectionRefused(f"The management interface answers HTTP {status}.")
