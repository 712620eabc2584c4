"""The brokers' own load generators against ours, on the same broker in turns.

RabbitMQ PerfTest, and the producer and consumer threads behind `activemq producer` and `activemq
consumer`. They run in a container within the broker's network, where no byte crosses a bridge; ours
connects from within the same network where this machine allows it. Each tool is tried with several
settings first and compared at its best.
"""

import logging
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import quote

from testbed.bench.load.fleet import Fleet
from testbed.bench.results import Settings, Yardstick, throughput
from testbed.bench.rounds import plan, play
from testbed.bench.run import BenchmarkBrokers
from testbed.bench.spec import Driver, Workload, load_driver, load_workload
from testbed.bench.statistics import ratio
from testbed.bench.target import Encryption, Target, choose_route
from testbed.engines.activemq.engine import ActiveMQ
from testbed.errors import ClientError, ContainerFailed
from testbed.runtime.containers import ContainerSpec
from testbed.runtime.exec import Exec, open_exec
from testbed.runtime.images import ImageSpec
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

PERFTEST = "2.22.1"
IMAGE = ImageSpec(
    "yardstick", "yardstick", ActiveMQ().image("5.19"), args=(("PERFTEST", PERFTEST),)
)
# Seconds: a JVM compiles what it runs often, so its first seconds are not its best.
_WARM_UP = 5.0
_END_WITHIN = 60.0
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


def compare_generators(
    testbed: Testbed,
    engine_type: str,
    *,
    rounds: int = 8,
    duration: float = 5.0,
    trial: float = 3.0,
) -> Yardstick:
    """Compare on a broker created for it. ``duration`` and ``trial`` are seconds of a round.

    Raises ``ClientError`` when a generator fails, and as ``Brokers.create`` does.
    """
    rabbitmq = engine_type == "RABBITMQ"
    driver = load_driver("rabbitmq" if rabbitmq else "activemq")
    workload = load_workload("durable-1k").shortened(1.0, duration, rounds)
    theirs, ours = (_PERFTEST, _PERFTEST_OURS) if rabbitmq else (_ACTIVEMQ, _ACTIVEMQ_OURS)
    tool = f"PerfTest {PERFTEST}" if rabbitmq else "ActiveMQ's producer and consumer"
    with Fleet() as fleet, BenchmarkBrokers(testbed, [Encryption()]) as brokers:
        [published] = brokers.targets(replace(driver, route="published")).values()
        target = choose_route("inside", published)
        container = _start_tools(testbed, target)

        def run_theirs(settings: Settings, seconds: float) -> float:
            return _run_tool(container, target, settings, workload.size, seconds)

        def run_ours(settings: Settings, chosen: Workload) -> float:
            return _run_ours(fleet, target, driver, chosen, settings)

        try:
            their_best = _best(theirs, lambda settings: run_theirs(settings, trial), tool)
            short = workload.shortened(0.5, trial, 1)
            our_best = _best(ours, lambda settings: run_ours(settings, short), "ours")
            rates: dict[str, list[float]] = {tool: [], "ours": []}
            order = [tool, "ours"]
            for number in range(rounds):
                for side in order:
                    rate = (
                        run_theirs(their_best, duration)
                        if side == tool
                        else run_ours(our_best, workload)
                    )
                    if not rate:
                        raise ClientError(
                            f"{side} delivered nothing in {duration:g} s, so there is no result"
                        )
                    rates[side].append(rate)
                    logger.info(
                        "%s round %d/%d, %s: %s msg/s",
                        engine_type,
                        number + 1,
                        rounds,
                        side,
                        f"{rate:,.0f}",
                    )
                order.reverse()
        finally:
            testbed.containers.remove(container)
    return Yardstick(
        engine_type,
        tool,
        their_best,
        our_best,
        "inside" if target.namespace else "container",
        tuple(rates[tool]),
        tuple(rates["ours"]),
        ratio(rates[tool], rates["ours"]),
    )


def _best(candidates: Sequence[Settings], rate: Callable[[Settings], float], who: str) -> Settings:
    rates = []
    for settings in candidates:
        rates.append(rate(settings))
        logger.info("trying %s with %s: %s msg/s", who, settings, f"{rates[-1]:,.0f}")
    return candidates[rates.index(max(rates))]


def _start_tools(testbed: Testbed, target: Target) -> str:
    """Start a container of the tools in the broker's network."""
    tag = testbed.containers.ensure_image(IMAGE)
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


def _run_ours(
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
    planned = plan(chosen, replace(driver, connections=1, processes=2), target)
    measured = play(fleet, planned, chosen.warm_up, chosen.duration)
    if not measured.ok:
        raise ClientError(measured.failure)
    return throughput(chosen, measured)


def _run_tool(
    container: str, target: Target, settings: Settings, size: int, seconds: float
) -> float:
    """Run the broker's own tool. Returns the lower of confirmed and consumed a second."""
    rabbitmq = target.engine_type == "RABBITMQ"
    command = (_perftest if rabbitmq else _activemq)(target, settings, size, seconds)
    authorities = target.address.ca_file.read_text() if target.address.ca_file else ""
    tool = open_exec(container, ["/opt/yardstick/run", command[0]])
    try:
        tool.write("\n".join([*command, "", authorities, ".", ""]).encode())
        output = _read_all(tool, _WARM_UP + seconds + _END_WITHIN)
    finally:
        tool.close()
    return perftest_rate(output, _WARM_UP) if rabbitmq else activemq_rate(output)


def _read_all(tool: Exec, timeout: float) -> str:
    """Return everything that the tool prints."""
    output = b""
    try:
        while True:
            output += tool.read(1, timeout)
    except ContainerFailed:
        return output.decode(errors="replace")
    except TimeoutError as error:
        raise ClientError("the broker's own load generator did not end in time") from error


def _perftest(target: Target, settings: Settings, size: int, duration: float) -> list[str]:
    user = target.address
    login = f"{quote(user.username, safe='')}:{quote(user.password, safe='')}"
    options = {
        "--uri": f"amqps://{login}@127.0.0.1:{_inside_port(target)}",
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
    values = {
        # The certificate has a name, and the tool connects to an address.
        "url": f"ssl://127.0.0.1:{_inside_port(target)}?socket.verifyHostName=false",
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
    """Return the port within the broker's network."""
    return target.address.port if target.namespace else choose_route("direct", target).address.port


_PERFTEST_LINE = re.compile(
    r"time (?P<time>[\d.,]+) ?s, .*?confirmed: (?P<confirmed>[\d.,]+) msg/s"
    r".*?received: (?P<received>[\d.,]+) msg/s"
)


def perftest_rate(output: str, warm_up: float) -> float:
    """Return the lower of confirmed and received a second, in the lines after ``warm_up`` seconds.

    Raises ``ClientError`` with PerfTest's last lines if there are none.
    """
    rows = [match.groupdict() for match in map(_PERFTEST_LINE.search, output.splitlines()) if match]
    counted = [row for row in rows if _float(row["time"]) > warm_up]
    if not counted:
        raise ClientError(f"PerfTest measured nothing: {_last(output)}")
    return min(
        sum(_float(row[name]) for row in counted) / len(counted)
        for name in ("confirmed", "received")
    )


_MEASURED = re.compile(r"measured (\d+) (\d+) (\d+)")


def activemq_rate(output: str) -> float:
    """Return the lower of sent and received a second. Raises as ``perftest_rate``."""
    match = _MEASURED.search(output)
    if not match:
        raise ClientError(f"ActiveMQ's producer and consumer measured nothing: {_last(output)}")
    sent, received, milliseconds = map(int, match.groups())
    return min(sent, received) / milliseconds * 1000


def _float(text: str) -> float:
    return float(text.replace(",", ""))


def _last(output: str) -> str:
    return " | ".join(line.strip() for line in output.splitlines()[-3:]) or "no output"
