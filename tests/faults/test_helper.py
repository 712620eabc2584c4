"""A helper is at work when it says so, and not when it says why it is not; no container."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed.errors import ContainerFailed
from testbed.faults import helper
from testbed.runtime.containers import ContainerState


def run(output: bytes) -> None:
    """Run a helper that prints ``output`` and has ended."""
    containers = SimpleNamespace(
        instance="test",
        ensure_image=lambda _: "an-image",
        run=lambda *_, **__: "id",
        remove=lambda _: None,
        state=lambda _: ContainerState("exited", 1),
        logs=lambda _: [output],
        last_words=lambda _: output.decode(),
    )
    testbed = cast("Any", SimpleNamespace(containers=containers))
    helper.run(testbed, "fault-1", {}, tool="link")


def test_a_refusal_with_ready_in_it_is_a_refusal() -> None:
    with pytest.raises(ContainerFailed, match="could not be injected: .*already exists"):
        run(b"iptables -N fault-1-0: iptables: Chain already exists.\n")


def test_control_a_helper_that_is_ready() -> None:
    run(b"ready\n")
