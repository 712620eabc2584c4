"""What is put into a broker through its console for a while."""

from typing import Any

import pytest

from testbed.clients.console import Console
from testbed.errors import ClientError


class Recorded(Console):
    """Answers every request, except those in ``refused``."""

    def __init__(self, *refused: tuple[str, str]) -> None:
        self.refused, self.there = refused, set[str]()

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        if (method, path) in self.refused:
            raise ClientError("the console does not answer")
        (self.there.add if method == "PUT" else self.there.remove)(path)
        return b""


@pytest.mark.parametrize(
    ("refused", "left"), [([("PUT", "/b")], set()), ([("DELETE", "/b")], {"/b"}), ([], set())]
)
def test_what_was_put_is_removed_whatever_becomes_of_the_rest(
    refused: list[tuple[str, str]], left: set[str]
) -> None:
    console = Recorded(*refused)
    try:
        with console.temporary({"/a": {}, "/b": {}, "/c": {}}):
            assert console.there == {"/a", "/b", "/c"}
    except ClientError:
        assert refused
    assert console.there == left
