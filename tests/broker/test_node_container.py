"""A block volume that does not attach here: why not, and what to do."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed.broker import node_container, topology
from testbed.broker.node_container import require_running, try_block
from testbed.engines import entry
from testbed.engines.all import ENGINES
from testbed.errors import VolumeRefused
from testbed.kms.base import USER
from testbed.runtime import containers as runtime
from tests.support.bare_node import bare_node, bare_nodes
from tests.support.brokers_offline import request

pytestmark = pytest.mark.containers


def test_it_attaches_where_there_are_loop_devices_and_says_what_is_missing_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bare_nodes() as (containers, image):
        assert try_block(containers, image) == ""
        monkeypatch.setitem(runtime._MOUNTING, "loop", {"devices": ["/dev/fuse"]})
        assert "/dev/loop-control is missing" in try_block(containers, image)
        monkeypatch.setitem(runtime._MOUNTING, "loop", {"devices": ["/dev/no-such-device"]})
        assert "/dev/no-such-device" in try_block(containers, image)
        monkeypatch.setitem(runtime._MOUNTING, "loop", {"devices": ["/dev/loop-control"]})
        assert "cannot be opened: Operation not permitted" in try_block(containers, image)
        assert containers.find() == []
        assert containers.volumes() == []


def test_a_broker_that_gets_no_loop_device_says_what_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(runtime._MOUNTING, "loop", {"devices": ["/dev/loop-control"]})
    planned = topology.plan(request("RABBITMQ"), USER, "an-image", None, datetime.now(UTC))
    broker = planned.with_volumes("block", size=2**24)
    [node] = broker.nodes
    with bare_nodes() as (containers, image):
        bare = bare_node(containers, image)
        bare.refusal()
        stopped = replace(node, container_id=bare.container)
        with pytest.raises(VolumeRefused, match="does not attach: .*loop.* cannot be") as error:
            require_running(containers, broker, stopped)
    assert "--volumes files" in error.value.hint


def test_a_container_that_a_killed_process_did_not_note_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entry, "secrets", lambda *_, **__: b"")
    broker = topology.plan(request("RABBITMQ"), USER, "an-image", None, datetime.now(UTC))
    [node], done = broker.nodes, list[tuple[str, str]]()
    containers = SimpleNamespace(
        instance="test",
        remove=lambda name: done.append(("remove", name)),
        run=lambda spec, stdin: done.append(("run", spec.name)),
    )
    node_container.run(
        cast("Any", containers),
        ENGINES["RABBITMQ"],
        broker,
        node,
        rendered=cast("Any", None),
        data_key=None,
    )
    name = f"testbed-test-{broker.broker_id[:10]}-{node.name}"
    assert done == [("remove", name), ("run", name)]
