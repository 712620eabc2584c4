"""RabbitMQ: the image, the files that make a node of it, and a login.

What a node differs in comes with its secrets and stays in memory: the configuration, the certificate, and its user
with a hashed password. The broker's data and its Erlang cookie are on the encrypted volume.

Debian's RabbitMQ 4.0 stands for Amazon MQ's 4.2: the nearest that Debian's stable release has. Its testing release has
4.3. For 3.13 there is no package to build from, so it needs an image of the user's own, which runs with these same files.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.documented import listeners
from testbed.documented.listeners import Listener
from testbed.documented.tls import TLS13_SUITES, TlsProfile
from testbed.engines.base import NodeSpec
from testbed.engines.rabbitmq import definitions, readiness, settings, start
from testbed.errors import BadRequestException
from testbed.runtime.images import BROKER_BASE, ImageSpec

# The release behind each version that CreateBroker takes. Debian's testing release moves on within 4.3.
RELEASES = {"4.2": "4.0.5", "4.3": "4.3"}
_SUITES = {"4.3": "testing"}

PLAINTEXT = (Listener("amqp-plaintext", "amqp", 5672, ("amqp", "amqp10")),)

# What Amazon MQ offers ("rabbitmq-basic-elements-plugins"), as far as it works without an outside party or a listener
# that is not documented.
PLUGINS = (
    "rabbitmq_management",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_federation",
    "rabbitmq_federation_management",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_jms_topic_exchange",
    "rabbitmq_auth_mechanism_ssl",
)

_RUN = "/run/testbed"


@dataclass(frozen=True)
class RabbitMQ:
    """``memory`` is the limit at which the broker holds its publishers back, as RabbitMQ writes sizes."""

    memory: str = "1GB"
    type: str = "RABBITMQ"
    user: str = "rabbitmq"

    def image(self, version: str) -> ImageSpec:
        """See ``Engine.image``. Raises ``BadRequestException`` for a version that there is no image of."""
        args = (("VERSION", self.running_version(version)), ("SUITE", _SUITES.get(version, "")))
        return ImageSpec(f"rabbitmq-{version}", "rabbitmq", BROKER_BASE, args)

    def running_version(self, version: str) -> str:
        """See ``Engine.running_version``. Raises as ``image`` does."""
        try:
            return RELEASES[version]
        except KeyError:
            raise BadRequestException(
                f"RabbitMQ {version} cannot be had here. The testbed has {', '.join(f'{release} for {asked}' for asked, release in RELEASES.items())}.",
                error_attribute="engineVersion",
                hint=f"Give an image of your own, such as rabbitmq:{version}-management.",
            ) from None

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """See ``Engine.listeners``: the same for all versions."""
        return listeners.RABBITMQ

    def plaintext_listeners(self) -> tuple[Listener, ...]:
        """See ``Engine.plaintext_listeners``."""
        return PLAINTEXT

    def files(self, node: NodeSpec) -> dict[str, bytes]:
        """See ``Engine.files``."""
        return {
            "start": start.script(node),
            "etc/rabbitmq.conf": "".join(
                f"{name} = {value}\n" for name, value in self._settings(node).items()
            ).encode(),
            "etc/advanced.config": settings.advanced(settings.chosen(node)),
            "etc/enabled_plugins": f"[{','.join(PLUGINS)}].\n".encode(),
            "etc/definitions.json": definitions.definitions(node),
            "tls/chain.pem": node.chain_pem,
            "tls/key.pem": node.private_key_pem,
            "tls/ca.pem": node.ca_pem,
            **start.cluster_files(node),
        }

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]], ca_file: str) -> None:
        """See ``Engine.login``."""
        present = [found for found in self.listeners(node.version) if found.name in addresses]
        # RabbitMQ opens its AMQP listener last.
        for listener in sorted(present, key=lambda found: "management" in found.protocols):
            readiness.log_in(node, listener, addresses[listener.name])

    def _settings(self, node: NodeSpec) -> dict[str, str]:
        """The customer's, under the broker's own: those win."""
        return {
            **dict(settings.conf(settings.chosen(node))),
            **dict(self._own(node)),
        }

    def _own(self, node: NodeSpec) -> Iterator[tuple[str, str]]:
        plaintext = node.defects and node.defects.plaintext_listener
        yield (
            ("listeners.tcp.default", str(PLAINTEXT[0].port))
            if plaintext
            else ("listeners.tcp", "none")
        )
        ports = {listener.name: str(listener.container_port) for listener in listeners.RABBITMQ}
        yield "listeners.ssl.default", ports["amqps"]
        yield from _tls("ssl_options", node.tls)
        yield "management.ssl.port", ports["management"]
        yield from _tls("management.ssl", node.tls)
        # Once: what was changed in the broker since stays changed.
        yield "definitions.import_backend", "local_filesystem"
        yield "definitions.local.path", f"{_RUN}/etc/definitions.json"
        yield "definitions.skip_if_unchanged", "true"
        yield "default_queue_type", "quorum"  # that of 4.2
        if node.cluster:
            yield "cluster_formation.peer_discovery_backend", "classic_config"
            names = (start.node_name(hostname) for hostname in node.cluster.hostnames)
            yield from (
                (f"cluster_formation.classic_config.nodes.{number}", name)
                for number, name in enumerate(names, 1)
            )
            # A node that sees no majority stops serving: what it confirmed could be lost.
            yield "cluster_partition_handling", "pause_minority"
        yield "vm_memory_high_watermark.absolute", self.memory
        yield "disk_free_limit.absolute", "50MB"
        yield "log.console", "true"


def _tls(prefix: str, profile: TlsProfile) -> Iterator[tuple[str, str]]:
    yield f"{prefix}.certfile", f"{_RUN}/tls/chain.pem"
    yield f"{prefix}.keyfile", f"{_RUN}/tls/key.pem"
    # Erlang names versions in lower case, and TLS 1.0 without its minor.
    versions = ["tlsv1" if version == "TLSv1" else version.lower() for version in profile.versions]
    names = [suite.openssl for suite in profile.suites]
    if "TLSv1.3" in profile.versions:
        # It has suites of its own, and takes no part in the two options below.
        names += [suite.openssl for suite in TLS13_SUITES if suite.openssl not in names]
    else:
        yield f"{prefix}.honor_cipher_order", "true"
        yield f"{prefix}.client_renegotiation", "false"
    yield from ((f"{prefix}.versions.{number}", name) for number, name in enumerate(versions, 1))
    yield from ((f"{prefix}.ciphers.{number}", name) for number, name in enumerate(names, 1))
