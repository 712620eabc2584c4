"""Commands of this machine that end with this program."""

import atexit
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

_children: set[subprocess.Popen[Any]] = set()
_END_WITHIN = 10.0  # seconds


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run ``command`` and return its exit code and its output, both streams together.

    The command is ended when this program ends.
    """
    child = subprocess.Popen(
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    _children.add(child)
    try:
        output, _ = child.communicate()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    finally:
        _children.discard(child)
    return child.returncode, output


@atexit.register
def _end_children() -> None:
    for child in list(_children):
        child.terminate()
    for child in list(_children):
        try:
            child.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
