"""How it is sent: engine, protocol and client, and how many connections that client needs to be at its best."""

from dataclasses import dataclass
from pathlib import Path

from testbed.bench.reach import ROUTES
from testbed.bench.reading import one_of, read, within
from testbed.bench.workload import find
from testbed.documented.engines import DEPLOYMENT_MODES, ENGINE_TYPES

FOLDER = Path(__file__).parent / "drivers"
GENERATORS = ("fast", "client")
_PROTOCOLS = {
    "RABBITMQ": ("amqp", "amqp10"),
    "ACTIVEMQ": ("openwire", "amqp10", "stomp", "stomp-ws", "mqtt", "mqtt-ws"),
}
_FAST = ("amqp", "openwire")


@dataclass(frozen=True)
class Driver:
    """A driver.

    ``generator``: ``fast`` writes prepared frames (AMQP 0-9-1 and OpenWire), ``client`` is the library that users have,
    one message at a time. ``connections`` is how many connections stand for one producer of the workload (and share its
    window, of which at most ``pipeline`` on each, 0 for no limit), ``processes`` how many processes they are spread over. ``route``: ``direct`` goes to the container's own
    address where this machine can reach it, ``published`` to the port on 127.0.0.1, through the engine's proxy, ``inside``
    to its loopback.
    ``prefetch`` messages may be under way to a consumer, which acknowledges ``acknowledge`` of them at once.
    """

    name: str
    title: str = ""
    engine: str = "RABBITMQ"
    version: str = ""
    deployment: str = "SINGLE_INSTANCE"
    protocol: str = "amqp"
    generator: str = "fast"
    route: str = "direct"
    connections: int = 1
    pipeline: int = 0
    processes: int = 1
    queue_type: str = "quorum"
    prefetch: int = 1000
    acknowledge: int = 200

    def __post_init__(self) -> None:
        one_of("engine", self.engine, ENGINE_TYPES)
        one_of("deployment", self.deployment, DEPLOYMENT_MODES[self.engine])
        one_of("protocol", self.protocol, _PROTOCOLS[self.engine])
        one_of("generator", self.generator, GENERATORS)
        one_of("route", self.route, ROUTES)
        one_of("queue_type", self.queue_type, ("quorum", "classic"))
        if self.generator == "fast":
            one_of("protocol of a fast generator", self.protocol, _FAST)
        for name, most in (
            ("connections", 1000),
            ("processes", 64),
            ("prefetch", 100_000),
            ("acknowledge", 100_000),
        ):
            within(name, getattr(self, name), 1, most)
        within("pipeline", self.pipeline, 0, 1_000_000)
        if self.acknowledge > self.prefetch:
            raise ValueError(
                f"acknowledge should be {self.prefetch} (prefetch) at most: the consumer would wait for ever"
            )


def load(name: str) -> Driver:
    """A shipped driver by its name, or any by its path. Raises ``TestbedError``."""
    return read(find(name, FOLDER, "driver"), Driver)
