"""The pages of the project name files, commands and versions that exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from testbed.kms.base import DELAY

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
# A path that begins with one of the tree's folders.
_PATH = re.compile(
    r"(?<![\w/.-])((?:testbed|tests|docs|scenarios|containers|certs|examples)/[\w/.-]*)"
)


def test_the_guide_numbers_two_dozen_changes() -> None:
    changes = re.findall(r"^\| (\d+)\. ", GUIDE, re.MULTILINE)
    assert changes == [str(number) for number in range(1, 25)]


@pytest.mark.parametrize("path", sorted(set(_PATH.findall(GUIDE))))
def test_every_path_in_the_guide_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name
)
def test_every_link_to_a_file_has_its_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in ROOT.glob("docs/*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_every_name_in_the_guide_is_in_the_file_beside_it() -> None:
    pairs = re.findall(r"`(\w+)`(?: in| of) `([\w/.]+\.py)`", GUIDE)
    pairs += [
        (name, path)
        for path, names in re.findall(r"`([\w/.]+\.py)` \(((?:`\w+`(?:, )?)+)", GUIDE)
        for name in re.findall(r"`(\w+)`", names)
    ]
    assert len(pairs) > 10
    missing = [
        (name, path)
        for name, path in pairs
        if not re.search(rf"^(def |class )?{name}\b", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert not missing


def test_the_readme_lists_every_fixture() -> None:
    tree = ast.parse((ROOT / "testbed" / "pytest_plugin.py").read_text())
    fixtures = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
        and not node.name.startswith("_")
    }
    readme = (ROOT / "README.md").read_text()
    assert len(fixtures) >= 5
    assert {name for name in fixtures if f"`{name}`" not in readme} == set()


def test_the_choices_have_the_default_delay() -> None:
    choices = (ROOT / "docs" / "choices.md").read_text()
    assert re.findall(r"after (\d+) seconds of the testbed's clock", choices) == [f"{DELAY:g}"]


def test_every_target_in_the_guide_is_in_the_makefile() -> None:
    targets = set(re.findall(r"`make ([\w-]+)`", GUIDE))
    makefile = (ROOT / "Makefile").read_text()
    assert targets <= set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))


def test_the_workflow_and_the_classifiers_have_the_same_versions_of_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    classified = [
        classifier.rpartition(" ")[2]
        for classifier in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    ]
    assert re.findall(r"3\.\d+", matrix) == classified
