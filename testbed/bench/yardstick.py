"""The brokers' own load generators beside ours, on the same broker and in turns: is the broker the limit, or are we?

RabbitMQ PerfTest, and the producer and consumer threads that are behind `activemq producer` and `activemq consumer`. They
run in a container within the broker's network, where no byte crosses a bridge; ours connects from within the same
network where this machine lets it. Each tool is tried with several settings first and compared at its best.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from urllib.parse import quote

from testbed.bench import driver as drivers
from testbed.bench import workload as workloads
from testbed.bench.driver import Driver
from testbed.bench.encryption import Encryption
from testbed.bench.fleet import Fleet
from testbed.bench.reach import by
from testbed.bench.rounds import Round, plan, play, throughput
from testbed.bench.stage import Stage
from testbed.bench.statistics import Ratio, ratio
from testbed.bench.target import Target
from testbed.bench.workload import Workload
from testbed.engines.activemq.engine import ActiveMQ
from testbed.errors import ClientError, ContainerFailed
from testbed.runtime.builder import ensure_images
from testbed.runtime.containers import ContainerSpec
from testbed.runtime.exec import Exec, open_exec
from testbed.runtime.images import ImageSpec
from testbed.testbed import Testbed

PERFTEST = "2.22.1"
IMAGE = ImageSpec(
    "yardstick", "yardstick", ActiveMQ().image("5.19"), args=(("PERFTEST", PERFTEST),)
)
Say = Callable[[str], None]
# A JVM compiles what it runs often: its first seconds are not its best.
_WARM_UP = 5.0


@dataclass(frozen=True)
class Settings:
    """One way to set a generator up: producers and consumers (each a connection), and a window or a transaction."""

    producers: int
    consumers: int
    window: int = 0
    transaction: int = 0

    def __str__(self) -> str:
        held = (
            f"transactions of {self.transaction}"
            if self.transaction
            else f"{self.window} under way"
        )
        return f"{self.producers} producers, {self.consumers} consumers, {held}"


@dataclass(frozen=True)
class Yardstick:
    """``theirs`` and ``ours`` are messages a second, confirmed and consumed, round by round; ``ratio`` is ours over theirs."""

    engine_type: str
    tool: str
    their_settings: Settings
    our_settings: Settings
    route: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    ratio: Ratio

    def __str__(self) -> str:
        return (
            f"{self.engine_type}, 1 KB durable over TLS, confirmed and consumed: {self.tool} {median(self.theirs):,.0f} msg/s "
            f"({self.their_settings}), ours {median(self.ours):,.0f} msg/s ({self.our_settings}), ratio {self.ratio}, "
            f"{self.ratio.confidence:.0%} interval of {len(self.ours)} rounds"
        )


# What each side is tried with before the comparison.
_PERFTEST = (Settings(1, 1, 500), Settings(1, 1, 2000), Settings(2, 1, 1000), Settings(2, 2, 1000))
_PERFTEST_OURS = (Settings(1, 1, 2000), Settings(2, 1, 2000))
_ACTIVEMQ = (
    Settings(1, 1, transaction=100),
    Settings(1, 1, transaction=1000),
    Settings(2, 1, transaction=500),
    Settings(4, 1, transaction=200),
)
_ACTIVEMQ_OURS = (
    Settings(1, 1, 400, 100),
    Settings(1, 1, 2000, 1000),
    Settings(2, 1, 1000, 500),
    Settings(4, 1, 800, 200),
)


def against(
    testbed: Testbed,
    engine_type: str,
    say: Say,
    *,
    rounds: int = 8,
    duration: float = 5.0,
    tries: float = 3.0,
) -> Yardstick:
    """Compare on a broker of its own. Raises ``ClientError`` when a generator fails, and as ``Brokers.create`` does."""
    rabbitmq = engine_type == "RABBITMQ"
    driver = drivers.load("rabbitmq" if rabbitmq else "activemq")
    workload = workloads.load("durable-1k").shortened(1.0, duration, rounds)
    theirs, ours = (_PERFTEST, _PERFTEST_OURS) if rabbitmq else (_ACTIVEMQ, _ACTIVEMQ_OURS)
    tool = f"PerfTest {PERFTEST}" if rabbitmq else "ActiveMQ's producer and consumer"
    with Fleet() as fleet, Stage(testbed, [Encryption()]) as stage:
        [published] = stage.targets(replace(driver, route="published")).values()
        target = by("inside", published)
        container = _beside(testbed, target, say)
        try:
            best = _best(
                theirs, lambda each: _run(container, target, each, workload.size, tries), tool, say
            )
            our_best = _best(
                ours,
                lambda each: _ours(fleet, target, driver, workload.shortened(0.5, tries, 1), each),
                "ours",
                say,
            )
            rates: dict[str, list[float]] = {tool: [], "ours": []}
            order = [tool, "ours"]
            for number in range(rounds):
                for side in order:
                    rate = (
                        _run(container, target, best, workload.size, duration)
                        if side == tool
                        else _ours(fleet, target, driver, workload, our_best)
                    )
                    if not rate:
                        raise ClientError(
                            f"{side} got no message through in {duration:g} s, which is no result"
                        )
                    rates[side].append(rate)
                    say(f"{engine_type} round {number + 1}/{rounds}, {side}: {rate:,.0f} msg/s")
                order.reverse()
        finally:
            testbed.containers.remove(container)
    compared = ratio(rates[tool], rates["ours"])
    return Yardstick(
        engine_type,
        tool,
        best,
        our_best,
        "inside" if target.namespace else "container",
        tuple(rates[tool]),
        tuple(rates["ours"]),
        compared,
    )


def _best(
    candidates: Sequence[Settings], rate: Callable[[Settings], float], who: str, say: Say
) -> Settings:
    found = []
    for each in candidates:
        found.append(rate(each))
        say(f"trying {who} with {each}: {found[-1]:,.0f} msg/s")
    return candidates[found.index(max(found))]


def _beside(testbed: Testbed, target: Target, say: Say) -> str:
    """A container of the tools, in the broker's network."""
    tag = ensure_images(testbed.client, [IMAGE])[IMAGE]
    name = f"testbed-{testbed.state.instance}-yardstick-{target.engine_type.lower()}"
    return testbed.containers.run(
        ContainerSpec(
            name,
            tag,
            "yardstick",
            network_of=target.container,
            capabilities=("SETUID", "SETGID", "KILL"),
        )
    )


def _ours(
    fleet: Fleet, target: Target, driver: Driver, workload: Workload, settings: Settings
) -> float:
    chosen = replace(
        workload,
        producers=settings.producers,
        consumers=settings.consumers,
        window=settings.window,
        confirmation="transaction" if settings.transaction else "window",
        transaction=settings.transaction or workload.transaction,
    )
    made: Round = play(
        fleet,
        plan(chosen, replace(driver, connections=1, processes=2), target),
        chosen.warm_up,
        chosen.duration,
    )
    if not made.ok:
        raise ClientError(f"not all messages came out, which is no result: {made.account}")
    return throughput(chosen, made)


def _run(container: str, target: Target, settings: Settings, size: int, duration: float) -> float:
    """One run of the broker's own tool: what it confirmed and consumed in a second, the lower of the two."""
    words = (
        _perftest(target, settings, size, duration)
        if target.engine_type == "RABBITMQ"
        else _activemq(target, settings, size, duration)
    )
    authorities = target.address.ca_file.read_text() if target.address.ca_file else ""
    tool = open_exec(container, ["/opt/yardstick/run", words[0]])
    try:
        tool.write("\n".join([*words, "", authorities, ".", ""]).encode())
        said = _all(tool, _WARM_UP + duration + 60)
    finally:
        tool.close()
    return (
        perftest_rate(said, _WARM_UP) if target.engine_type == "RABBITMQ" else activemq_rate(said)
    )


def _all(tool: Exec, timeout: float) -> str:
    """All that it prints, up to its end."""
    said = b""
    try:
        while True:
            said += tool.read(1, timeout)
    except ContainerFailed:
        return said.decode(errors="replace")
    except TimeoutError as error:
        raise ClientError("the broker's own load generator did not end in time") from error


def _perftest(target: Target, settings: Settings, size: int, duration: float) -> list[str]:
    user = target.address
    port = user.port if target.namespace else _inside_port(target)
    uri = (
        f"amqps://{quote(user.username, safe='')}:{quote(user.password, safe='')}@127.0.0.1:{port}"
    )
    options = {
        "--uri": uri,
        "--queue": f"yardstick-{uuid.uuid4()}",
        "--producers": settings.producers,
        "--consumers": settings.consumers,
        "--confirm": settings.window,
        "--size": size,
        "--flag": "persistent",
        "--qos": 2000,
        "--multi-ack-every": 200,
        "--interval": 1,
        "--time": round(_WARM_UP + duration) + 1,
        "--heartbeat": 0,
    }
    return ["perftest", "--quorum-queue", *(str(word) for pair in options.items() for word in pair)]


def _activemq(target: Target, settings: Settings, size: int, duration: float) -> list[str]:
    user = target.address
    port = user.port if target.namespace else _inside_port(target)
    values = {
        # The certificate is made out to a name, and the tool connects to an address.
        "url": f"ssl://127.0.0.1:{port}?socket.verifyHostName=false",
        "user": user.username,
        "password": user.password,
        "queue": f"yardstick-{uuid.uuid4()}",
        "producers": settings.producers,
        "consumers": settings.consumers,
        "transaction": settings.transaction,
        "size": size,
        "warmup": round(_WARM_UP * 1000),
        "duration": round(duration * 1000),
    }
    return ["activemq", *(f"{name}={value}" for name, value in values.items())]


def _inside_port(target: Target) -> int:
    moved = by("direct", target)
    return moved.address.port


_PERFTEST_LINE = re.compile(
    r"time (?P<time>[\d.,]+) ?s, .*?confirmed: (?P<confirmed>[\d.,]+) msg/s.*?received: (?P<received>[\d.,]+) msg/s"
)


def perftest_rate(said: str, warm_up: float) -> float:
    """Confirmed and received in a second, the lower of the two, over PerfTest's lines after ``warm_up`` seconds.

    Raises ``ClientError`` with its last words when there are none.
    """
    rows = [match.groupdict() for match in map(_PERFTEST_LINE.search, said.splitlines()) if match]
    counted = [row for row in rows if _float(row["time"]) > warm_up]
    if not counted:
        raise ClientError(f"PerfTest measured nothing: {_last(said)}")
    return min(
        sum(_float(row[name]) for row in counted) / len(counted)
        for name in ("confirmed", "received")
    )


_MEASURED = re.compile(r"measured (\d+) (\d+) (\d+)")


def activemq_rate(said: str) -> float:
    """Sent and received in a second, the lower of the two. Raises ``ClientError`` as ``perftest_rate`` does."""
    match = _MEASURED.search(said)
    if not match:
        raise ClientError(f"ActiveMQ's producer and consumer measured nothing: {_last(said)}")
    sent, received, milliseconds = map(int, match.groups())
    return min(sent, received) / milliseconds * 1000


def _float(text: str) -> float:
    return float(text.replace(",", ""))


def _last(said: str) -> str:
    return " | ".join(line.strip() for line in said.splitlines()[-3:]) or "it said nothing"
