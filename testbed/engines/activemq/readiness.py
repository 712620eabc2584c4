"""One login per protocol of ActiveMQ, in milliseconds: tried again until the broker is ready.

A node is known by its certificate, which must be the one it was given: a node with a deliberately
bad certificate becomes ready too, and no password goes to anything else.
"""

import base64
import http.client
import socket
import ssl
import struct
import uuid
from collections.abc import Callable

import websocket

from testbed.engines.base import NodeSpec, User
from testbed.errors import ClientError, ConnectionRefused, NotAuthorized
from testbed.protocols import amqp, mqtt, openwire, stomp, tls

TIMEOUT = 5.0  # seconds, for each answer
Login = tuple[str, Callable[[ssl.SSLSocket, User], None]]  # a listener's name, and a login there


def log_in(node: NodeSpec, login: Login, addresses: dict[str, tuple[str, int]]) -> None:
    """Connect to the listener and log in. Raises ``ConnectionRefused`` or ``NotAuthorized``."""
    name, speak = login
    host, port = addresses[name]
    user = _user(node, name)
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = tls.permissive_context()
            with context.wrap_socket(raw, server_hostname=node.hostname) as secured:
                if secured.getpeercert(binary_form=True) != tls.leaf(node.chain_pem):
                    raise ConnectionRefused(f"{name} at {host}:{port} has a foreign certificate.")
                if user:
                    speak(secured, user)
    except ClientError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        struct.error,
        http.client.HTTPException,
        websocket.WebSocketException,
    ) as error:
        reason = str(error) or type(error).__name__
        raise ConnectionRefused(f"{name} does not answer yet: {reason}") from error


def _user(node: NodeSpec, listener: str) -> User | None:
    """Pick a user who may log in; None if there is none, and a handshake has to do.

    Every user may use the broker; the console is for those with access to it. Over STOMP, ActiveMQ
    loses spaces at the ends of a password.
    """
    for user in node.users:
        if user.password == user.password.strip() and (
            listener != "console" or user.console_access
        ):
            return user
    return None


def _openwire(connection: ssl.SSLSocket, user: User) -> None:
    client = f"login-{uuid.uuid4()}"
    login = openwire.connection_info(client, user.username, user.password)
    command = openwire.command(openwire.CONNECTION_INFO, 1, login, answer=True)
    connection.sendall(openwire.frame(openwire.wire_format()))
    if not openwire.is_greeting(_openwire_frame(connection)):
        raise ValueError("not OpenWire")
    connection.sendall(openwire.frame(command))
    answers = (openwire.RESPONSE, openwire.EXCEPTION_RESPONSE)
    while (answer := _openwire_frame(connection))[0] not in answers:
        pass  # the broker introduces itself
    _require(answer[0] == openwire.RESPONSE, "openwire")


def _openwire_frame(connection: ssl.SSLSocket) -> bytes:
    return _exactly(connection, struct.unpack(">I", _exactly(connection, 4))[0])


def _amqp(connection: ssl.SSLSocket, user: User) -> None:
    connection.sendall(amqp.HEADER_SASL)
    if _exactly(connection, len(amqp.HEADER_SASL)) != amqp.HEADER_SASL:
        raise ValueError("not AMQP 1.0 with SASL")
    _sasl_frame(connection)  # sasl-mechanisms
    connection.sendall(amqp.sasl_plain(user.username, user.password))
    _require(amqp.is_accepted(_sasl_frame(connection)), "amqp")


def _sasl_frame(connection: ssl.SSLSocket) -> bytes:
    """Read a frame; its size counts its own four bytes."""
    return _exactly(connection, struct.unpack(">I", _exactly(connection, 4))[0] - 4)


def _stomp(connection: ssl.SSLSocket, user: User) -> None:
    connection.sendall(_stomp_connect(user))
    _require(stomp.is_connected(_some(connection.recv(4096))), "stomp")


def _stomp_connect(user: User) -> bytes:
    """ActiveMQ resolves escapes in a CONNECT frame, which has none (STOMP 1.2, value encoding)."""
    username, password = (text.replace("\\", "\\\\") for text in (user.username, user.password))
    return stomp.connect(username, password)


def _mqtt(connection: ssl.SSLSocket, user: User) -> None:
    connection.sendall(_mqtt_connect(user))
    _require(mqtt.is_accepted(_exactly(connection, mqtt.CONNACK_BYTES)), "mqtt")


def _mqtt_connect(user: User) -> bytes:
    return mqtt.connect(f"login-{uuid.uuid4().hex[:16]}", user.username, user.password)


def _over_websocket(
    protocol: str, connect: Callable[[User], bytes], is_accepted: Callable[[bytes], bool]
) -> Callable[[ssl.SSLSocket, User], None]:
    opcode = websocket.ABNF.OPCODE_BINARY if protocol == "mqtt" else websocket.ABNF.OPCODE_TEXT

    def speak(connection: ssl.SSLSocket, user: User) -> None:
        channel = websocket.create_connection(
            "wss://localhost/", socket=connection, subprotocols=[protocol]
        )
        channel.send(connect(user), opcode)
        _require(is_accepted(_some(channel.recv())), protocol)

    return speak


def _console(connection: ssl.SSLSocket, user: User) -> None:
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    client = http.client.HTTPConnection("localhost")
    client.sock = connection
    headers = {
        "Authorization": f"Basic {credentials}",
        "Origin": "https://localhost",  # without one Jolokia refuses (jolokia-access.xml)
        "Connection": "close",
    }
    client.request("GET", "/api/jolokia/version", headers=headers)
    status = client.getresponse().status
    _require(status not in {401, 403}, "console")
    if status != http.HTTPStatus.OK:
        raise ValueError(f"HTTP {status}")


def _require(accepted: bool, protocol: str) -> None:
    if not accepted:
        raise NotAuthorized(f"The broker refused the login over {protocol}.")


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += _some(connection.recv(count - len(data)))
    return data


def _some(data: bytes | str) -> bytes:
    """Return what was received. A connection that ends without an answer has refused nobody."""
    if not data:
        raise EOFError("the connection was closed")
    return data.encode() if isinstance(data, str) else data


LOGINS: tuple[Login, ...] = (
    ("openwire", _openwire),
    ("amqp", _amqp),
    ("stomp", _stomp),
    ("mqtt", _mqtt),
    ("wss", _over_websocket("v12.stomp", _stomp_connect, stomp.is_connected)),
    ("wss", _over_websocket("mqtt", _mqtt_connect, mqtt.is_accepted)),
    ("console", _console),
)
