"""A result as one JSON document and back: everything needed to read it, and to run it again.

Histograms stay compressed and in base64.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from testbed.bench.analysis import caveats
from testbed.bench.results import Result
from testbed.errors import TestbedError

SCHEMA = 4  # goes up with every incompatible change of the document
KIND = "amazonmq-testbed benchmark"


@dataclass(frozen=True)
class _Header:
    kind: str = ""
    schema: int = 0


def render(result: Result) -> str:
    """Return the document."""
    document = {
        "schema": SCHEMA,
        "kind": KIND,
        "caveats": caveats(result),
        **msgspec.to_builtins(result),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def read(path: Path) -> Result:
    """Read a document that ``render`` made. Raises ``TestbedError`` for anything else."""
    try:
        content = path.read_bytes()
        header = msgspec.json.decode(content, type=_Header)
    except (OSError, msgspec.MsgspecError) as error:
        raise TestbedError(f"{path} cannot be read as a result: {error}.") from error
    if header.kind != KIND:
        raise TestbedError(f"{path} is not a benchmark's result.")
    if header.schema != SCHEMA:
        raise TestbedError(
            f"{path} has schema {header.schema}; this testbed reads schema {SCHEMA}.",
            hint="Run the benchmark again.",
        )
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.ValidationError as error:
        raise TestbedError(f"{path} is a damaged result: {error}.") from error
