"""Clients of a broker that has several addresses, of which one serves at a time."""

from collections.abc import Callable, Sequence

from testbed import clients
from testbed.clients.base import Address, Client
from testbed.errors import ConnectionRefused


def failover(
    addresses: Sequence[Address], connect: Callable[[Address], Client] = clients.connect
) -> Callable[[Address], Client]:
    """A ``connect`` for ``Traffic`` and ``drain``: it tries ``addresses`` in turn, beginning with the one that answered last.

    It has no use for the address that it is called with. What it raises is the last refusal.
    """
    order = list(addresses)

    def connect_any(_: Address) -> Client:
        for at, address in enumerate(order):
            try:
                client = connect(address)
            except ConnectionRefused:
                if at == len(order) - 1:
                    raise
            else:
                order.insert(0, order.pop(at))
                return client
        raise ConnectionRefused("There is no address to connect to.")

    return connect_any
