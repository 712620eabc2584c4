"""Code for clients: complete, with every value as a literal of its language."""

import ast
import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.client_setup.clients import CLIENTS, SNIPPETS, offered, render, snippet
from testbed.errors import TestbedError
from testbed.testbed import Testbed
from tests.support.brokers_offline import add, offline, request

FOLDER = Path("/somewhere")


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def test_every_file_is_a_clients_and_every_client_has_one() -> None:
    files = {path.name.removesuffix(".txt") for path in SNIPPETS.iterdir()}
    assert files == {client.file for client in CLIENTS.values()}


@pytest.mark.parametrize("engine_type", ["ACTIVEMQ", "RABBITMQ"])
def test_what_is_offered_is_complete(testbed: Testbed, engine_type: str) -> None:
    broker = add(testbed, request(engine_type))
    names = offered(broker)
    assert names
    for name in names:
        code = snippet(name, broker, FOLDER)
        assert "{{" not in code
        assert "/somewhere/" in code, "it says whom to trust"
        assert "localhost" in code


def test_each_client_is_offered_for_an_engine(testbed: Testbed) -> None:
    brokers = [add(testbed, request(engine, engine)) for engine in ("ACTIVEMQ", "RABBITMQ")]
    assert {name for broker in brokers for name in offered(broker)} == set(CLIENTS)


def test_schemes_are_the_clients_own(testbed: Testbed) -> None:
    broker = add(testbed, request("ACTIVEMQ"))
    assert [broker.endpoint(name).scheme for name in ("amqp10", "mqtt")] == [
        "amqp+ssl",
        "mqtt+ssl",
    ]
    assert f'"amqps://localhost:{broker.endpoint("amqp10").port}"' in snippet(
        "qpid-jms", broker, FOLDER
    )
    assert f'"mqtts://localhost:{broker.endpoint("mqtt").port}"' in snippet("mqtt", broker, FOLDER)


def test_a_pair_is_a_failover_url(testbed: Testbed) -> None:
    pair = add(
        testbed,
        replace(request("ACTIVEMQ"), deployment_mode="ACTIVE_STANDBY_MULTI_AZ", storage_type="EFS"),
    )
    first, second = (end.url for end in pair.endpoints if end.name == "openwire")
    assert f'"failover:({first},{second})"' in snippet("activemq-client", pair, FOLDER)


def test_unknown_clients_and_other_protocols_are_refused_with_what_there_is(
    testbed: Testbed,
) -> None:
    broker = add(testbed, request("RABBITMQ"))
    with pytest.raises(TestbedError, match="no code for the client 'pikachu'") as unknown:
        snippet("pikachu", broker, FOLDER)
    assert "pika, aio-pika" in unknown.value.hint
    with pytest.raises(TestbedError, match="does not speak stomp, as stomp.py does"):
        snippet("stomp.py", broker, FOLDER)


ODD = 'it\'s "$HOME" \\ #{1}'


class Everything(dict[str, str]):
    """Has a value for every name."""

    def __missing__(self, name: str) -> str:
        return ODD


def test_odd_values_are_literals() -> None:
    tree = ast.parse(render(CLIENTS["stomp.py"], Everything()))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert texts.count(ODD) >= 3
    assert json.dumps(ODD) in render(CLIENTS["mqtt"], Everything())
    words = shlex.split(render(CLIENTS["rabbitmqadmin"], Everything()))
    assert words.count(ODD) == 5
    assert "'it\\'s \"$HOME\" \\\\ #{1}'" in render(CLIENTS["bunny"], Everything())


@pytest.mark.parametrize("name", [name for name, one in CLIENTS.items() if one.language == "sh"])
def test_a_shell_reads_its_lines(name: str) -> None:
    code = render(CLIENTS[name], Everything())
    subprocess.run(["sh", "-n"], input=code, check=True, text=True)
