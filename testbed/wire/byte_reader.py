"""Take fields off the front of a message. No I/O."""


class NotTls(ValueError):
    """The bytes are no TLS record or no well-formed handshake message."""


class Reader:
    """What is left of a message; every method raises ``NotTls`` when too little is."""

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
        """A field that begins with its own length, in ``width`` bytes."""
        return self.take(self.number(width))
