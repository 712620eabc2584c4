"""Clients of a broker with several addresses, one of which serves at a time."""

from collections.abc import Callable, Sequence

from testbed import clients
from testbed.clients.base import Address, Client
from testbed.errors import ConnectionRefused


def failover(
    addresses: Sequence[Address], connect: Callable[[Address], Client] = clients.connect
) -> Callable[[Address], Client]:
    """Return a ``connect`` for ``Traffic`` and ``drain`` that tries ``addresses`` in turn.

    It begins with the one that answered last, and ignores its argument. Raises the last refusal.
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
