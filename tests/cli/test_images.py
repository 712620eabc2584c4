"""`testbed images key`, and the images that `images` knows by name."""

import pytest
from typer.testing import CliRunner

from testbed.cli.root import app


def key(*names: str) -> str:
    result = CliRunner().invoke(app, ["images", "key", *names])
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_the_key_is_that_of_the_images_whatever_their_order() -> None:
    assert key() == key("rabbitmq-4.2", "activemq-5.19", "localstack", "localstack")
    assert len({key(), key("localstack"), key("fault")}) == 3


def test_the_key_changes_with_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before, other = key(), key("localstack")
    monkeypatch.setattr("testbed.engines.rabbitmq.engine.PLUGINS", ("another",))
    assert key() != before
    assert key("localstack") == other


def test_an_unknown_image_is_refused_with_the_names_that_there_are() -> None:
    result = CliRunner().invoke(app, ["images", "key", "rabbitmq"])
    assert result.exit_code == 1
    assert "Unknown image 'rabbitmq'" in result.output
    assert "rabbitmq-3.13" in result.output
