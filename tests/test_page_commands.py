"""The commands on the pages: each exists as it is written, and each block is run by a test."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from testbed.cli.root import app
from tests.support.page_commands import environment

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:\.venv/bin/)?testbed [^`]+)`")
_COMMAND = re.compile(r"(?:^|[/(]|[;&|] )testbed ((?:[^#\n|)]|\|(?=\w))+)", re.MULTILINE)
TREE: Any = typer.main.get_command(app)

# In a testbed with a RabbitMQ broker, one after the other: a block by the begin of its first line.
RUN_HERE = {
    "docs/aws-endpoint.md": (
        "testbed up",
        "aws mq list-brokers --region eu-central-1",
    ),
    "docs/identities.md": (
        "aws iam create-user --user-name operator",
        "testbed why operator mq:RebootBroker",
    ),
    "docs/advice.md": ("testbed advise",),
}
# A page's other blocks, and what runs them: a test file, or a reason.
BY_OTHERS = {
    "README.md": "tests/test_readme.py",
    "CONTRIBUTING.md": "the Makefile's own targets, and git's settings",
    "docs/campaigns.md": "tests/cli/test_campaign.py",
    "docs/ci.md": "tests/test_ci_page.py",
    "docs/clients/java.md": "tests/client_setup/test_formats.py",
    "docs/clients/tools.md": "tests/client_setup/test_client_pages.py",
    "docs/compose.md": "tests/cli/test_export.py",
    "docs/faults.md": "tests/test_readme.py",
    "docs/histories.md": "tests/cli/test_check.py",
    "docs/measuring.md": "tests/bench/test_table.py",
    "docs/neighbours.md": "tests/aws/test_neighbours.py",
    "docs/aws-endpoint.md": "one line that writes to /etc/hosts",
}


def blocks(page: Path) -> list[str]:
    return _BLOCK.findall(page.read_text())


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words behind `testbed` of each command in a page's text."""
    sources = [block.replace("\\\n", " ") for block in _BLOCK.findall(text)]
    sources += [inline.replace("\n", " ") for inline in _INLINE.findall(text)]
    for source in sources:
        for words in _COMMAND.findall(source):
            yield words.replace('"', " ").split()


def unknown(words: list[str]) -> list[str]:
    """Return what of a command does not exist: the command, or options."""
    if "..." in words:  # stands for the rest
        words = words[: words.index("...")]
    command, rest = TREE, list(words)
    while rest and not rest[0].startswith("-") and hasattr(command, "list_commands"):
        name = rest.pop(0)
        command = command.get_command(None, name)
        if command is None:
            return [name]
    if command.name == "aws":
        return []
    names = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    names |= {"-h", "--help", "--install-completion"}
    options = [word.partition("=")[0] for word in rest if word.startswith("-")]
    return [option for option in options if option not in names]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_and_options_of_a_page_exist(page: Path) -> None:
    wrong = {" ".join(words): unknown(words) for words in commands(page.read_text())}
    assert {command: names for command, names in wrong.items() if names} == {}


def test_control_an_unknown_command_and_an_unknown_option_are_noticed() -> None:
    page = "Use `testbed upp`, or\n```sh\ntestbed images build --cahce x  # quick\n```\n"
    assert [unknown(words) for words in commands(page)] == [["--cahce"], ["upp"]]


def test_every_block_is_run_by_a_test() -> None:
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        here = RUN_HERE.get(name, ())
        others = [block for block in blocks(page) if not block.startswith(here)]
        assert len(blocks(page)) - len(others) == len(here), name
        assert bool(others) == (name in BY_OTHERS), name
    for test in BY_OTHERS.values():
        assert (ROOT / test).is_file() or not test.startswith("tests/"), test


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that finds `testbed` and `aws`, with a state folder."""
    variables = environment(folder)
    path = f"{Path(sys.executable).parent}:{variables['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**variables, "PATH": path, "AWS_PAGER": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


# What the pages take for granted: a key, a role, and that `why` also says no.
_PREPARED = """
key=$(aws kms list-keys --query 'Keys[0].KeyId' --output text)
aws iam create-role --role-name deployer --assume-role-policy-document '{
  "Version": "2012-10-17",
  "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}'
testbed() { command testbed "$@" || { code=$?; [ "$1 $code" = "why 3" ]; }; }
"""


@pytest.mark.containers
@pytest.mark.nightly("the blocks of pages that need a broker")
@pytest.mark.timeout(900)
def test_the_blocks_of_the_pages_work(tmp_path: Path) -> None:
    first, *others = [
        block
        for page, firsts in RUN_HERE.items()
        for block in blocks(ROOT / page)
        if block.startswith(firsts)
    ]
    script = first.replace("testbed up", "testbed up --engine rabbitmq") + _PREPARED
    script += "\n".join(others).replace("KEY-ID", "$key")
    try:
        done = shell(script, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        assert shell("testbed down", tmp_path).returncode == 0
    assert "arn:aws:iam::000000000000:user/operator may not perform mq:CreateBroker" in done.stdout
