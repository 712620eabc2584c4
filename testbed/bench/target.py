"""What a benchmark is aimed at: one listener of one broker, on one kind of volume."""

from dataclasses import dataclass

from testbed.clients.base import Address


@dataclass(frozen=True)
class Target:
    """``address`` is where and as whom, without ``ca_file`` for a control's plaintext listener.

    ``server_name`` is the name the certificate has to carry, the address's host if empty. ``suite`` is the one TLS 1.2
    suite to offer (OpenSSL's name), any if empty. ``container`` is the broker's, for reading what it used; empty for a
    broker that is elsewhere. ``volume`` says how the data lies on disk: ``encrypted``, ``plain`` (a control) or ``unknown``.
    """

    engine_type: str
    address: Address
    server_name: str = ""
    suite: str = ""
    container: str = ""
    volume: str = "encrypted"

    @property
    def tls(self) -> bool:
        return self.address.ca_file is not None

    def __str__(self) -> str:
        listener = f"TLS{f' with {self.suite}' if self.suite else ''}" if self.tls else "plaintext"
        return f"{self.engine_type} {self.address.protocol} over {listener}, {self.volume} volume"
