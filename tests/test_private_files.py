"""A file that is put in place in one step, and an interruption at its end."""

from pathlib import Path
from typing import Any

import pytest

from testbed.private_files import write_private


def test_an_interruption_after_the_last_step_is_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Any:
        replace(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_private(tmp_path / "secret", b"content")
    [file] = tmp_path.iterdir()
    assert (file.name, file.read_bytes()) == ("secret", b"content")
