"""The recipes of docs/ci.md and the dev container: their commands run in an empty project."""

import json
import os
import re
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "ci.md").read_text()
CONTAINER = ROOT / ".devcontainer" / "devcontainer.json"
_VERSIONED = re.compile(r"[\w-]+(?:/[\w-]+)+@v\d+")
_OUTPUT = re.compile(r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}")
# What https://containers.dev/implementors/json_schema/ has, as far as it is used here.
_PROPERTIES = {"name", "image", "privileged", "mounts", "hostRequirements", "postCreateCommand"}


def blocks(language: str) -> list[Any]:
    """Return the documents of the page in a language; JSON is YAML."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in found]


GITHUB, GITLAB = blocks("yaml")
[DEV_CONTAINER] = blocks("json")
STEPS = GITHUB["jobs"]["tests"]["steps"]
JOB = GITLAB["tests"]


class Project:
    """A project of a stranger's with one test, in a virtual environment without the testbed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=True)
        (folder / "requirements.txt").write_text(f"amazonmq-testbed @ {ROOT.as_uri()}\npytest\n")
        readme = (ROOT / "README.md").read_text()
        [example] = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
        (folder / "test_example.py").write_text(example)

    def run(self, script: str, **variables: str) -> str:
        """Run a step as build servers do, and return its output."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if name == "TESTBED_PORTS" or not name.startswith(("AWS_", "TESTBED_", "PYTHON"))
        }
        path = f"{self.folder / 'venv' / 'bin'}:{clean['PATH']}"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**clean, "PATH": path, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def images(project: Project) -> set[str]:
    return {path.name for path in (project.folder / ".testbed-images").iterdir()}


needs_network = pytest.mark.nightly("the recipes for build servers, which install the package")


@pytest.mark.containers
@needs_network
@pytest.mark.timeout(900)
def test_the_steps_for_github_work(project: Project) -> None:
    outputs: dict[str, dict[str, str]] = {}
    for number, step in enumerate(STEPS):
        if "run" not in step:
            continue
        file = project.folder / f"output-{number}"
        output = project.run(step["run"], GITHUB_OUTPUT=str(file))
        lines = file.read_text().splitlines() if file.exists() else []
        outputs[step.get("id", str(number))] = dict(line.split("=", 1) for line in lines)
    assert re.fullmatch("[0-9a-f]{16}", outputs["images"]["key"]), "the key of the cache"
    assert len(images(project)) == 3
    assert "1 passed" in output


@pytest.mark.containers
@needs_network
@pytest.mark.timeout(900)
def test_the_script_for_gitlab_works(project: Project) -> None:
    output = project.run("\n".join(JOB["script"]))
    assert len(images(project)) == 3
    assert "1 passed" in output


@pytest.mark.containers
@needs_network
@pytest.mark.timeout(900)
def test_the_command_of_the_dev_container_works(project: Project) -> None:
    assert "amazonmq-testbed/localstack:" in project.run(DEV_CONTAINER["postCreateCommand"])


@needs_network
def test_control_a_step_that_fails_is_found(project: Project) -> None:
    with pytest.raises(AssertionError, match="no/such/requirements"):
        project.run("pip install -r no/such/requirements.txt\ntrue")


def test_what_the_steps_for_github_use_has_a_version_or_an_output() -> None:
    assert all(
        ("run" in step) != bool(_VERSIONED.fullmatch(step.get("uses", ""))) for step in STEPS
    )
    texts = json.dumps(STEPS)
    written = {
        (step["id"], name) for step in STEPS if "id" in step for name in _names(step.get("run", ""))
    }
    assert set(_OUTPUT.findall(texts)) == written == {("images", "key")}


def _names(script: str) -> Iterator[str]:
    """Yield the outputs that a step sets."""
    yield from re.findall(r'echo "(\w+)=.*" >> "\$GITHUB_OUTPUT"', script)


def test_what_is_kept_between_runs_is_where_images_are_built() -> None:
    [cache] = [step["with"] for step in STEPS if step.get("uses", "").startswith("actions/cache@")]
    assert [cache["path"]] == JOB["cache"]["paths"] == [".testbed-images"]
    commands = [*JOB["script"], *(step.get("run", "") for step in STEPS)]
    assert commands.count(f"testbed images build --cache {cache['path']}") == 2


def test_the_dev_containers_are_those_of_the_specification() -> None:
    own = json.loads(CONTAINER.read_text())
    for document in (own, DEV_CONTAINER):
        assert document.keys() <= _PROPERTIES
        assert document["hostRequirements"].keys() == {"cpus", "memory", "storage"}
        [mount] = document["mounts"]
        assert (mount["type"], mount["target"]) == ("volume", "/var/lib/docker")
    for name in ("image", "privileged", "mounts", "hostRequirements"):
        assert own[name] == DEV_CONTAINER[name]
    targets = re.findall(r"make ([\w-]+)", own["postCreateCommand"])
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
