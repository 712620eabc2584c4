"""RabbitMQ: the image of each version, and the files that make a node of it.

The parts that differ between nodes come with their secrets and stay in memory: the configuration,
the certificate, and the user with a hashed password. The broker's data and its Erlang cookie are on
the encrypted volume.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.documented import listeners
from testbed.documented.listeners import Listener
from testbed.documented.tls import TLS13_SUITES, TlsProfile
from testbed.engines.base import Difference, NodeSpec
from testbed.engines.rabbitmq import definitions, readiness, settings, start
from testbed.engines.rabbitmq.releases import DENIED, DIFFERENCES, RELEASES, SUITES
from testbed.runtime.images import BROKER_BASE, ImageSpec

PLAINTEXT = (Listener("amqp-plaintext", "amqp", 5672, ("amqp", "amqp10")),)

# The plugins of Amazon MQ ("rabbitmq-basic-elements-plugins") that need no external service and no
# undocumented listener.
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
_WAL = 512 * 2**20  # bytes; RabbitMQ's default for the log that all quorum queues share


@dataclass(frozen=True)
class RabbitMQ:
    """The engine of RabbitMQ brokers.

    ``memory`` is the limit at which the broker blocks publishers, as RabbitMQ writes sizes.
    """

    memory: str = "1GB"
    type: str = "RABBITMQ"
    user: str = "rabbitmq"

    def image(self, version: str) -> ImageSpec:
        """See ``Engine.image``."""
        args = (
            ("VERSION", self.running_version(version)),
            ("SUITE", SUITES.get(version, "")),
            ("PLUGINS", " ".join(PLUGINS)),
        )
        return ImageSpec(f"rabbitmq-{version}", "rabbitmq", BROKER_BASE, args)

    def running_version(self, version: str) -> str:
        """See ``Engine.running_version``."""
        return RELEASES[version]

    def differences(self, version: str) -> tuple[Difference, ...]:
        """See ``Engine.differences``."""
        return DIFFERENCES.get(version, ())

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """See ``Engine.listeners``."""
        return listeners.RABBITMQ_3 if version.startswith("3.") else listeners.RABBITMQ

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
            "etc/advanced.config": settings.advanced(settings.effective(node)),
            "etc/enabled_plugins": f"[{','.join(PLUGINS)}].\n".encode(),
            "etc/definitions.json": definitions.definitions(node),
            "tls/chain.pem": node.chain_pem,
            "tls/key.pem": node.private_key_pem,
            "tls/ca.pem": node.ca_pem,
            **start.cluster_files(node),
        }

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> None:
        """See ``Engine.login``."""
        present = [
            listener for listener in self.listeners(node.version) if listener.name in addresses
        ]
        # RabbitMQ opens its AMQP listener last.
        for listener in sorted(present, key=lambda listener: "management" in listener.protocols):
            readiness.log_in(node, listener, addresses[listener.name])

    def alarms(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> tuple[str, ...]:
        """See ``Engine.alarms``."""
        return readiness.alarms(node, addresses["management"])

    def _settings(self, node: NodeSpec) -> dict[str, str]:
        """Merge the customer's settings with the broker's own, which win."""
        return {
            **dict(settings.conf(settings.effective(node), node.release)),
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
        # Imported once: later changes in the broker stay.
        yield "definitions.import_backend", "local_filesystem"
        yield "definitions.local.path", f"{_RUN}/etc/definitions.json"
        yield "definitions.skip_if_unchanged", "true"
        if not node.version.startswith("3."):
            yield "default_queue_type", "quorum"
        for feature in DENIED.get(node.version, ()):
            yield f"deprecated_features.permit.{feature}", "false"
        if node.cluster:
            yield "cluster_formation.peer_discovery_backend", "classic_config"
            names = (start.node_name(hostname) for hostname in node.cluster.hostnames)
            yield from (
                (f"cluster_formation.classic_config.nodes.{number}", name)
                for number, name in enumerate(names, 1)
            )
            # A node without a majority stops serving: messages that it confirmed could be lost.
            yield "cluster_partition_handling", "pause_minority"
        yield "vm_memory_high_watermark.absolute", self.memory
        yield "disk_free_limit.absolute", "50MB"
        if node.volume_size:
            # What was consumed stays in it until it is full, and would keep a small volume full.
            yield "raft.wal_max_size_bytes", str(min(_WAL, node.volume_size // 8))
        yield "log.console", "true"


def _tls(prefix: str, profile: TlsProfile) -> Iterator[tuple[str, str]]:
    yield f"{prefix}.certfile", f"{_RUN}/tls/chain.pem"
    yield f"{prefix}.keyfile", f"{_RUN}/tls/key.pem"
    # Erlang names versions in lower case, and TLS 1.0 without its minor.
    versions = ["tlsv1" if version == "TLSv1" else version.lower() for version in profile.versions]
    names = [suite.openssl for suite in profile.suites]
    if "TLSv1.3" in profile.versions:
        # TLS 1.3 has its own suites, and does not support the two options below.
        names += [suite.openssl for suite in TLS13_SUITES if suite.openssl not in names]
    else:
        yield f"{prefix}.honor_cipher_order", "true"
        yield f"{prefix}.client_renegotiation", "false"
    yield from ((f"{prefix}.versions.{number}", name) for number, name in enumerate(versions, 1))
    yield from ((f"{prefix}.ciphers.{number}", name) for number, name in enumerate(names, 1))
