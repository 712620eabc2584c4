"""What makes the load, behind one face; see ``base``."""

from testbed.bench.generators.amqp091 import Amqp091
from testbed.bench.generators.base import Generator
from testbed.bench.generators.openwire import OpenWire
from testbed.bench.target import Target
from testbed.errors import ClientError

_FAST = {"amqp": Amqp091, "openwire": OpenWire}


def make(name: str, target: Target) -> Generator:
    """``name`` is ``fast``: prepared frames; or ``client``: the library that users have."""
    protocol = target.address.protocol
    if name == "fast" and protocol in _FAST:
        return _FAST[protocol](target)
    raise ClientError(f"there is no {name} generator for {protocol}")
