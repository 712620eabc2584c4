"""A search of a volume that was not read to its end is no proof; no container."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed.errors import ContainerFailed
from testbed.runtime import containers as runtime
from testbed.runtime.containers import Containers
from testbed.storage import raw


class Api:
    """An engine in which each command prints ``output`` and ends with the next of ``codes``."""

    def __init__(self, output: list[bytes], *codes: int | None) -> None:
        self._output, self._codes = output, list(codes)

    def exec_create(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"Id": "1"}

    def exec_start(self, _: str, stream: bool = False) -> Any:
        return iter(self._output) if stream else b"".join(self._output)

    def exec_inspect(self, _: str) -> dict[str, int | None]:
        return {"ExitCode": self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]}


def containers(output: list[bytes], *codes: int | None) -> Containers:
    client = SimpleNamespace(api=Api(output, *codes))
    return Containers(cast("Any", client), "test")


@pytest.mark.parametrize("code", [2, 126, 137])
def test_a_volume_of_which_a_part_was_read_is_no_proof(code: int) -> None:
    with pytest.raises(ContainerFailed, match=f"`tar` failed in a container .exit {code}"):
        raw.on_disk(containers([b"some of it"], 0, code), "node", b"canary")


@pytest.mark.parametrize("code", [0, 1])  # 1: the broker wrote meanwhile
def test_control_a_volume_that_was_read_is_searched(code: int) -> None:
    found = raw.on_disk(containers([b"a can", b"ary"], 0, code), "node", b"canary")
    assert found == raw.RawSearch(1, 8)


def test_an_exit_code_is_waited_for_and_a_lost_one_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert containers([b"no"], None, None, 3).execute("node", ["false"]) == (3, b"no")
    monkeypatch.setattr(runtime, "_EXIT_KNOWN_WITHIN", 0.0)
    with pytest.raises(ContainerFailed, match="does not say how `false` ended"):
        containers([b""], None).execute("node", ["false"])
