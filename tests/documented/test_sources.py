"""Every value is documented somewhere: source keys are known, and every known key is cited."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import testbed
from testbed.documented import SOURCES

PACKAGE = Path(testbed.__file__).parent
# "(DP)", "(API, STOR)", "(KMSG: ...", "Sources: CTG, DP.", and a comment that begins "LIMITS: ..."
_KEY = r"\b[A-Z][A-Z0-9]+(?:-[A-Z]+)*\b"
_IN_BRACKETS = re.compile(rf"\(((?:{_KEY}, )*{_KEY})[,;:)]")
_IN_LIST = re.compile(r"Sources?: ((?:[^.]|\.\d)*)\.")
_AT_THE_START = re.compile(rf"^# ({_KEY})[:.,] ")
# Capitals in the same places that are not keys.
_ACRONYMS = {"XTS", "PII", "MQ", "TLS", "RFC", "IANA"}


def texts(path: Path) -> Iterator[str]:
    """Yield the docstrings and comments of a file."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield " ".join((ast.get_docstring(node) or "").split())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def cited(text: str) -> set[str]:
    lists = [*_IN_BRACKETS.findall(text), *_IN_LIST.findall(text), *_AT_THE_START.findall(text)]
    return {key for part in lists for key in re.findall(_KEY, part)}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("# Newest first (VER, 2026).", {"VER"}),
        ("# Sizes (API, STOR).", {"API", "STOR"}),
        ("Sources: DP (ActiveMQ's 18 suites), DP-NEW.", {"DP", "DP-NEW"}),
        ("# LIMITS: the maximum", {"LIMITS"}),
        ("An error (KMSG: since 2022)", {"KMSG"}),
    ],
)
def test_citations_are_found(text: str, keys: set[str]) -> None:
    assert cited(text) == keys


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "documented").glob("*.py")), ids=lambda path: path.stem
)
def test_cited_keys_are_known(path: Path) -> None:
    keys = {key for text in texts(path) for key in cited(text)}
    assert keys - SOURCES.keys() - _ACRONYMS == set()


def test_every_known_key_is_cited() -> None:
    words = {
        word
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "documented" / "__init__.py"
        for text in texts(path)
        for word in re.findall(_KEY, text)
    }
    assert SOURCES.keys() <= words
