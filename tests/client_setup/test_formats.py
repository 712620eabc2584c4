"""Each format, read by what it is for."""

import json
import shutil
import subprocess
from pathlib import Path

import dotenv
import pytest

from testbed.cli.env import Name
from testbed.client_setup.formats import FORMATS
from testbed.client_setup.settings import BrokerSettings, Settings, Url

ODD = "pass 'wörd' \"$HOME\" \\ #1"
RABBITMQ = BrokerSettings(
    "orders", "RABBITMQ", "admin", ODD, (Url("amqps", 1, "amqps://localhost:1"),)
)
ACTIVEMQ = BrokerSettings(
    "pair",
    "ACTIVEMQ",
    "admin",
    "correct-horse-1",
    (Url("openwire", 1, "ssl://localhost:2"), Url("openwire", 2, "ssl://localhost:3")),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    aws = {"AWS_ENDPOINT_URL": "https://localhost:4", "AWS_REGION": "eu-central-1"}
    return Settings(aws, tmp_path / "with space", "testbed-1", (RABBITMQ, ACTIVEMQ))


def written(name: str, settings: Settings, folder: Path) -> Path:
    path = folder / name
    path.write_text(FORMATS[name].render(settings) + "\n")
    return path


def test_a_shell_reads_every_value(settings: Settings, tmp_path: Path) -> None:
    path = written("shell", settings, tmp_path)
    command = ["sh", "-c", f". '{path}'; env -0"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={})
    read = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
    assert settings.variables().items() <= read.items()


def test_dotenv_reads_every_value(settings: Settings, tmp_path: Path) -> None:
    read = dotenv.dotenv_values(written("dotenv", settings, tmp_path))
    assert read == settings.variables()


def test_an_env_file_has_the_authority_where_it_is_mounted(settings: Settings) -> None:
    comment, *lines = FORMATS["docker"].render(settings).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["TESTBED_ORDERS_PASSWORD"] == ODD, "no quotes: they would be part of it"
    assert values["TESTBED_CA_FILE"] == "/testbed/ca.pem"
    assert "--network testbed-1" in comment
    assert f"'{settings.ca_file}:/testbed/ca.pem:ro'" in comment


@pytest.mark.skipif(not shutil.which("java"), reason="there is no java")
def test_java_reads_every_property(settings: Settings, tmp_path: Path) -> None:
    path = written("java", settings, tmp_path)
    command = ["java", "-Dfile.encoding=UTF-8", f"@{path}", "-XshowSettings:properties", "-version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in (
        f"javax.net.ssl.trustStore = {settings.truststore}",
        "aws.endpointUrl = https://localhost:4",
        "aws.region = eu-central-1",
        "testbed.orders.amqps = amqps://localhost:1",
        "testbed.pair.openwire.2 = ssl://localhost:3",
        "testbed.pair.password = correct-horse-1",
    ):
        assert f" {line}\n" in done.stderr


def test_spring_gets_the_first_broker_of_each_engine(settings: Settings) -> None:
    lines = FORMATS["spring"].render(settings).splitlines()
    values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert values["spring.rabbitmq.addresses"] == "amqps://localhost:1"
    assert values["spring.rabbitmq.ssl.trust-store"] == f"file:{settings.truststore}"
    assert values["spring.activemq.broker-url"] == "failover:(ssl://localhost:2,ssl://localhost:3)"
    assert json.loads(f'"{values["spring.rabbitmq.password"]}"') == ODD


def test_json_is_the_variables(settings: Settings) -> None:
    assert json.loads(FORMATS["json"].render(settings)) == settings.variables()


def test_the_command_offers_each() -> None:
    assert [*Name] == [*FORMATS]
