"""One real login per protocol of ActiveMQ, byte by byte: quick enough to be tried again until the broker is ready.

A node is known by its certificate, compared with the one it was given: a node with a deliberately bad
certificate becomes ready too, and no password goes to anything else.
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

TIMEOUT = 5.0  # seconds, for each answer
Login = tuple[str, Callable[[ssl.SSLSocket, User], None]]  # name of the listener, what to say there


def login(node: NodeSpec, login: Login, addresses: dict[str, tuple[str, int]]) -> None:
    """Connect to the listener and log in. Raises ``ConnectionRefused`` or ``NotAuthorized``."""
    name, speak = login
    host, port = addresses[name]
    # Everyone may use the broker; the console is for those who have access to it. Over STOMP, ActiveMQ
    # loses spaces at the ends of a password: a broker with such passwords only is ready without a login.
    users = [user for user in node.users if user.password == user.password.strip()]
    user = next((user for user in users if name != "console" or user.console_access), None)
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with _context(node).wrap_socket(raw, server_hostname=node.hostname) as tls:
                if tls.getpeercert(binary_form=True) != ssl.PEM_cert_to_DER_cert(_leaf(node)):
                    raise ConnectionRefused(
                        f"{name} at {host}:{port} has the certificate of something else."
                    )
                if user:
                    speak(tls, user)
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
        raise ConnectionRefused(
            f"{name} does not answer yet: {str(error) or type(error).__name__}"
        ) from error


def _context(node: NodeSpec) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # see above
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _leaf(node: NodeSpec) -> str:
    end = b"-----END CERTIFICATE-----"
    return (node.chain_pem.split(end)[0] + end).decode()


def _openwire(tls: ssl.SSLSocket, user: User) -> None:
    """OpenWire version 1, loose encoding: wire format, then ConnectionInfo (OpenWire specification)."""
    identity = _utf8(f"login-{uuid.uuid4()}")
    flags = ("TightEncodingEnabled", "CacheEnabled", "SizePrefixDisabled")
    settings = struct.pack(">i", len(flags)) + b"".join(_utf8(flag) + b"\x01\x00" for flag in flags)
    _send(
        tls,
        b"\x01ActiveMQ"
        + struct.pack(">i", 1)
        + b"\x01"
        + struct.pack(">i", len(settings))
        + settings,
    )
    if _frame(tls)[1:9] != b"ActiveMQ":
        raise ValueError("not OpenWire")
    text = b"\x01" + identity + b"\x01" + _utf8(user.password) + b"\x01" + _utf8(user.username)
    _send(
        tls,
        b"\x03"
        + struct.pack(">i", 1)
        + b"\x01"
        + b"\x01\x78\x01"
        + identity
        + text
        + b"\x00\x00\x00",
    )
    while (answer := _frame(tls))[0] not in (30, 31):  # Response, ExceptionResponse
        pass
    _require(answer[0] == 30, "openwire")


def _amqp(tls: ssl.SSLSocket, user: User) -> None:
    """SASL PLAIN (AMQP 1.0, part 5)."""
    tls.sendall(b"AMQP\x03\x01\x00\x00")
    if _exactly(tls, 8) != b"AMQP\x03\x01\x00\x00":
        raise ValueError("not AMQP 1.0 with SASL")
    _exactly(tls, struct.unpack(">I", _exactly(tls, 4))[0] - 4)  # sasl-mechanisms
    response = b"\0" + user.username.encode() + b"\0" + user.password.encode()
    fields = b"\xa3\x05PLAIN" + b"\xb0" + struct.pack(">I", len(response)) + response
    _send(
        tls,
        b"\x02\x01\x00\x00\x00\x53\x41\xd0" + struct.pack(">II", len(fields) + 4, 2) + fields,
        including=True,
    )
    outcome = _exactly(tls, struct.unpack(">I", _exactly(tls, 4))[0] - 4)
    _require(outcome.endswith(b"\x50\x00"), "amqp")  # code: ubyte 0, ok


def _stomp(tls: ssl.SSLSocket, user: User) -> None:
    tls.sendall(_stomp_connect(user))
    _require(tls.recv(4096).startswith(b"CONNECTED"), "stomp")


def _stomp_connect(user: User) -> bytes:
    """ActiveMQ resolves escapes in a CONNECT frame, which has none (STOMP 1.2, value encoding)."""
    username, password = (value.replace("\\", "\\\\") for value in (user.username, user.password))
    return f"CONNECT\naccept-version:1.2\nhost:localhost\nlogin:{username}\npasscode:{password}\n\n\0".encode()


def _mqtt(tls: ssl.SSLSocket, user: User) -> None:
    tls.sendall(_mqtt_connect(user))
    _require(_exactly(tls, 4)[3] == 0, "mqtt")


def _mqtt_connect(user: User) -> bytes:
    """MQTT 3.1.1, section 3.1."""
    rest = b"\x00\x04MQTT\x04\xc2\x00\x1e" + b"".join(
        map(_utf8, (f"login-{uuid.uuid4().hex[:16]}", user.username, user.password))
    )
    size = (
        bytes([len(rest)]) if len(rest) < 128 else bytes([len(rest) % 128 | 128, len(rest) // 128])
    )
    return b"\x10" + size + rest


def _over_websocket(
    protocol: str, first: Callable[[User], bytes], accepted: Callable[[bytes], bool]
) -> Callable[[ssl.SSLSocket, User], None]:
    def speak(tls: ssl.SSLSocket, user: User) -> None:
        channel = websocket.create_connection(
            "wss://localhost/", socket=tls, subprotocols=[protocol]
        )
        channel.send(
            first(user),
            websocket.ABNF.OPCODE_BINARY if protocol == "mqtt" else websocket.ABNF.OPCODE_TEXT,
        )
        answer = channel.recv()
        _require(accepted(answer.encode() if isinstance(answer, str) else answer), protocol)

    return speak


def _console(tls: ssl.SSLSocket, user: User) -> None:
    credentials = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = tls
    # Without an origin Jolokia refuses (jolokia-access.xml).
    headers = {
        "Authorization": f"Basic {credentials}",
        "Origin": "https://localhost",
        "Connection": "close",
    }
    connection.request("GET", "/api/jolokia/version", headers=headers)
    status = connection.getresponse().status
    _require(status not in (401, 403), "console")
    if status != 200:
        raise ValueError(f"HTTP {status}")


def _require(accepted: bool, protocol: str) -> None:
    if not accepted:
        raise NotAuthorized(f"The broker refused the login over {protocol}.")


def _utf8(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _send(tls: ssl.SSLSocket, frame: bytes, including: bool = False) -> None:
    """A frame after its size; AMQP's counts the size's own four bytes."""
    tls.sendall(struct.pack(">I", len(frame) + (4 if including else 0)) + frame)


def _frame(tls: ssl.SSLSocket) -> bytes:
    return _exactly(tls, struct.unpack(">I", _exactly(tls, 4))[0])


def _exactly(tls: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = tls.recv(count - len(data))
        if not piece:
            raise EOFError("the connection was closed")
        data += piece
    return data


LOGINS: tuple[Login, ...] = (
    ("openwire", _openwire),
    ("amqp", _amqp),
    ("stomp", _stomp),
    ("mqtt", _mqtt),
    (
        "wss",
        _over_websocket(
            "v12.stomp", _stomp_connect, lambda answer: answer.startswith(b"CONNECTED")
        ),
    ),
    ("wss", _over_websocket("mqtt", _mqtt_connect, lambda answer: answer[3:4] == b"\x00")),
    ("console", _console),
)
