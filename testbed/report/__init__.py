"""Renderers of a run: terminal, JSON, one HTML page, JUnit XML. They compute nothing."""

from importlib import import_module
from pathlib import Path

from testbed.results import Run

# The file of each format, and the module whose ``render`` returns its text. A module is imported
# when it is used.
FILES = {"report.json": "as_json", "report.html": "html", "report.xml": "junit"}


def write(run: Run, folder: Path) -> None:
    """Write a file of each format into ``folder``."""
    for name, module in FILES.items():
        (folder / name).write_text(import_module(f"{__name__}.{module}").render(run))
