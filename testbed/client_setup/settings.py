"""What clients of a testbed are set up with: addresses, credentials, and whom to trust."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from testbed.broker import topology
from testbed.broker.model import Broker, Endpoint, LoadBalancer, Node
from testbed.errors import TestbedError
from testbed.pki.authority import TRUSTSTORE, TRUSTSTORE_PASSWORD
from testbed.testbed import Testbed

MOUNTED = Path("/testbed")  # where the authority is in a container of the user's


@dataclass(frozen=True)
class Url:
    """A listener's URL; ``number`` counts the broker's instances from 1."""

    listener: str
    number: int
    url: str = field(repr=False)  # it may have the password


@dataclass(frozen=True)
class BrokerSettings:
    """What a client of one broker needs."""

    name: str
    engine_type: str
    username: str
    password: str = field(repr=False)
    urls: tuple[Url, ...]

    def of(self, listener: str) -> tuple[str, ...]:
        """Return the URL of each instance for a listener, such as ``openwire``."""
        return tuple(url.url for url in self.urls if url.listener == listener)


@dataclass(frozen=True)
class Settings:
    """What the clients of a testbed need; ``aws`` is the environment of AWS's tools."""

    aws: Mapping[str, str]
    folder: Path
    network: str
    brokers: tuple[BrokerSettings, ...]

    @property
    def ca_file(self) -> Path:
        """The one file that clients have to trust."""
        return self.folder / "ca.pem"

    @property
    def truststore(self) -> Path:
        """The same for Java."""
        return self.folder / TRUSTSTORE

    def variables(self, folder: Path | None = None) -> dict[str, str]:
        """Return everything as variables. ``folder`` is where the client finds the authority.

        Raises ``TestbedError`` for brokers whose variables would have the same names.
        """
        folder = folder or self.folder
        variables = {
            **self.aws,
            "TESTBED_CA_FILE": str(folder / self.ca_file.name),
            "TESTBED_TRUSTSTORE": str(folder / TRUSTSTORE),
            "TESTBED_TRUSTSTORE_PASSWORD": TRUSTSTORE_PASSWORD,
        }
        owners: dict[str, str] = {}
        for broker in self.brokers:
            prefix = f"TESTBED_{_upper(broker.name)}"
            if (other := owners.setdefault(prefix, broker.name)) != broker.name:
                raise TestbedError(
                    f"{other} and {broker.name} have the same variables, {prefix}_....",
                    hint="`testbed connect` and the API tell them apart.",
                )
            for url in broker.urls:
                instance = f"_{url.number}" if url.number > 1 else ""
                variables[f"{prefix}_{_upper(url.listener)}{instance}"] = url.url
            variables[f"{prefix}_USERNAME"] = broker.username
            variables[f"{prefix}_PASSWORD"] = broker.password
        return variables


def settings(
    testbed: Testbed, aws: Mapping[str, str], *, inside: bool = False, credentials: bool = False
) -> Settings:
    """Return the settings of the testbed's Region, in which names are unique.

    ``inside`` is for containers in the testbed's network; ``credentials`` puts them into the URLs.
    """
    return Settings(
        aws={} if inside else aws,  # the endpoint listens on this machine only
        folder=testbed.ca_file.parent,
        network=testbed.containers.network,
        brokers=tuple(
            _of_broker(broker, inside=inside, credentials=credentials)
            for broker in testbed.brokers.peek_all(testbed.user)
        ),
    )


def with_credentials(url: str, username: str, password: str) -> str:
    """Return the URL with user and password, percent-encoded."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"


def _of_broker(broker: Broker, *, inside: bool, credentials: bool) -> BrokerSettings:
    user = broker.users[0]

    def url(instance: Node | LoadBalancer, endpoint: Endpoint) -> str:
        plain = topology.inside_url(broker, instance, endpoint) if inside else endpoint.url
        return with_credentials(plain, user.username, user.password) if credentials else plain

    return BrokerSettings(
        broker.broker_name,
        broker.engine_type,
        user.username,
        user.password,
        tuple(
            Url(endpoint.name, number, url(instance, endpoint))
            for number, instance in enumerate(broker.instances, 1)
            for endpoint in instance.endpoints
            if endpoint.tls
        ),
    )


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
