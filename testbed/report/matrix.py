"""The cipher suite matrix as a table. Differences are words; colour only repeats them."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from testbed.report.text import printable
from testbed.results import Cell, Matrix

# The mark of each state, and its style on the terminal: only differences are loud.
_MARKS = {"accepted": "✓", "refused": "·", "missing": "LACKS", "extra": "EXTRA", "unknown": "?"}
_STYLES = {
    "accepted": "green",
    "refused": "dim",
    "missing": "bold white on red",
    "extra": "bold white on red",
    "unknown": "bold black on yellow",
}
LEGEND = (
    "✓ accepted and · refused as documented; LACKS and EXTRA are not as documented; ? no answer; "
    "in brackets: not stated in the documentation."
)
_BOTH_NAMES_WIDTH = 120  # columns


@dataclass(frozen=True)
class Line:
    """A row as shown; ``openssl`` is empty for a row of several suites."""

    version: str
    iana: str
    openssl: str
    cells: tuple[Cell, ...]


def lines(matrix: Matrix) -> tuple[Line, ...]:
    """Return the rows as shown."""
    named = {row.version for row in matrix.rows if row.suite}
    shown = []
    for row in matrix.rows:
        iana = (
            row.suite.iana
            if row.suite
            else f"the other {row.others} suites"
            if row.version in named
            else f"all {row.others} suites"
        )
        shown.append(Line(row.version, iana, row.suite.openssl if row.suite else "", row.cells))
    return tuple(shown)


def mark(cell: Cell) -> str:
    """Return the word or sign for the state of ``cell``."""
    if cell.state == "unstated":
        return "(✓)" if cell.accepted else "(·)"
    return _MARKS[cell.state]


def summary(matrix: Matrix) -> str:
    """Return one sentence: what differs, suite by suite, or that nothing does."""
    if differences := list(_differences(matrix)):
        return f"{matrix.subject} is not as documented. {'; '.join(differences)}."
    return f"{matrix.subject}: {len(matrix.listeners)} listeners, exactly as documented."


def _differences(matrix: Matrix) -> Iterator[str]:
    for line in lines(matrix):
        where: dict[str, list[str]] = {}
        for name, cell in zip(matrix.listeners, line.cells, strict=True):
            if cell.differs:
                where.setdefault(cell.state, []).append(name)
        for state, names in where.items():
            everywhere = len(names) == len(matrix.listeners) > 1
            listeners = f"all {len(names)} listeners" if everywhere else ", ".join(names)
            yield f"{line.version} {line.iana}: {state} on {listeners}"


@dataclass(frozen=True)
class MatrixTable:
    """The matrix for terminals of 80 or more columns; wide ones show OpenSSL's names as well."""

    matrix: Matrix

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        both = options.max_width >= _BOTH_NAMES_WIDTH
        table = Table(
            title=printable(self.matrix.subject),
            title_justify="left",
            box=None,
            padding=(0, 1, 0, 0),
        )
        table.add_column("suite", overflow="fold")
        if both:
            table.add_column("OpenSSL", style="dim", overflow="fold")
        for name in self.matrix.listeners:
            table.add_column(printable(name), justify="center", overflow="fold")
        version = ""
        for line in lines(self.matrix):
            if line.version != version:
                version = line.version
                table.add_row(Text(printable(version), "bold"))
            cells = [Text(mark(cell), _STYLES.get(cell.state, "dim")) for cell in line.cells]
            table.add_row(
                Text(f" {printable(line.iana)}"),
                *([Text(printable(line.openssl))] if both else []),
                *cells,
            )
        yield table
        yield Text(
            printable(summary(self.matrix)), "bold red" if self.matrix.differences else "green"
        )
        yield Text(LEGEND, "dim")
        yield Rule(style="dim")
