"""Imports point downwards only, as docs/architecture.md draws them, and never in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the ground up. What stands in one line may import each other, but in no circle of files.
FLOORS = (
    (
        "documented advice errors arn paths api_models api_validation history history_file policy "
        "protocols"
    ),
    "default_region graph timeline results checker extras private_files runtime",
    "engines clients pki state verdicts",
    "kms report traffic",
    "storage trail wire account https",
    "services broker",
    "controls evidence inventory testbed relations watch",
    "key library scenario bench client_setup console",
    "aws faults testing staff",
    "daemon __init__",
    "campaign",
    "cli pytest_plugin",
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}


def module_of(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in (ROOT / "testbed").rglob("*.py")}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the package's modules that a file imports, inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            qualified = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in qualified]
        else:
            continue
        yield from (name for name in names if name in MODULES)


def without_typing(tree: ast.Module) -> ast.Module:
    """Drop the blocks that only a type checker reads."""
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Return what each module imports when it runs."""
    return {
        module: set(imports(without_typing(ast.parse(path.read_text())))) - {module}
        for module, path in MODULES.items()
    }


def room(module: str) -> str:
    """Return the package or file at the top level that ``module`` belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def climbs(graph: dict[str, set[str]]) -> list[str]:
    """Return the imports that lead upwards."""
    return [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if FLOOR[room(target)] > FLOOR[room(module)]
    ]


def test_every_room_has_its_floor() -> None:
    assert {room(module) for module in MODULES} == set(FLOOR)


def test_every_room_is_on_the_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = FLOOR.keys() - {"__init__"}
    assert {name for name in rooms if f"`{name}`" not in page and f"`{name}/`" not in page} == set()


def test_no_import_leads_upwards(graph: dict[str, set[str]]) -> None:
    assert climbs(graph) == []


def test_no_imports_form_a_circle(graph: dict[str, set[str]]) -> None:
    TopologicalSorter(graph).prepare()


def test_control_an_import_upwards_and_a_circle_are_noticed(graph: dict[str, set[str]]) -> None:
    planted = {**graph, "testbed.errors": {"testbed.testbed"}}
    assert climbs(planted) == ["testbed.errors imports testbed.testbed"]
    with pytest.raises(CycleError):
        TopologicalSorter(planted).prepare()
