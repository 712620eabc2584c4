"""A block volume that does not attach here: why not, and what to do."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from testbed.broker import topology
from testbed.broker.node_container import require_running, try_block
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
