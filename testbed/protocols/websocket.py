"""The opening handshake of WebSocket (RFC 6455, section 4)."""

_KEY = "dGVzdGJlZCBwcm9iZSBrZXk="  # 16 bytes in base64, any will do


def upgrade(subprotocol: str) -> bytes:
    """Return a client's request for ``subprotocol``."""
    lines = (
        "GET / HTTP/1.1",
        "Host: probe",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {_KEY}",
        f"Sec-WebSocket-Protocol: {subprotocol}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def is_upgraded(answer: bytes) -> bool:
    """Say whether a server switches to WebSocket."""
    return answer.startswith(b"HTTP/") and b" 101 " in answer[:16]


def speaks(answer: bytes, subprotocol: str) -> bool:
    """Say whether a server that switches has chosen ``subprotocol``."""
    fields = answer.partition(b"\r\n\r\n")[0].lower()
    return b"\nsec-websocket-protocol: " + subprotocol.encode() in fields
