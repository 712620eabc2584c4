"""The schedule of a campaign, from a seed: pure, so that it can be printed and repeated.

A round depends on the seed, its topology and its number, not on how many there are. All faults that
apply take turns, in an order that differs each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from testbed.clients.base import Destination
from testbed.errors import TestbedError

_SIZES = (64, 512, 2_000, 20_000)  # bytes; RabbitMQ keeps those from 4,096 on in another store
_RATES = (20.0, 40.0, 60.0)  # messages a second of a stream
_STREAMS = 4  # in each round
# A queue that is younger loses more than its promise, see docs/choices.md.
_BEFORE = (1.2, 2.5)  # seconds of traffic before the fault


@dataclass(frozen=True)
class Flow:
    """What a stream may be: a protocol and where it sends."""

    protocol: str
    kind: str = "queue"
    queue_type: str = "quorum"


@dataclass(frozen=True)
class Topology:
    """A kind of deployment. Of two brokers, messages are sent to one and received from the other.

    ``ordered`` is whether its queues promise order. ``storage_type`` is CreateBroker's.
    """

    name: str
    title: str
    engine_type: str
    deployment_mode: str
    flows: tuple[Flow, ...]
    nodes: int = 1
    brokers: int = 1
    ordered: bool = True
    storage_type: str = "EBS"


_RABBITMQ = tuple(
    Flow(protocol, queue_type=queue_type)
    for protocol in ("amqp", "amqp10")
    for queue_type in ("quorum", "classic")
)
_QUEUES = tuple(map(Flow, ("openwire", "stomp", "stomp-ws", "amqp10")))
_ACTIVEMQ = (*_QUEUES, Flow("mqtt", "topic"), Flow("mqtt-ws", "topic"))

TOPOLOGIES = {
    topology.name: topology
    for topology in (
        Topology(
            "rabbitmq-single", "RabbitMQ, single instance", "RABBITMQ", "SINGLE_INSTANCE", _RABBITMQ
        ),
        Topology(
            "rabbitmq-cluster", "RabbitMQ, cluster", "RABBITMQ", "CLUSTER_MULTI_AZ", _RABBITMQ, 3
        ),
        Topology(
            "activemq-single", "ActiveMQ, single instance", "ACTIVEMQ", "SINGLE_INSTANCE", _ACTIVEMQ
        ),
        Topology(
            "activemq-standby",
            "ActiveMQ, active/standby",
            "ACTIVEMQ",
            "ACTIVE_STANDBY_MULTI_AZ",
            _ACTIVEMQ,
            2,
            storage_type="EFS",
        ),
        Topology(
            "activemq-network",
            "ActiveMQ, network of two brokers",
            "ACTIVEMQ",
            "SINGLE_INSTANCE",
            _QUEUES,
            brokers=2,
            ordered=False,
            storage_type="EFS",
        ),
    )
}


@dataclass(frozen=True)
class Kind:
    """A fault as campaigns use it. ``lasts`` is from when to when, in seconds; (0, 0) for at once.

    ``parameters`` are choices. ``only`` limits it to topologies; ``not_to`` keeps a queue type out,
    which the engine itself does not keep through the fault.
    """

    name: str
    lasts: tuple[float, float] = (0.0, 0.0)
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    not_to: str = ""
    kills: bool = False


_RABBITMQ_ONLY = ("rabbitmq-single", "rabbitmq-cluster")
_ON_EBS = tuple(name for name, of in TOPOLOGIES.items() if of.storage_type == "EBS")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("kill", kills=True),
        Kind("kill-process", kills=True),
        # RabbitMQ may confirm to a classic queue what it can no longer write, see docs/choices.md.
        Kind("kill-mount", kills=True, not_to="classic"),
        Kind("pause", (1.0, 4.0)),
        Kind("cut", (1.0, 6.0), {"whom": ("all", "clients")}),
        Kind("slow-link", (2.0, 5.0), {"delay": ("50ms", "200ms"), "rate": ("0", "64kB/s")}),
        Kind("lossy-link", (2.0, 5.0), {"loss": ("5%", "20%")}),
        # RabbitMQ looks for free space every ten seconds. ActiveMQ may deliver what it refused for
        # want of space, see docs/choices.md.
        Kind("disk-full", (2.0, 14.0), only=_RABBITMQ_ONLY),
        Kind("disk-slow", (2.0, 5.0), {"delay": ("10ms", "50ms")}),
        Kind("damage-volume", (1.0, 3.0)),
        Kind("truncate-volume", (1.0, 3.0)),
        Kind("empty-volume", (1.0, 3.0)),
        # Of a file system (EFS) no older copy is noticed.
        Kind("roll-back-volume", (1.0, 3.0), only=_ON_EBS),
        Kind("kms-down", (1.0, 3.0)),
        Kind("kms-pause", (1.0, 3.0)),
        Kind("kms-slow", (1.0, 3.0)),
        Kind("kms-throttle", (1.0, 3.0)),
        Kind("kms-forget", (1.0, 3.0)),
        Kind("disable-key", (1.0, 3.0)),
        Kind("schedule-key-deletion", (1.0, 3.0)),
        Kind("revoke-grants", (1.0, 3.0)),
        Kind("rotate-certificate"),
        Kind("expire-certificate", (1.0, 3.0)),
    )
}
# Faults that campaigns do without, and why.
LEFT_OUT = {
    "expire-key-material": "the key of a campaign has KMS's own material",
    "turn-clock": "brokers do not go by the testbed's clock",
    "restart-engine": "it ends the brokers of other campaigns, see tests/faults/test_engine.py",
}

# What must lose, and does: how the streams of a control send.
CONTROLS = ("transient", "unconfirmed")
_ALL = "all"  # the nodes that a fault hits, see ``Faults.inject``


@dataclass(frozen=True)
class Stream:
    """Messages of one publisher. ``consumed`` is whether a consumer works beside it.

    ``rate`` is in messages a second, ``size`` in bytes.
    """

    protocol: str
    destination: Destination
    size: int
    rate: float
    consumed: bool


@dataclass(frozen=True)
class Round:
    """One round. ``broker`` counts from 0; ``node`` is empty for the one that serves.

    ``before`` is for how many seconds there is traffic before the fault, ``lasts`` how long the
    fault lasts. ``control`` is how the streams send, if that has to lose messages.
    """

    topology: str
    number: int
    fault: str
    streams: tuple[Stream, ...]
    before: float
    lasts: float = 0.0
    broker: int = 0
    node: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    control: str = ""

    def __str__(self) -> str:
        where = f" of node {self.node}" if self.node else ""
        where += f" of broker {self.broker + 1}" if self.broker else ""
        how_long = f" for {self.lasts:g} s" if self.lasts else ""
        options = "".join(f" {name}={value}" for name, value in self.parameters.items())
        streams = ", ".join(
            f"{stream.protocol} {stream.destination.queue_type}"
            if stream.destination.kind == "queue" and "amqp" in stream.protocol
            else stream.protocol
            for stream in self.streams
        )
        control = f" [control: {self.control}]" if self.control else ""
        return (
            f"{self.topology} {self.number}: {self.fault}{options}{where} "
            f"after {self.before:g} s{how_long}, with {streams}{control}"
        )


def applies(kind: Kind, topology: Topology) -> bool:
    return not kind.only or topology.name in kind.only


def schedule(
    seed: int, topology: Topology, rounds: int, *, faults: Sequence[str] = (), controls: int = 0
) -> tuple[Round, ...]:
    """Return the rounds of one topology, numbered from 1, and ``controls`` of each control after.

    ``faults`` are all that apply, by default. Raises ``TestbedError`` for an unknown fault, or when
    none applies.
    """
    for name in faults:
        if name not in KINDS:
            raise TestbedError(
                f"Campaigns have no fault {name!r}.", hint=f"They have: {', '.join(KINDS)}."
            )
    kinds = [KINDS[name] for name in faults or KINDS if applies(KINDS[name], topology)]
    if not kinds:
        raise TestbedError(f"None of the faults {', '.join(faults)} applies to {topology.title}.")
    planned = [_round(seed, topology, number, kinds) for number in range(1, rounds + 1)]
    planned += [
        _control(seed, topology, number, name)
        for number, name in enumerate(_controls(topology) * controls, start=rounds + 1)
    ]
    return tuple(planned)


def _controls(topology: Topology) -> tuple[str, ...]:
    """Return the controls that lose for sure: of several nodes, what was on its way may arrive."""
    return CONTROLS if topology.nodes * topology.brokers == 1 else CONTROLS[:1]


def find(planned: Sequence[Round], number: int) -> Round:
    """Return the round of that number. Raises ``TestbedError``."""
    for planned_round in planned:
        if planned_round.number == number:
            return planned_round
    raise TestbedError(f"There is no round {number}.", hint=f"There are {len(planned)}.")


def _round(seed: int, topology: Topology, number: int, kinds: Sequence[Kind]) -> Round:
    turn, position = divmod(number - 1, len(kinds))
    order = list(kinds)
    _random(seed, topology, f"turn {turn}").shuffle(order)
    kind = order[position]
    random = _random(seed, topology, f"round {number}")
    rabbitmq = topology.engine_type == "RABBITMQ"  # ActiveMQ has one type of queue
    flows = [f for f in topology.flows if not (rabbitmq and f.queue_type == kind.not_to)]
    chosen = random.sample(flows, min(_STREAMS, len(flows)))
    return Round(
        topology=topology.name,
        number=number,
        fault=kind.name,
        streams=tuple(_stream(random, flow, number) for flow in chosen),
        before=_between(random, _BEFORE),
        lasts=_between(random, kind.lasts),
        broker=random.randrange(topology.brokers),
        node=str(random.randint(1, topology.nodes)) if _any_node(topology) else "",
        parameters={name: random.choice(choices) for name, choices in kind.parameters.items()},
    )


def _control(seed: int, topology: Topology, number: int, control: str) -> Round:
    flow = (
        Flow("stomp") if topology.engine_type == "ACTIVEMQ" else Flow("amqp", queue_type="classic")
    )
    random = _random(seed, topology, f"round {number}")
    # Whoever does not wait for an answer sends faster than the broker writes.
    rate = 4_000.0 if control == "unconfirmed" else 100.0
    stream = replace(_stream(random, flow, number), size=1_000, rate=rate, consumed=False)
    return Round(
        topology.name,
        number,
        "kill",
        (stream,),
        _between(random, _BEFORE),
        node=_ALL if _any_node(topology) else "",  # another one would have what it had
        control=control,
    )


def _stream(random: Random, flow: Flow, number: int) -> Stream:
    name = f"round.{number}.{flow.protocol}.{flow.queue_type}"
    size, rate = random.choice(_SIZES), random.choice(_RATES)
    # A topic's subscriber is away while messages are sent: they have to be kept for it.
    consumed = random.random() < 0.5 and flow.kind == "queue"
    return Stream(
        flow.protocol, Destination(flow.kind, name, flow.queue_type), size, rate, consumed
    )


def _any_node(topology: Topology) -> bool:
    return topology.nodes > 1 and topology.deployment_mode != "ACTIVE_STANDBY_MULTI_AZ"


def _between(random: Random, limits: tuple[float, float]) -> float:
    return round(random.uniform(*limits), 1)


def _random(seed: int, topology: Topology, purpose: str) -> Random:
    return Random(f"{seed}/{topology.name}/{purpose}")  # noqa: S311 - a schedule, no secret
