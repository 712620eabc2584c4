"""The third axis of a benchmark: what is encrypted between the producer's hands and the disk."""

from dataclasses import dataclass

from testbed.errors import TestbedError

LISTENERS = ("tls", "plaintext")
VOLUMES = ("encrypted", "plain", "unknown")
PAYLOADS = ("clear", "envelope", "envelope-cached")
_VERSIONS = ("", "TLSv1.2", "TLSv1.3")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is allowed."""
    if value not in allowed:
        raise ValueError(f"{name} should be one of {', '.join(allowed)}, not {value!r}")


@dataclass(frozen=True)
class Encryption:
    """What is encrypted. ``listener`` plaintext and ``volume`` plain are controls.

    Controls exist inside a benchmark only. ``suite`` is the one TLS 1.2 suite to offer (OpenSSL's
    name), ``version`` the one TLS version; any if empty. ``payload`` says whether producers encrypt
    each body under a KMS key, with a new data key each time or with one that is reused for a while
    (``envelope-cached``). ``volume`` is unknown for a remote broker.
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
        """Parse ``tls``, ``plaintext``, ``tls:SUITE`` or ``tls:TLSv1.3``, then ``+plain`` etc.

        Raises ``TestbedError``.
        """
        values: dict[str, str] = {}
        first, *words = text.split("+")
        values["listener"], colon, chosen = first.partition(":")
        if colon:
            values["version" if chosen.startswith("TLSv") else "suite"] = chosen
        for word in words:
            values["volume" if word in VOLUMES else "payload"] = word
        try:
            return cls(**values)
        except ValueError as error:
            raise TestbedError(
                f"Unknown encryption {text!r}: {error}.",
                hint="For example plaintext+plain, tls+plain, tls, tls+envelope.",
            ) from error

    def __str__(self) -> str:
        """Return what ``parse`` reads."""
        chosen = self.suite or self.version
        words = [f"{self.listener}:{chosen}" if chosen else self.listener]
        words += [] if self.volume == "encrypted" else [self.volume]
        words += [] if self.payload == "clear" else [self.payload]
        return "+".join(words)

    @property
    def label(self) -> str:
        """A description for people."""
        chosen = self.suite or self.version
        listener = "plaintext" if self.listener == "plaintext" else "TLS"
        parts = [f"{listener} ({chosen})" if chosen else listener]
        parts += [] if self.volume == "unknown" else [f"{self.volume} volume"]
        parts += {
            "clear": [],
            "envelope": ["payload encrypted"],
            "envelope-cached": ["payload encrypted, data keys cached"],
        }[self.payload]
        return ", ".join(parts)
