"""What a benchmark is aimed at: one listener of one broker, with what is encrypted on the way."""

from dataclasses import dataclass

from testbed.bench.encryption import Encryption
from testbed.clients.base import Address


@dataclass(frozen=True)
class EnvelopeKey:
    """The KMS key that payloads are encrypted under, and where its KMS answers."""

    key_arn: str
    kms_url: str


@dataclass(frozen=True)
class Target:
    """``address`` is where and as whom, without ``ca_file`` for a control's plaintext listener.

    ``server_name`` is the name the certificate has to carry, the address's host if empty. ``container`` is the broker's,
    for reading what it used; empty for a broker that is elsewhere. ``running`` is the broker's exact version.
    ``namespace`` is the network that it is reached from within (see ``netns``), this machine's own if empty.
    """

    engine_type: str
    address: Address
    encryption: Encryption = Encryption()
    server_name: str = ""
    container: str = ""
    running: str = ""
    envelope: EnvelopeKey | None = None
    namespace: str = ""
