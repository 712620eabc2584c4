"""The load of a benchmark: generators, the roles of their connections, and worker processes."""

from typing import TYPE_CHECKING

from testbed.bench.target import Target
from testbed.errors import ClientError

if TYPE_CHECKING:
    from testbed.bench.load.base import Generator


def make_generator(name: str, target: Target) -> "Generator":
    """Return a generator: ``fast`` for prepared frames, ``client`` for the users' library.

    Raises ``ClientError`` for a protocol or an encryption that the generator does not support.
    """
    encryption = target.encryption
    if name == "fast" and encryption.payload != "clear":
        raise ClientError("prepared frames have no encrypted payload: use a driver of clients")
    if name == "client" and (encryption.suite or encryption.version):
        raise ClientError(
            "a suite or version can be chosen for prepared frames only: clients offer their own"
        )
    # Imported on first use: a worker needs one of them, and each takes its time.
    if name == "client":
        from testbed.bench.load.client import generator

        return generator(target)
    if name == "fast" and target.address.protocol == "amqp":
        from testbed.bench.load.amqp091 import generator

        return generator(target)
    if name == "fast" and target.address.protocol == "openwire":
        from testbed.bench.load.openwire import generator

        return generator(target)
    raise ClientError(f"there is no {name} generator for {target.address.protocol}")
