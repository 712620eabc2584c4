"""What `up` makes of a broker whose key keeps it down; no container."""

import logging
from pathlib import Path

import pytest

from testbed.broker.default_broker import DefaultBrokerOptions
from testbed.cli import lifecycle
from testbed.errors import VolumeRefused
from tests.support.brokers_offline import add, offline, request


def refuse(*_: object) -> None:
    raise VolumeRefused("The volume does not attach.", hint="EnableKey.")


def test_a_broker_that_waits_for_its_key_is_no_error_unless_it_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with offline(tmp_path / "state") as testbed:
        monkeypatch.setattr(testbed, "default_broker", refuse, raising=False)
        with pytest.raises(VolumeRefused):
            lifecycle._start(testbed, "RABBITMQ", DefaultBrokerOptions())
        add(testbed, request(name="rabbitmq"))
        with caplog.at_level(logging.WARNING):
            lifecycle._start(testbed, "RABBITMQ", DefaultBrokerOptions())
        assert "does not attach. EnableKey." in caplog.text
