"""STOMP 1.2."""


def connect(username: str = "", password: str = "") -> bytes:
    """Return a CONNECT frame, with a login if there is a user. It has no escapes (STOMP 1.2)."""
    login = f"login:{username}\npasscode:{password}\n" if username else ""
    return f"CONNECT\naccept-version:1.2\nhost:/\n{login}\n\0".encode()


def is_connected(answer: bytes) -> bool:
    """Say whether a server accepts the connection."""
    return answer.startswith((b"CONNECTED\n", b"CONNECTED\r"))


def is_stomp(answer: bytes) -> bool:
    """Return whether a server's first bytes are any answer to CONNECT."""
    return is_connected(answer) or answer.startswith((b"ERROR\n", b"ERROR\r"))
