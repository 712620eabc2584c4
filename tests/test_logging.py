"""What the testbed logs: nothing that a user sees, unless the user or a command asks for it."""

import logging
import os
import subprocess
import sys

import pytest

from testbed.pytest_plugin import _ProgressHandler

_LOG = """
import logging, testbed
logging.getLogger("testbed.broker").error("an error")
"""


def stderr_of(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stderr


def test_a_library_user_sees_nothing_without_asking() -> None:
    assert stderr_of(_LOG) == ""


def test_control_a_user_who_configures_logging_sees_it() -> None:
    assert "an error" in stderr_of(f"import logging\nlogging.basicConfig()\n{_LOG}")


def test_a_command_shows_it_as_progress_and_no_other_librarys() -> None:
    script = """
import logging
from testbed.cli.base import show_progress
show_progress()
logging.getLogger("testbed.broker").info("%s: ready", "orders")
logging.getLogger("testbed.broker").debug("a detail")
logging.getLogger("pika").error("an error of another library")
"""
    line = stderr_of(script)
    assert line.startswith("[ ")
    assert line.endswith(" s] orders: ready\n")
    assert len(line.splitlines()) == 1


def test_a_client_library_is_muted_only_while_a_node_is_asked_for_a_login() -> None:
    from testbed.engines.rabbitmq import readiness

    pika = logging.getLogger("pika")
    before = list(pika.handlers)
    with readiness._muted("pika"):
        assert pika.handlers != before
    assert pika.handlers == before


def test_progress_that_nobody_reads_any_more_stops_no_work(
    capfd: pytest.CaptureFixture[str],
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    record = logging.LogRecord("testbed", logging.INFO, "", 0, "starting", None, None)
    _ProgressHandler(writing).emit(record)
    os.close(writing)
    script = (
        "import logging; from testbed.cli.base import show_progress; show_progress();"
        "[logging.getLogger('testbed').info('starting') for _ in range(3)]; print('went on')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    subprocess.run([sys.executable, "-c", script], stderr=writing, check=False)
    os.close(writing)
    assert capfd.readouterr().out == "went on\n"
