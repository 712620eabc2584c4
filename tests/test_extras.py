"""A plain install works without optional libraries, and a missing one is named with its extra."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import testbed
from testbed import clients
from testbed.clients import Address
from testbed.errors import MissingExtra
from testbed.extras import EXTRAS, explained

PACKAGE = Path(testbed.__file__).parent
ROOT = PACKAGE.parent


def names(requirements: list[str]) -> set[str]:
    """Return the normalised distribution names of ``requirements``."""
    words = (re.split(r"[\[<>=! ]", requirement)[0] for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", word).lower() for word in words}


def declared() -> dict[str, set[str]]:
    """Return the distributions of a plain install (under "") and of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return {"": names(project["dependencies"])} | {name: names(extras[name]) for name in extras}


def imported() -> set[str]:
    """Return every top-level module that the package imports anywhere."""
    modules = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    return modules - sys.stdlib_module_names - {"testbed"}


def test_every_import_is_declared_where_extras_says() -> None:
    distributions, requirements = packages_distributions(), declared()
    # These come with testcontainers, boto3, jinja2, proton and locust; pytest loads the plugin.
    for module in imported() - {"docker", "botocore", "markupsafe", "cproton", "gevent", "pytest"}:
        candidates = names(distributions[module])
        assert candidates & requirements[EXTRAS.get(module, "")], module


@pytest.mark.parametrize(
    "statement",
    [
        "import testbed.testbed",
        "import testbed.pytest_plugin",
        "import testbed.aws.endpoint",
        "from testbed.cli import main; main(['up', '--help'])",
        "from testbed.cli import main; main(['scenario', '--help'])",
    ],
)
def test_a_plain_install_needs_no_extra(statement: str) -> None:
    program = f"import sys\nsys.modules |= dict.fromkeys({list(EXTRAS)})\n{statement}"
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


@pytest.mark.nightly("commands without their extra; every push has what they import")
@pytest.mark.parametrize("command", [["demo"], ["scenario", "run"]])
def test_scenarios_name_a_missing_extra_before_they_start(command: list[str]) -> None:
    program = (
        f"import sys\nsys.modules['stomp'] = None\nfrom testbed.cli import main; main({command})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: The optional library stomp is not installed.\n"
        "  hint: pip install 'amazonmq-testbed[clients]'\n"
    )


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "proton"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "proton", None)
    monkeypatch.delitem(sys.modules, "testbed.clients.amqp10", raising=False)
    with pytest.raises(MissingExtra, match="proton is not installed") as error:
        clients.connect(Address("amqp10", "localhost", 1, "user", "password"))
    assert error.value.hint == "pip install 'amazonmq-testbed[clients]'"


def test_other_missing_modules_stay_import_errors() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), explained():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
