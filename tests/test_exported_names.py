"""The public names: what is exported, what is documented, and that importing costs nothing."""

import re
import subprocess
import sys
from pathlib import Path

import testbed
from testbed.documented.listeners import LISTENERS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "api.md").read_text()


def test_the_exported_names_are_these() -> None:
    assert testbed.__all__ == [
        "ActiveMqBroker",
        "Destination",
        "Endpoint",
        "Events",
        "Faults",
        "Key",
        "RabbitMqBroker",
        "Testbed",
        "TestbedError",
        "connect",
        "serve",
    ]


def test_each_is_importable_and_has_a_docstring() -> None:
    for name in testbed.__all__:
        assert getattr(testbed, name).__doc__, name
        assert name in dir(testbed)


def test_none_is_hidden_by_a_module_of_its_name() -> None:
    """Importing a module of that name would put the module in its place."""
    folder = Path(testbed.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert modules & set(testbed.__all__) == set()


def test_each_is_a_heading_of_the_page() -> None:
    headings = set(re.findall(r"^### `(\w+)", PAGE, re.MULTILINE))
    assert headings == set(testbed.__all__)


def test_every_public_member_is_on_the_page() -> None:
    for kind in (testbed.Key, testbed.RabbitMqBroker):
        members = {name for name in dir(kind) if not name.startswith("_")}
        missing = {name for name in members if not re.search(rf"`{name}\b", PAGE)}
        assert missing == set(), kind.__name__


def test_every_protocol_of_a_listener_is_on_the_page() -> None:
    protocols = {
        protocol
        for listeners in LISTENERS.values()
        for listener in listeners
        for protocol in listener.protocols
    }
    assert {protocol for protocol in protocols if f"`{protocol}`" not in PAGE} == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(testbed, "Broker")


def test_importing_the_package_and_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, testbed, testbed.pytest_plugin\n"
        "heavy = {'boto3', 'botocore', 'docker', 'testcontainers', 'cryptography', 'typer'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_plugin_imports_nothing_that_pytest_has_not_imported() -> None:
    """So it costs other projects' runs some milliseconds."""
    code = (
        "import sys, _pytest.config\n"
        "_pytest.config.get_config()  # imports pytest's own plugins\n"
        "before = set(sys.modules)\n"
        "import testbed.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["testbed", "testbed.pytest_plugin"]
