"""The third axis: what is encrypted on a message's way, from the producer's hands to the disk."""

from dataclasses import dataclass

from testbed.bench.reading import one_of
from testbed.errors import TestbedError

LISTENERS = ("tls", "plaintext")
VOLUMES = ("encrypted", "plain", "unknown")
PAYLOADS = ("clear", "envelope", "envelope-cached")
_VERSIONS = ("", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class Encryption:
    """``listener`` plaintext and ``volume`` plain are controls: they exist inside a benchmark only.

    ``suite`` is the one TLS 1.2 suite to offer (OpenSSL's name), any if empty; ``version`` the one version, any if
    empty. ``payload`` says whether producers encrypt each body under a KMS key, with a data key of its own or with one
    that is used again for a while (``envelope-cached``). ``volume`` is unknown at brokers that are elsewhere.
    """

    listener: str = "tls"
    volume: str = "encrypted"
    payload: str = "clear"
    suite: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        one_of("listener", self.listener, LISTENERS)
        one_of("volume", self.volume, VOLUMES)
        one_of("payload", self.payload, PAYLOADS)
        one_of("version", self.version, _VERSIONS)
        if self.listener == "plaintext" and (self.suite or self.version):
            raise ValueError("plaintext has no suite and no version")
        if self.suite and self.version == "TLSv1.3":
            raise ValueError("a suite can be chosen for TLS 1.2 only")

    @classmethod
    def parse(cls, text: str) -> "Encryption":
        """``tls``, ``plaintext``, ``tls:SUITE`` or ``tls:TLSv1.3``, then ``+plain`` and ``+envelope`` or the like.

        Raises ``TestbedError`` in one line.
        """
        values: dict[str, str] = {}
        first, *rest = text.split("+")
        values["listener"], colon, chosen = first.partition(":")
        if colon:
            values["version" if chosen.startswith("TLSv") else "suite"] = chosen
        for word in rest:
            values["volume" if word in VOLUMES else "payload"] = word
        try:
            return cls(**values)
        except ValueError as error:
            raise TestbedError(
                f"{text!r} names no encryption: {error}.",
                hint="For example plaintext+plain, tls+plain, tls, tls+envelope.",
            ) from error

    def __str__(self) -> str:
        """What ``parse`` reads."""
        chosen = self.suite or self.version
        words = [f"{self.listener}:{chosen}" if chosen else self.listener]
        words += [] if self.volume == "encrypted" else [self.volume]
        words += [] if self.payload == "clear" else [self.payload]
        return "+".join(words)

    @property
    def label(self) -> str:
        """For people."""
        chosen = self.suite or self.version
        parts = [
            ("plaintext" if self.listener == "plaintext" else "TLS")
            + (f" ({chosen})" if chosen else "")
        ]
        parts += [] if self.volume == "unknown" else [f"{self.volume} volume"]
        parts += {
            "clear": [],
            "envelope": ["payload encrypted"],
            "envelope-cached": ["payload encrypted, data keys cached"],
        }[self.payload]
        return ", ".join(parts)
