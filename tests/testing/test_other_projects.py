"""Projects that have the plugin installed and do not use it: it stays out of their way."""

import os
import subprocess
import sys
from pathlib import Path

FOREIGN = """
import pytest

@pytest.fixture
def rabbitmq_broker():
    return "amqp://guest@localhost"

@pytest.fixture
def vhost():
    return "/"

def test_passes(rabbitmq_broker, vhost):
    assert rabbitmq_broker

def test_fails(rabbitmq_broker):
    assert rabbitmq_broker == "mine"
"""
FAILING = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    raise pytest.UsageError("configured wrongly")
"""


def run_pytest(folder: Path) -> tuple[int, str]:
    variables = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        cwd=folder,
        env=variables,
    )
    return done.returncode, done.stdout


def test_fixtures_of_the_same_names_are_the_projects_own(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(FOREIGN)
    status, output = run_pytest(tmp_path)
    assert status == 1
    assert "1 failed, 1 passed" in output, output
    assert "log of rabbitmq_broker" not in output


def test_what_keeps_another_plugin_from_being_configured_is_said(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FAILING)
    status, output = run_pytest(tmp_path)
    assert status == 4, output
    assert "configured wrongly" in output
    assert "Traceback" not in output
