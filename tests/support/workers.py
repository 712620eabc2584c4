"""Tests in several processes at once (``-n 2``): what each has for itself, and in which order.

A file's tests stay in one process, since they share brokers. State folders are temporary anyway;
ports are divided, because a port that is chosen is not in use until its container runs.
"""

import os
from collections import defaultdict

import pytest

from tests.support.durations import recorded

_FIRST, _PORTS = 20000, 3000  # of the first process, and of each


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        first = _FIRST + _PORTS * int(config.workerinput["workerid"].removeprefix("gw"))
        os.environ["TESTBED_PORTS"] = f"{first}-{first + _PORTS - 1}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, so that none is left over at the end."""
    if hasattr(config, "workerinput"):
        seconds: dict[str, float] = defaultdict(float)
        for test, duration in recorded().items():
            seconds[test.partition("::")[0]] += duration
        items.sort(key=lambda item: -seconds[item.nodeid.partition("::")[0]])
