"""Runs the code of ``testbed connect`` with the client libraries of their own registries.

Those for Ruby and PHP are from Debian's packages.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed import paths
from testbed.bench.yardstick import PERFTEST
from testbed.client_setup.clients import CLIENTS
from testbed.runtime import debian

YARDSTICK = paths.data("containers") / "yardstick" / "pom.xml"
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


def _ruby(code: str, folder: Path) -> Command:
    program = folder / "greetings.rb"
    program.write_text(code)
    return ["ruby", str(program)]


def _php(code: str, folder: Path) -> Command:
    """Load the library from Debian's package, where Composer would have put it."""
    (folder / "vendor").mkdir(exist_ok=True)
    (folder / "vendor" / "autoload.php").write_text('<?php require "PhpAmqpLib/autoload.php";')
    program = folder / "greetings.php"
    program.write_text(code)
    return ["php", str(program)]


def _shell(code: str, folder: Path) -> Command:
    return ["sh", "-c", code]


def _perf_test(code: str, folder: Path) -> Command:
    """Make the one archive that RabbitMQ publishes of those that Maven has."""
    if not (folder / "perf-test.jar").exists():
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime")
        options = (f"-Dperftest={PERFTEST}", f"-DoutputDirectory={folder}")
        _install(folder, "mvn", "-q", "-B", "-f", str(YARDSTICK), *goal, *options)
        libraries = " \n ".join(path.name for path in folder.glob("*.jar"))
        manifest = f"Main-Class: com.rabbitmq.perf.PerfTest\nClass-Path: {libraries}\n"
        with zipfile.ZipFile(folder / "perf-test.jar", "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
    return _shell(code, folder)


# By language, or by name.
_PREPARE: Mapping[str, Callable[[str, Path], Command]] = {
    "py": _python,
    "mjs": _javascript,
    "java": _java,
    "go": _go,
    "rb": _ruby,
    "php": _php,
    "sh": _shell,
    "perf-test": _perf_test,
}
_TOOLS = {"mjs": "npm", "java": "mvn", "go": "go", "perf-test": "mvn"}
# Debian's packages: the library, and what runs it.
_PACKAGES = {"rb": ("ruby-bunny", "ruby"), "php": ("php-amqplib", "php-cli")}
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
    kind = name if name in _PREPARE else language
    tool = _TOOLS.get(kind)
    if tool and shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} on this machine")
    for file in _FILES.get(kind, ()):
        shutil.copy(PROJECTS / file, folder)
    if kind in _PACKAGES:
        _install_package(*_PACKAGES[kind])
    program = subprocess.Popen(
        _PREPARE[kind](code, folder),
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


def _install_package(package: str, *interpreter: str) -> None:
    if subprocess.run(["dpkg", "-s", package], capture_output=True, check=False).returncode == 0:
        return
    if not debian.can_install():
        pytest.skip(f"Debian's package {package} is not on this machine")
    debian.install([package, *interpreter], "a test runs a page's code")


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
