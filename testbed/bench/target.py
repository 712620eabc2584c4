"""What a benchmark loads: one listener of one broker, what it encrypts, and the route to it."""

import socket
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from testbed.clients.base import Address
from testbed.documented.listeners import LISTENERS
from testbed.errors import TestbedError

_CONNECT_SECONDS = 1.0  # a container on this machine answers at once, or cannot be reached
_LISTENERS = ("tls", "plaintext")
_VOLUMES = ("encrypted", "block", "files", "plain", "plain-block", "unknown")
_PAYLOADS = ("clear", "envelope", "envelope-cached")
_VERSIONS = ("", "TLSv1.2", "TLSv1.3")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is allowed."""
    if value not in allowed:
        words = ", ".join(filter(None, allowed))
        raise ValueError(f"{name} should be one of {words}, not {value!r}")


@dataclass(frozen=True)
class Encryption:
    """What is encrypted. ``listener`` plaintext and ``volume`` plain are controls.

    Controls exist inside a benchmark only. A ``volume`` that is encrypted is block devices or
    files as the testbed has them, unless it is one of these; a plain one is files, or a block
    device. ``suite`` is the one TLS 1.2 suite to offer (OpenSSL's
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
        one_of("listener", self.listener, _LISTENERS)
        one_of("volume", self.volume, _VOLUMES)
        one_of("payload", self.payload, _PAYLOADS)
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
            values["volume" if word in _VOLUMES else "payload"] = word
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


@dataclass(frozen=True)
class EnvelopeKey:
    """The KMS key that payloads are encrypted under, and the URL of its KMS."""

    key_arn: str
    kms_url: str


@dataclass(frozen=True)
class Target:
    """One listener. Its ``address`` has no ``ca_file`` for a control's plaintext listener.

    ``server_name`` is the name that the certificate has to carry, the address's host if empty.
    ``container`` is the broker's, whose resources are read; empty for a remote broker. ``running``
    is the broker's exact version. ``namespace`` is the network namespace to connect from (see
    ``host.inside``), this machine's if empty.
    """

    engine_type: str
    address: Address
    encryption: Encryption = field(default_factory=Encryption)
    server_name: str = ""
    container: str = ""
    running: str = ""
    envelope: EnvelopeKey | None = None
    namespace: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A remote broker, such as a real Amazon MQ one.

    ``url`` is one of its endpoints, such as ``amqps://b-1234.mq.us-east-1.amazonaws.com:5671``.
    ``ca_file`` has the authorities to trust, this machine's by default.
    """

    url: str
    username: str
    password: str = field(repr=False)
    ca_file: Path | None = None

    def target(self, protocol: str) -> Target:
        """Return the endpoint as a target for ``protocol``. Raises ``TestbedError``."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:  # its text may have a part of a password
            raise TestbedError(
                "The URL of the endpoint cannot be read.",
                hint="Write SCHEME://HOST:PORT, without credentials.",
            ) from None
        schemes = {
            listener.scheme: (engine, listener)
            for engine, listeners in LISTENERS.items()
            for listener in listeners
        }
        if parts.scheme not in schemes or not parts.hostname:
            raise TestbedError(
                f"{parts.scheme or self.url!r} is not an Amazon MQ endpoint.",
                hint=f"Endpoints begin with {', '.join(schemes)}.",
            )
        if parts.username or parts.password:
            raise TestbedError(
                "The URL has credentials in it, where others can read them.",
                hint="Give --username and --password-file.",
            )
        engine, listener = schemes[parts.scheme]
        if protocol not in listener.protocols:
            raise TestbedError(
                f"{parts.scheme} does not speak {protocol}.",
                hint=f"It speaks {', '.join(listener.protocols)}: choose such a driver.",
            )
        address = Address(
            protocol,
            parts.hostname,
            port or listener.port,
            self.username,
            self.password,
            self.ca_file or _authorities(),
        )
        return Target(engine, address, Encryption(volume="unknown"))


def choose_route(route: str, target: Target) -> Target:
    """Return ``target`` by one of ``spec.ROUTES``, or by its published port where that fails.

    A port on 127.0.0.1 is served by the engine's proxy, which copies every byte and takes up to
    half a core. ``direct`` goes to the container's own address (Linux, no virtual machine between),
    ``inside`` to its loopback from within its network, where no byte crosses a bridge (root only).
    """
    if route == "published" or not target.container:
        return target
    # Imported on first use: the engine's library takes its time, and specifications need none.
    from testbed.bench.host import can_enter
    from testbed.runtime.usage import ContainerUsage

    with ContainerUsage(target.container) as container:
        port = container.port_behind(target.address.port)
        if port is None:
            return target
        if route == "inside":
            namespace = f"/proc/{container.main_process()}/ns/net"
            if can_enter(namespace):
                return _readdressed(target, "127.0.0.1", port, namespace)
        for host in container.addresses():
            if _answers(host, port):
                return _readdressed(target, host, port)
    return target


def route_of(target: Target) -> str:
    """Return ``inside``, ``container`` (its own address), ``published`` or ``remote``."""
    if not target.container:
        return "remote"
    if target.namespace:
        return "inside"
    return "published" if target.address.host in ("localhost", "127.0.0.1", "::1") else "container"


def _readdressed(target: Target, host: str, port: int, namespace: str = "") -> Target:
    return replace(
        target,
        address=replace(target.address, host=host, port=port),
        server_name=target.server_name or target.address.host,
        namespace=namespace,
    )


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _authorities() -> Path:
    """Find this machine's certificate authorities in one file."""
    paths = ssl.get_default_verify_paths()
    for candidate in (paths.cafile, paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise TestbedError(
        "This machine's certificate authorities cannot be found.", hint="Give --ca-file."
    )
