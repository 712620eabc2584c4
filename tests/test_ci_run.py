"""The build server's script: what failed runs again, and nothing else makes a red run green."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_MAKEFILE = """
test:
\t@exit {check}
\t@sh run-tests "$(PYTEST_ARGS)"
containers:
\t@sh run-tests "$(PYTEST_ARGS)"
"""
# Ends as pytest does, the first time and the second; one test is known to have failed.
_TESTS = """
mkdir -p .pytest_cache/v/cache .pytest_cache/v/testbed
echo '{{"tests/test_a.py::test_b": true}}' >.pytest_cache/v/cache/lastfailed
echo run >>runs
case $1 in *--last-failed*) end={again};; *) end={first};; esac
echo $end >.pytest_cache/v/testbed/exitstatus
exit $end
"""


@pytest.mark.parametrize(
    ("check", "first", "again", "succeeds", "runs"),
    [
        (0, 0, 0, True, 1),
        (0, 1, 0, True, 2),
        (0, 1, 1, False, 2),
        (1, 0, 0, False, 0),  # formatting, lint or types
        (0, 2, 0, False, 1),  # interrupted
        (0, 3, 0, False, 1),  # an internal error
        (0, 5, 0, False, 1),  # no tests
    ],
)
def test_only_tests_that_failed_get_a_second_run(
    tmp_path: Path, check: int, first: int, again: int, succeeds: bool, runs: int
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(".ci/run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text(_MAKEFILE.format(check=check))
    (tmp_path / "run-tests").write_text(_TESTS.format(first=first, again=again))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "runs").touch()
    done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == succeeds, done.stderr
    assert (tmp_path / "runs").read_text() == "run\n" * runs
    assert ("FLAKY: tests/test_a.py::test_b" in done.stdout) == (runs == 2 and succeeds)


def test_what_failed_in_an_earlier_run_does_not_stand_for_what_failed_in_this_one(
    tmp_path: Path,
) -> None:
    """A test without a container fails, so those with one are not reached; one failed before."""
    script = [
        'known=.pytest_cache/v/cache/lastfailed; mkdir -p "${known%/*}" .pytest_cache/v/testbed',
        "case $1 in *--last-failed*) grep -q containers $known || exit 5; exit 0;; esac",
        '[ -s $known ] || echo "{}" >$known',
        "sed -i 's/}/, \"tests\\/test_a.py::test_b\": true}/; s/{, /{/' $known",
        "echo 1 >.pytest_cache/v/testbed/exitstatus; exit 1",
    ]
    (tmp_path / ".ci").mkdir()
    shutil.copy(".ci/run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text(_MAKEFILE.format(check=0))
    (tmp_path / "run-tests").write_text("\n".join(script))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    cache = tmp_path / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text('{"tests/test_containers.py::test_c": true}')
    done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    assert '{"tests/test_a.py::test_b": true}' in (cache / "lastfailed").read_text()


def test_how_a_run_ended_is_kept(tmp_path: Path) -> None:
    conftest = Path("tests/conftest.py").read_text()
    start = conftest.index("def pytest_sessionfinish")
    hook = conftest[start : conftest.index("@pytest", start)]
    (tmp_path / "conftest.py").write_text(f"import pytest\n\n{hook}")
    (tmp_path / "test_it.py").write_text("def test_it(): assert False")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    kept = tmp_path / ".pytest_cache" / "v" / "testbed" / "exitstatus"
    assert kept.read_text().strip() == "1"
