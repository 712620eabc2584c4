"""A run on the terminal, from 80 columns up. Verdicts are words; colour only repeats them."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from testbed.report import matrix
from testbed.report.claims import NOT_CHECKED, Row, settle_run, tally
from testbed.report.text import printable
from testbed.results import Finding, Run, ScenarioResult, Verdict

_STYLES = {
    Verdict.HOLDS.value: "bold green",
    Verdict.FAILS.value: "bold red",
    Verdict.NOT_REPRODUCIBLE.value: "yellow",
    NOT_CHECKED: "dim",
}


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def _finding(finding: Finding, label: str = "") -> list[Text]:
    lines = [
        Text.assemble(
            label,
            (finding.verdict.value, _STYLES[finding.verdict.value]),
            ": ",
            printable(finding.subject),
        )
    ]
    lines += [_text(f"  {sentence}", "dim") for sentence in finding.evidence]
    if finding.control:
        lines += _finding(finding.control, "Control ")
    return lines


def _brief(finding: Finding) -> Group:
    """What was looked at and how the control ended, and under it the first thing that was seen, cut to one line."""
    seen = _text(f"  {finding.evidence[0] if finding.evidence else 'no evidence'}", "dim")
    seen.no_wrap, seen.overflow = True, "ellipsis"
    controlled = f"control {finding.control.verdict.value}" if finding.control else "no control"
    return Group(
        Text.assemble(
            (finding.verdict.value, _STYLES[finding.verdict.value]),
            f" {printable(finding.subject)} ({controlled})",
        ),
        seen,
    )


def _claims(rows: tuple[Row, ...], evidence: bool) -> Table:
    table = Table(title="Claims", title_justify="left", expand=True)
    table.add_column("id", no_wrap=True, width=3)
    table.add_column("verdict", width=16)
    table.add_column("statement and evidence", ratio=1, overflow="fold")
    for row, following in zip(rows, (*rows[1:], None), strict=True):
        said: list[RenderableType] = [_text(row.claim.statement)] if row.claim.statement else []
        if row.reason:
            said.append(_text(row.reason, _STYLES[row.status]))
        for finding in row.findings:
            said += _finding(finding) if evidence else [_brief(finding)]
        apart = bool(row.findings or (following and following.findings))
        table.add_row(
            _text(row.claim.id),
            Text(row.status, _STYLES[row.status]),
            Group(*said),
            end_section=apart,
        )
    return table


def _scenario(scenario: ScenarioResult) -> Group:
    ended = ("broke off", "bold red") if scenario.error else ("finished", "green")
    said: list[RenderableType] = [
        Text.assemble(
            ended,
            f" after {scenario.seconds:.1f} s  ",
            (printable(scenario.name), "bold"),
            "  ",
            printable(scenario.title),
        )
    ]
    if scenario.error:
        said.append(Padding(_text(scenario.error, "red"), (0, 0, 0, 2)))
    said += [Padding(_text(note, "dim"), (0, 0, 0, 2)) for note in scenario.notes]
    said += [matrix.MatrixTable(each) for each in scenario.matrices]
    return Group(*said)


def renderable(run: Run, *, evidence: bool = True) -> Group:
    """The whole report; without ``evidence`` the first sentence of each finding's."""
    rows = settle_run(run)
    counted = Text("  ").join(
        Text(f"{count} {status}", _STYLES[status]) for status, count in tally(rows).items()
    )
    environment = ", ".join(f"{name} {value}" for name, value in run.environment.items())
    heading = _text(
        f"Started {run.started.isoformat(timespec='seconds')}, took {run.seconds:.1f} s. {environment}"
    )
    return Group(
        heading,
        Text(),
        _claims(rows, evidence),
        Text("Scenarios", "italic"),
        *map(_scenario, run.scenarios),
        Text(),
        counted,
    )


def show(run: Run, console: Console | None = None, *, evidence: bool = True) -> None:
    """Print the report on ``console``, or on standard output."""
    (console or Console()).print(renderable(run, evidence=evidence))
