"""Reads the fields of a message, from its front. No I/O."""


class NotTls(ValueError):
    """The bytes are not a TLS record, or not a well-formed handshake message."""


class Reader:
    """The rest of a message. Every method raises ``NotTls`` when it is too short."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise NotTls("a message that ends too early")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """Take a field that begins with its length, in ``width`` bytes."""
        return self.take(self.number(width))
