"""No file that is kept records where packages were downloaded from."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = re.compile(
    r"(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock"
    r"|pdm\.lock|pylock.*\.toml|Pipfile\.lock|Cargo\.lock|Gemfile\.lock|composer\.lock)"
)


def lock_files(names: list[str]) -> list[str]:
    return [name for name in names if LOCKS.fullmatch(Path(name).name)]


def test_there_is_none() -> None:
    """The checksums of ``go.sum`` name modules, and no addresses."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a repository")
    assert lock_files(listed.stdout.splitlines()) == []


def test_control_one_is_found() -> None:
    assert lock_files(["a/package-lock.json", "a/package.json", "b/go.sum"]) == [
        "a/package-lock.json"
    ]
