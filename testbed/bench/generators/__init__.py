"""What makes the load, behind one face; see ``base``."""

from testbed.bench.generators.base import Generator
from testbed.bench.payload import payload
from testbed.bench.target import Target
from testbed.errors import ClientError


def make(name: str, target: Target) -> Generator:
    """``name`` is ``fast``: prepared frames; or ``client``: the library that users have.

    Raises ``ClientError`` for a protocol or an encryption that the generator does not have.
    """
    chosen = target.encryption
    if name == "fast" and chosen.payload != "clear":
        raise ClientError(
            "prepared frames have no encrypted payload: take a driver whose generator is client"
        )
    if name == "client" and (chosen.suite or chosen.version):
        raise ClientError(
            "the users' clients offer what they like: a suite or version can be chosen for prepared frames only"
        )
    # Imported on first use: a worker needs one of them, and each takes its time.
    if name == "client":
        from testbed.bench.generators.client import ByClient

        return ByClient(target, payload(target))
    if name == "fast" and target.address.protocol == "amqp":
        from testbed.bench.generators.amqp091 import Amqp091

        return Amqp091(target)
    if name == "fast" and target.address.protocol == "openwire":
        from testbed.bench.generators.openwire import OpenWire

        return OpenWire(target)
    raise ClientError(f"there is no {name} generator for {target.address.protocol}")
