"""The package is pure: of all modules it imports the standard library's and its own."""

import ast
import sys
from pathlib import Path

import pytest

import testbed.policy

INPUT_AND_OUTPUT = {"io", "logging", "os", "pathlib", "random", "socket", "subprocess", "time"}
FILES = sorted(Path(testbed.policy.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_module_imports(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            assert name.startswith("testbed.policy") or name.partition(".")[0] in (
                sys.stdlib_module_names - INPUT_AND_OUTPUT
            ), name
