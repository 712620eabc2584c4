"""A whole benchmark: what was run, on what, what came of it, and what to keep in mind when reading it."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from testbed.bench.compare import ROBBED, Series
from testbed.bench.statistics import spread
from testbed.bench.sweep import Curve

SCHEMA = 3  # of the JSON document; goes up with any change that a reader would trip over


@dataclass(frozen=True)
class Result:
    """``started`` is aware; ``environment`` names versions and the machine, no secrets. ``command`` makes it again."""

    started: datetime
    seconds: float
    command: str
    environment: dict[str, str]
    series: tuple[Series, ...] = ()
    curves: tuple[Curve, ...] = ()


STOLEN = 0.02  # a share of the processors' time from which on it has to be said
_MODEL = Path("/proc/cpuinfo")


def environment() -> dict[str, str]:
    """What a result depends on, of this machine and its software."""
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs{_model()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
    for package in ("amazonmq-testbed", "pika", "hdrhistogram"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def _model() -> str:
    try:
        lines = _MODEL.read_text().splitlines()
    except OSError:
        return ""
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return f", {model}{', AES instructions' if 'aes' in flags else ''}" if model else ""


def stolen_share(result: Result) -> float:
    """The part of all processors' time that the hypervisor gave to other machines while it was measured."""
    rounds = [each for series in result.series for side in series.sides for each in side.rounds]
    rounds += [point.round for curve in result.curves for point in curve.points]
    return sum(each.stolen for each in rounds) / len(rounds) if rounds else 0.0


def caveats(result: Result) -> tuple[str, ...]:
    """What has to stand beside the numbers; which of it, the numbers decide."""
    said = [
        "Generators and broker share this machine's processors: what one takes, the other lacks. Ratios mean more than rates."
    ]
    sides = [(series, side) for series in result.series for side in series.sides]
    for series, side in sides:
        if "generator" in series.limits(side):
            said.append(
                f"{series.workload.name}, {series.driver.name}, {side.label}: the generator was the limit; the broker could do more."
            )
    if any(side.route == "published" for _, side in sides):
        said.append(
            "Connections to a published port pass the container engine's proxy, which takes processor time of its own."
        )
    if any(side.route == "remote" for _, side in sides):
        said.append("A remote broker's processor time, bytes and syncs are not seen from here.")
    if any(series.driver.generator == "client" for series, _ in sides):
        said.append(
            "The users' clients send one message at a time and wait for its confirmation: that is a latency in disguise, not a ceiling."
        )
    if any(
        side.encryption.volume == "plain" or side.encryption.listener == "plaintext"
        for _, side in sides
    ):
        said.append(
            "Plaintext listeners and plain volumes are controls: they exist in a benchmark only, and Amazon MQ has neither."
        )
    if float(result.environment.get("load before", "0")) > 0.5 * (os.cpu_count() or 1):
        said.append(
            f"The machine was busy with something else when this began (load {result.environment['load before']})."
        )
    taken = stolen_share(result)
    if taken > STOLEN:
        said.append(
            f"The hypervisor gave {100 * taken:.0f} % of this machine's processors to other machines meanwhile: "
            "without that, rates are higher and intervals narrower."
        )
    repeated = sum(series.repeated for series in result.series)
    if repeated:
        said.append(
            f"{repeated} rounds were made again on all sides, since the hypervisor gave more than {100 * ROBBED:.0f} % of the processors to others during them."
        )
    noisy = [
        f"{series.workload.name} by {series.driver.name} ({side.label})"
        for series, side in sides
        if spread(series.rates(side)) > 0.1
    ]
    if noisy:
        said.append(f"Rounds of the same thing lie more than 10 % apart: {'; '.join(noisy)}.")
    return tuple(dict.fromkeys(said))
