"""Runs the code of ``testbed connect`` with the client libraries of their own registries."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.client_setup.clients import CLIENTS

PROJECTS = Path(__file__).with_name("client_projects")
Command = list[str]


def _python(code: str, folder: Path) -> Command:
    program = folder / "greetings.py"
    program.write_text(code)
    return [sys.executable, str(program)]


def _javascript(code: str, folder: Path) -> Command:
    if not (folder / "node_modules").exists():
        _install(folder, "npm", "install", "--silent", "--no-audit", "--no-fund")
    program = folder / "greetings.mjs"
    program.write_text(code)
    return ["node", str(program)]


def _java(code: str, folder: Path) -> Command:
    if not (folder / "lib").exists():
        _install(folder, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib")
    program = folder / "Greetings.java"
    program.write_text(code)
    return ["java", "-cp", str(folder / "lib" / "*"), str(program)]


def _go(code: str, folder: Path) -> Command:
    (folder / "main.go").write_text(code)
    _install(folder, "go", "build", "-o", "greetings", ".")
    return [str(folder / "greetings")]


def _shell(code: str, folder: Path) -> Command:
    return ["sh", "-c", code]


_PREPARE: Mapping[str, Callable[[str, Path], Command]] = {
    "py": _python,
    "mjs": _javascript,
    "java": _java,
    "go": _go,
    "sh": _shell,
}
_TOOLS = {"mjs": "npm", "java": "mvn", "go": "go"}
_FILES = {
    "mjs": ("package.json",),
    "java": ("pom.xml",),
    "go": ("go.mod", "go.sum"),
}


def run(name: str, code: str, folder: Path) -> tuple[int, str]:
    """Run the code of a client to its end; return its status and output. See ``start``."""
    with start(name, code, folder) as program:
        output, _ = program.communicate(timeout=120)
        return program.returncode, output


@contextmanager
def start(name: str, code: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start the code of a client, and end it after the block.

    The libraries are installed into ``folder`` if they are not there yet.
    """
    language = CLIENTS[name].language
    if tool := _TOOLS.get(language):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} on this machine")
        for file in _FILES[language]:
            shutil.copy(PROJECTS / file, folder)
    program = subprocess.Popen(
        _PREPARE[language](code, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def _install(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-mod=mod"},
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
