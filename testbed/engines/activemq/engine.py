"""ActiveMQ: the image of each version, and the files that make a node of it.

The broker's configuration is ``containers/activemq/etc/activemq.xml`` merged with the customer's. A
node receives it, and the properties files that it refers to, with its other secrets and keeps them
in memory.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from testbed.documented import listeners
from testbed.documented.activemq_elements import CONSOLE_GROUP
from testbed.documented.listeners import Listener
from testbed.documented.tls import TLS13_SUITES, TlsProfile
from testbed.engines.activemq import merge, network, readiness
from testbed.engines.base import Difference, NodeSpec
from testbed.errors import NotAuthorized
from testbed.runtime.images import BROKER_BASE, ImageSpec

# The release behind each version that CreateBroker takes.
RELEASES = {"5.19": "5.19.1", "5.18": "5.18.4"}

PLAINTEXT = (
    Listener("openwire-plaintext", "tcp", 61616, ("openwire",)),
    Listener("stomp-plaintext", "stomp", 61613, ("stomp",)),
)

# jdk.tls.disabledAlgorithms of OpenJDK 21.0.13, without protocol versions and without TLS_RSA_*,
# which is 6 of the 18 documented suites. The OpenJDKs of November 2026 all disable it; those of
# early 2025 did not.
_DISABLED = (
    "RC4",
    "DES",
    "MD5withRSA",
    "DH keySize < 1024",
    "EC keySize < 224",
    "3DES_EDE_CBC",
    "anon",
    "NULL",
    "ECDH",
    "rsa_pkcs1_sha1 usage HandshakeSignature",
    "ecdsa_sha1 usage HandshakeSignature",
    "dsa_sha1 usage HandshakeSignature",
)
# How much the journals and their index may take: of a block volume, in percent, and of files. The
# rest is for the filesystem, for what is rewritten, and for transient messages that memory lacks.
_STORE, _OF_FILES = 85, "10 gb"
_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "DTLSv1.0", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class ActiveMQ:
    """The engine of ActiveMQ brokers. ``heap`` is the JVM's largest heap, as in ``-Xmx``."""

    heap: str = "512m"
    type: str = "ACTIVEMQ"
    user: str = "activemq"

    def image(self, version: str) -> ImageSpec:
        """See ``Engine.image``."""
        return ImageSpec(
            f"activemq-{version}", "activemq", BROKER_BASE, args=(("VERSION", RELEASES[version]),)
        )

    def running_version(self, version: str) -> str:
        """See ``Engine.running_version``."""
        return RELEASES[version]

    def differences(self, version: str) -> tuple[Difference, ...]:
        """See ``Engine.differences``: every version runs as itself."""
        return ()

    def listeners(self, version: str) -> tuple[Listener, ...]:
        """See ``Engine.listeners``: the same for all versions."""
        return listeners.ACTIVEMQ

    def plaintext_listeners(self) -> tuple[Listener, ...]:
        """See ``Engine.plaintext_listeners``."""
        return PLAINTEXT

    def files(self, node: NodeSpec) -> dict[str, bytes]:
        """See ``Engine.files``."""
        suites = _suites(node.tls)
        options = {
            "transport.enabledProtocols": ",".join(node.tls.versions),
            "transport.enabledCipherSuites": suites,
            "transport.tcpNoDelay": "true",
        }
        node_properties = {
            "broker.name": node.broker_name,
            "keystore.password": node.keystore_password,
            "store.limit": str(node.volume_size * _STORE // 100) if node.volume_size else _OF_FILES,
            "tls.options": "&".join(f"{name}={value}" for name, value in options.items()),
            "tls.suites": suites,
        }
        console = [user for user in node.users if user.console_access]
        groups = {
            user.username: {*user.groups, *((CONSOLE_GROUP,) if user.console_access else ())}
            for user in node.users
        }
        members = {
            group: ",".join(user for user in groups if group in groups[user])
            for group in sorted(set().union(*groups.values()))
        }
        return {
            "start": self._start(node),
            "etc/node.properties": _properties(node_properties),
            "etc/users.properties": _properties(
                {user.username: user.password for user in node.users}
            ),
            "etc/groups.properties": _properties(members),
            "etc/console.properties": _properties(
                {user.username: user.password for user in console}
            ),
            "etc/java.security": _java_security(node.tls),
            "tls/keystore.p12": node.keystore_p12,
            "tls/truststore.p12": node.truststore_p12,
            **merge.files(node, network.files(node)),
        }

    def login(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> None:
        """See ``Engine.login``. The console starts last, so the other listeners come after it."""
        present = [login for login in readiness.LOGINS if login[0] in addresses]
        for login in present:
            if login[0] == "console":
                _log_in(node, login, addresses)
        others = [login for login in present if login[0] != "console"]
        with ThreadPoolExecutor(max_workers=len(present)) as pool:
            list(pool.map(lambda login: _log_in(node, login, addresses), others))

    def alarms(self, node: NodeSpec, addresses: dict[str, tuple[str, int]]) -> tuple[str, ...]:
        """See ``Engine.alarms``; ActiveMQ has none."""
        return ()

    def _start(self, node: NodeSpec) -> bytes:
        config = (
            "plaintext.xml" if node.defects and node.defects.plaintext_listener else "activemq.xml"
        )
        audit = " -Dorg.apache.activemq.audit=true" if node.audit else ""
        return f"exec /opt/activemq/bin/broker {config} -Xmx{self.heap}{audit}\n".encode()


def _log_in(node: NodeSpec, login: readiness.Login, addresses: dict[str, tuple[str, int]]) -> None:
    """Log in, unless the customer's authorization map keeps the user out: that is ready too."""
    try:
        readiness.log_in(node, login, addresses)
    except NotAuthorized:
        if "authorizationMap" not in node.configuration:
            raise


def _suites(profile: TlsProfile) -> str:
    """Return the suites as ActiveMQ takes them; without one of its own, TLS 1.3 would be off."""
    names = [suite.iana for suite in profile.suites]
    if "TLSv1.3" in profile.versions and all("_WITH_" in name for name in names):
        names += [suite.iana for suite in TLS13_SUITES]
    return ",".join(names)


def _disabled(profile: TlsProfile) -> Iterable[str]:
    """Yield what the JVM refuses: versions not in the profile, and the JDK's weak algorithms.

    Weak algorithms that a control's profile names have to work, and so do SHA-1 signatures with the
    versions that have no others.
    """
    yield from (version for version in _VERSIONS if version not in profile.versions)
    old = {"TLSv1", "TLSv1.1"} & set(profile.versions)
    for term in _DISABLED:
        named = any(f"_{term.split()[0]}_" in suite.iana for suite in profile.suites)
        if not named and not (old and "sha1" in term):
            yield term


def _java_security(profile: TlsProfile) -> bytes:
    return f"jdk.tls.disabledAlgorithms={', '.join(_disabled(profile))}\n".encode()


def _properties(values: dict[str, str]) -> bytes:
    """Write a ``java.util.Properties`` file, with anything but letters and digits escaped."""
    lines = (f"{_escape(name)}={_escape(value)}\n" for name, value in values.items())
    return "".join(lines).encode("ascii")


def _escape(text: str) -> str:
    return "".join(
        character if character.isascii() and character.isalnum() else _codes(character)
        for character in text
    )


def _codes(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
