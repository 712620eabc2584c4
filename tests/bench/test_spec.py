"""Workload files, driver files and encryptions: what is shipped, and one line for a mistake."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.bench.rounds import plan
from testbed.bench.spec import DRIVERS, WORKLOADS, load_driver, load_workload, takes_turns
from testbed.bench.target import Endpoint
from testbed.errors import TestbedError

SHIPPED = (
    "durable-1k",
    "durable-100b",
    "durable-64k",
    "durable-1m",
    "request-reply",
    "connect",
    "fan-out",
)


@pytest.mark.parametrize("name", [path.stem for path in WORKLOADS.glob("*.toml")])
def test_shipped_workloads_load(name: str) -> None:
    loaded = load_workload(name)
    assert loaded.name == name
    assert loaded.title


@pytest.mark.parametrize("name", [path.stem for path in DRIVERS.glob("*.toml")])
def test_shipped_drivers_load(name: str) -> None:
    loaded = load_driver(name)
    assert loaded.name == name
    assert loaded.title


def test_all_promised_workloads_are_shipped() -> None:
    assert {path.stem for path in WORKLOADS.glob("*.toml")} >= set(SHIPPED)


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "Mine"\nsize = 2048\nrate = 100\n')
    loaded = load_workload(str(file))
    assert (loaded.name, loaded.size, loaded.rate) == ("mine", 2048, 100.0)


def test_bodies_are_made_of_the_payload_file(tmp_path: Path) -> None:
    """It lies beside the workload's file, and every generator fills its bodies with it."""
    (tmp_path / "order.json").write_text('{"order": 1}')
    file = tmp_path / "mine.toml"
    file.write_text('size = 64\npayload = "order.json"\n')
    loaded = load_workload(str(file))
    assert loaded.content() == b'{"order": 1}'
    by = load_driver("rabbitmq")
    planned = plan(
        loaded,
        by,
        Endpoint(
            "amqps://b-1.mq.us-east-1.amazonaws.com", "alice", "secret", tmp_path / "ca.pem"
        ).target(by.protocol),
    )
    assert {job.shape.content for job in planned.jobs} == {b'{"order": 1}'}
    assert (
        plan(load_workload("durable-1k"), by, planned.jobs[0].target).jobs[0].shape.content == b""
    )


@pytest.mark.parametrize(("text", "message"), [(None, "cannot be read"), ("", "is empty")])
def test_a_payload_file_without_content_is_one_line(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "order.json").write_text(text)
    file = tmp_path / "mine.toml"
    file.write_text('payload = "order.json"\n')
    with pytest.raises(TestbedError, match=message):
        load_workload(str(file)).content()


WRONG = [
    ("size = 10", "size should be from 24 to 67108864, not 10"),
    ('size = "big"', "Expected `int`, got `str` - at `$.size`"),
    ("size = true", "Expected `int`, got `bool` - at `$.size`"),
    ("sise = 10", "unknown field 'sise'"),
    (
        'pattern = "stream"',
        "pattern should be one of queue, fan-out, request-reply, connect, not 'stream'",
    ),
    ('confirmation = "never"', "confirmation should be one of each, window, transaction"),
    ("duration = 0.0", "duration should be from 0.1"),
    ("rate = -1", "rate should be from 0"),
    ("queues = 2", "2 queues need as many producers and consumers"),
    ("search = true", "search needs a rate to begin with"),
    ("turn = 0.1", "turn needs confirmation each, or pattern connect"),
    ('confirmation = "each"\nturn = 0.001', "turn should be from 0.02"),
    ("rounds = 0", "rounds should be from 1"),
    ("size = ", "is not valid TOML"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_value_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(TestbedError) as error:
        load_workload(str(file))
    assert message in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("work", "by", "rate", "expected"),
    [
        ("confirm-each", "rabbitmq", 0.0, True),
        ("confirm-each", "activemq-java", 0.0, True),
        ("connect", "activemq", 0.0, True),
        ("confirm-each", "rabbitmq", 100.0, False),
        ("confirm-each", "activemq", 0.0, False),  # 32 connections
        ("durable-1k", "rabbitmq", 0.0, False),
    ],
)
def test_sides_take_turns_where_little_is_under_way(
    work: str, by: str, rate: float, expected: bool
) -> None:
    assert takes_turns(replace(load_workload(work), rate=rate), load_driver(by)) is expected


WRONG_DRIVERS = [
    ('engine = "KAFKA"', "engine should be one of ACTIVEMQ, RABBITMQ"),
    ('protocol = "stomp"', "protocol should be one of amqp, amqp10"),
    (
        'engine = "ACTIVEMQ"\nprotocol = "mqtt"',
        "protocol of a fast generator should be one of amqp, openwire",
    ),
    ("acknowledge = 5000", "acknowledge should be at most 1000 (prefetch)"),
    (
        'deployment = "ACTIVE_STANDBY_MULTI_AZ"',
        "deployment should be one of SINGLE_INSTANCE, CLUSTER_MULTI_AZ",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG_DRIVERS)
def test_a_wrong_driver_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(TestbedError) as error:
        load_driver(str(file))
    assert message in str(error.value)


@pytest.mark.parametrize("load", [load_workload, load_driver])
def test_an_unknown_name_lists_the_known_ones(load: Callable[[str], object]) -> None:
    with pytest.raises(TestbedError) as error:
        load("nonsense")
    assert "durable-1k" in error.value.hint or "rabbitmq" in error.value.hint
