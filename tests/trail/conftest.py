"""Fixtures of a trail in a new folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.kms.localstack import LocalStackKms
from tests.support.kms_container import Container
from tests.support.trail_bench import Bench


@pytest.fixture
def bench(tmp_path: Path, running: Container) -> Iterator[Bench]:
    bench = Bench(tmp_path, running.kms)
    yield bench
    bench.trail.close()


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Bench]:
    """Return a bench whose KMS does not answer."""
    bench = Bench(tmp_path, LocalStackKms("http://127.0.0.1:9"))
    yield bench
    bench.trail.close()
