"""`testbed logs` of a broker with several nodes."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from testbed.cli import logs
from testbed.cli.logs import _merged
from testbed.cli.root import app
from testbed.errors import ContainerFailed


def test_nodes_are_followed_at_once() -> None:
    other_has_printed = threading.Event()

    def waiting() -> Iterator[bytes]:
        assert other_has_printed.wait(10)
        yield b"first\n"

    def printing() -> Iterator[bytes]:
        yield b"second\n"
        other_has_printed.set()

    assert list(_merged([waiting(), printing()])) == [b"second\n", b"first\n"]


def test_what_a_source_raises_is_raised_once_all_have_ended() -> None:
    def failing() -> Iterator[bytes]:
        yield b"a line\n"
        raise ContainerFailed("The logs could not be read.")

    with pytest.raises(ContainerFailed):
        list(_merged([failing(), iter([b"another\n"])]))


@pytest.mark.parametrize("kept", ["the last words\n", ""])
def test_a_node_that_is_gone_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    nodes = [SimpleNamespace(name=name, container_id=f"c-{name}") for name in ("gone", "there")]

    def printed(container: str, *_: object) -> list[bytes]:
        if container == "c-gone":
            raise ContainerFailed("The logs could not be read: No such container: c-gone")
        return [b"it runs\n"]

    def state(container: str) -> SimpleNamespace:
        return SimpleNamespace(status="missing" if container == "c-gone" else "running")

    brokers = SimpleNamespace(
        peek=lambda _: SimpleNamespace(nodes=nodes, broker_id="b-1"),
        kept_log=lambda _, node: kept if node == "gone" else "",
    )
    containers = SimpleNamespace(logs=printed, state=state)
    testbed = SimpleNamespace(brokers=brokers, containers=containers)
    monkeypatch.setattr(logs, "existing", lambda _: nullcontext(testbed))
    done = CliRunner().invoke(app, ["logs", "orders"])
    assert (done.exit_code, done.stdout) == (0, f"{kept}it runs\n")
