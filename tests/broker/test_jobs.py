"""The rest of an operation runs in a thread; its errors are logged and stop nothing else."""

import logging
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from testbed.broker.jobs import Job, JobThreads
from testbed.errors import ContainerFailed

if TYPE_CHECKING:
    from testbed.broker.model import Broker


class Named:
    broker_id = "b-1"


def job(finish: Any) -> Job:
    return Job(cast("Broker", Named()), finish)


def test_a_job_runs_beside_its_caller_and_is_waited_for() -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def finish() -> None:
        begun.set()
        go.wait(10)
        done.set()

    threads = JobThreads()
    threads.start(job(finish))
    assert begun.wait(10)
    threads.wait(0.01)
    assert not done.is_set()
    go.set()
    threads.wait(10)
    assert done.is_set()


def test_an_error_is_logged_with_its_broker(caplog: pytest.LogCaptureFixture) -> None:
    def finish() -> None:
        raise ContainerFailed("disk full")

    threads = JobThreads()
    with caplog.at_level(logging.ERROR, "testbed"):
        threads.start(job(finish))
        threads.wait(10)
    assert "b-1: ContainerFailed: disk full" in caplog.text
