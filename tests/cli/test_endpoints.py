"""What `testbed endpoints` says of a broker: what runs, and its names on both sides."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from testbed.broker.model import Broker
from testbed.cli.endpoints import VERSIONS_PAGE, describe_broker, render_endpoints
from testbed.documented.engines import DEFAULT_VERSION, VERSIONS
from testbed.documented.listeners import ACTIVEMQ
from testbed.engines.rabbitmq.releases import DIFFERENCES, RELEASES
from testbed.testbed import Testbed
from tests.support.brokers_offline import add, offline, request

PAGE = (Path(__file__).resolve().parents[2] / VERSIONS_PAGE).read_text()


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    with offline(tmp_path / "state") as testbed:
        yield testbed


def rendered(document: dict[str, Any]) -> str:
    return render_endpoints(
        {
            "aws": "",
            "ca_file": "ca.pem",
            "region": document["region"],
            "network": "testbed-1",
            "brokers": [document],
        }
    )


def of_version(testbed: Testbed, version: str, running: str) -> Broker:
    planned = add(testbed, request("RABBITMQ"))
    return replace(planned, engine_version=version, running_version=running)


def test_a_release_that_stands_in_is_said_to_with_what_differs(testbed: Testbed) -> None:
    document = describe_broker(of_version(testbed, "4.2", "4.0.5"))
    assert document["engine"] == "RABBITMQ 4.0.5, standing in for 4.2"
    assert [row["subject"] for row in document["differences"]] == [
        difference.subject for difference in DIFFERENCES["4.2"]
    ]
    text = rendered(document)
    assert "4.0.5, standing in for 4.2" in text
    assert VERSIONS_PAGE in text


@pytest.mark.parametrize(("version", "running"), [("4.3", "4.3"), ("4.3", "4.3.6"), ("4.2", "")])
def test_the_versions_own_release_and_an_image_of_the_users_are_not(
    testbed: Testbed, version: str, running: str
) -> None:
    document = describe_broker(of_version(testbed, version, running))
    assert document["engine"] == f"RABBITMQ {running or 'an-image'}"
    assert document["differences"] == []
    assert VERSIONS_PAGE not in rendered(document)


def test_the_page_has_every_version_with_its_release() -> None:
    rows = re.findall(r"^\| (\d[\d.]+)(, the default)? \| ([\d.]+)", PAGE, re.MULTILINE)
    default = DEFAULT_VERSION["RABBITMQ"]
    assert rows == [
        (version, ", the default" if version == default else "", RELEASES[version])
        for version in VERSIONS["RABBITMQ"]
    ]


def test_the_page_has_every_difference() -> None:
    for difference in chain.from_iterable(DIFFERENCES.values()):
        row = f"| {difference.subject} | {difference.service} | {difference.here} |"
        assert row in PAGE


def test_other_brokers_have_a_name_of_aws_and_the_ports_of_the_container(testbed: Testbed) -> None:
    standby = replace(
        request("ACTIVEMQ", "pair"), deployment_mode="ACTIVE_STANDBY_MULTI_AZ", storage_type="EFS"
    )
    pair, rabbitmq = add(testbed, standby), add(testbed, request("RABBITMQ"))
    names = [f"{pair.broker_id}-{number}.mq.us-east-1.amazonaws.com" for number in (1, 2)]
    document = describe_broker(pair)
    openwire = [f"ssl://{name}:61617" for name in names]
    assert [row["inside_url"] for row in document["endpoints"]][:: len(ACTIVEMQ)] == openwire
    assert f"in testbed-1: {', '.join(openwire)}" in rendered(document)
    host = f"{rabbitmq.broker_id}.mq.us-east-1.amazonaws.com"
    assert [row["inside_url"] for row in describe_broker(rabbitmq)["endpoints"]] == [
        f"amqps://{host}:5671",
        f"https://{host}:15671",
        f"https://{host}:15671",
    ]
