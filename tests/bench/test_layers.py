"""The benchmark's layers: measuring knows no rendering, and renderers do not know each other."""

import ast
from pathlib import Path

import pytest

import testbed.bench

ROOT = Path(testbed.bench.__file__).parent
# From the lowest up; see the package's docstring.
LAYERS = (
    ("host", "statistics", "target", "spec"),
    ("load",),
    ("results",),
    ("analysis", "table"),
    ("rounds", "run", "distributed", "yardstick"),
    ("render",),
)
FILES = sorted(file for file in ROOT.rglob("*.py") if file.name != "__init__.py")


def imports(source: str) -> set[tuple[str, ...]]:
    """Return what a source imports, lazily or not, as names below ``testbed.bench``."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {tuple(name.split(".")[2:]) for name in names if name.startswith("testbed.bench.")}


def forbidden(file: str, source: str) -> set[tuple[str, ...]]:
    """Return the imports from a layer above ``file``, and those of another renderer."""

    def layer(name: str) -> int:
        return next(number for number, names in enumerate(LAYERS) if name in names)

    own, *_ = Path(file).with_suffix("").parts
    return {
        name
        for name in imports(source)
        if layer(name[0]) > layer(own) or own == name[0] == "render"
    }


@pytest.mark.parametrize("file", [str(file.relative_to(ROOT)) for file in FILES])
def test_a_file_imports_nothing_from_above(file: str) -> None:
    assert not forbidden(file, (ROOT / file).read_text())


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("results.py", "from testbed.bench.render import html"),
        ("load/worker.py", "def main():\n    import testbed.bench.rounds"),
        ("render/terminal.py", "from testbed.bench.render.html import render"),
    ],
)
def test_an_import_from_above_is_found(file: str, source: str) -> None:
    assert forbidden(file, source)
