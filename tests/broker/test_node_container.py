"""The trial of a block volume: whether it attaches here, and why not."""

import pytest

from testbed.broker.node_container import try_block
from testbed.runtime import containers as runtime
from tests.support.bare_node import bare_nodes

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
        assert containers.find() == []
        assert containers.volumes() == []
