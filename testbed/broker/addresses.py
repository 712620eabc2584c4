"""The addresses of a broker's instances for the messaging clients."""

from pathlib import Path

from testbed.broker.model import Broker
from testbed.clients.base import Address
from testbed.engines.base import User


def of(broker: Broker, protocol: str, ca_file: Path | None, user: User) -> tuple[Address, ...]:
    """Return the address of each instance for ``protocol``; without ``ca_file``, in plaintext.

    Raises ``KeyError`` when the broker does not speak it.
    """
    tls = ca_file is not None
    addresses = tuple(
        Address(
            protocol,
            endpoint.host,
            endpoint.port,
            user.username,
            user.password,
            ca_file,
            instance.container_id,
        )
        for instance in broker.instances
        for endpoint in instance.endpoints
        if protocol in endpoint.protocols and endpoint.tls == tls
    )
    if not addresses:
        raise KeyError(broker.lacks(protocol, tls=tls))
    return addresses
