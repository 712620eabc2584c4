"""The package as users install it: built, installed in a clean environment, and working there."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.nightly("builds and installs the package"), pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build an sdist, and a wheel from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def clean(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel without extras, and pytest; return the environment's ``bin``."""
    environment = tmp_path_factory.mktemp("venv")
    venv.create(environment, with_pip=True)
    (wheel,) = built.glob("*.whl")
    pip = (environment / "bin" / "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", wheel, "pytest", cwd=environment)
    return environment / "bin"


def test_the_wheel_has_all_data_and_no_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "testbed/py.typed" in names
    for data in ("containers/rabbitmq/Dockerfile", "certs/broker.toml", "scenarios/handshakes.py"):
        assert f"testbed/_data/{data}" in names
    for page in ("page.html", "console.css", "console.js"):
        assert f"testbed/console/pages/{page}" in names
    assert not {name for name in names if re.match("tests|docs|examples", name)}
    for licence in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f".dist-info/licenses/{licence}") for name in names)


def test_the_sdist_has_the_tests_and_no_build_products(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "tests/conftest.py", "docs/choices.md"} <= names
    assert not {name for name in names if re.match(r"\.venv|\.testbed|\.git/|report/", name)}


def test_the_command_works(clean: Path, tmp_path: Path) -> None:
    assert "Usage: testbed" in run(clean / "testbed", "--help", cwd=tmp_path)
    assert "Usage: testbed up" in run(clean / "testbed", "up", "--help", cwd=tmp_path)


def test_the_import_works(clean: Path, tmp_path: Path) -> None:
    program = "import testbed, testbed.paths; print(testbed.paths.data('containers'))"
    assert "/_data/containers" in run(clean / "python", "-c", program, cwd=tmp_path)


def test_the_pytest_plugin_works(clean: Path, tmp_path: Path) -> None:
    fixtures = run(clean / "python", "-m", "pytest", "--fixtures", cwd=tmp_path)
    for name in ("rabbitmq_broker", "activemq_broker", "kms_key", "aws_endpoint"):
        assert name in fixtures


def test_the_sdist_installs(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", "--no-deps", "--target", tmp_path, sdist, cwd=tmp_path)
    assert (tmp_path / "testbed" / "_data" / "certs" / "broker.toml").is_file()
