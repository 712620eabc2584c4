"""What the trial of a block volume takes for an answer, and what for none; nothing is started."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed.broker.node_container import try_block
from testbed.errors import ContainerFailed
from testbed.runtime.containers import Containers


def containers(code: int = 0, failure: str = "") -> tuple[Containers, list[str]]:
    """Return an engine whose container ends with ``code``, or does not start, and what is left."""
    left: list[str] = []

    def run(*_: Any, **__: Any) -> str:
        if failure:
            raise ContainerFailed(failure)
        left.append("container")
        return "container"

    engine = SimpleNamespace(
        instance="test",
        create_volume=left.append,
        run=run,
        wait=lambda _: code,
        last_words=lambda _: "its last words",
        remove=left.remove,
        remove_volume=left.remove,
    )
    return cast("Containers", engine), left


@pytest.mark.parametrize(("code", "answer"), [(0, ""), (66, "its last words"), (70, "its last")])
def test_the_end_of_the_attachment_is_an_answer(code: int, answer: str) -> None:
    engine, left = containers(code)
    found = try_block(engine, "image")
    assert found.startswith(answer)
    assert bool(found) == bool(code)
    assert left == []


@pytest.mark.parametrize(
    "refusal",
    [
        'error gathering device information while adding custom device "/dev/loop-control"',
        "bpf_prog_query(BPF_CGROUP_DEVICE) failed: operation not permitted",
    ],
)
def test_a_device_that_the_engine_refuses_is_an_answer(refusal: str) -> None:
    engine, left = containers(failure=refusal)
    assert refusal in try_block(engine, "image")
    assert left == []


@pytest.mark.parametrize(("code", "failure"), [(137, ""), (64, ""), (0, "Read timed out.")])
def test_what_breaks_off_is_none(code: int, failure: str) -> None:
    engine, left = containers(code, failure)
    with pytest.raises(ContainerFailed, match=failure or "could not be tried: its last words"):
        try_block(engine, "image")
    assert left == []
