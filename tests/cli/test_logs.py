"""`testbed logs` of a broker with several nodes."""

import threading
from collections.abc import Iterator

import pytest

from testbed.cli.logs import _merged
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
