"""A run on a terminal of 80 or more columns. Verdicts are words; colour only repeats them."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from testbed.report import matrix
from testbed.report.text import control, printable
from testbed.results import Finding, Run, ScenarioResult, Verdict
from testbed.verdicts import NOT_CHECKED, ClaimVerdict, by_theme, decide_run, tally

_STYLES = {
    Verdict.HOLDS.value: "bold green",
    Verdict.FAILS.value: "bold red",
    Verdict.NOT_REPRODUCIBLE.value: "yellow",
    NOT_CHECKED: "dim",
}


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def _finding(finding: Finding) -> list[Text]:
    verdict = (finding.verdict.value, _STYLES[finding.verdict.value])
    lines = [Text.assemble(verdict, ": ", printable(finding.subject)), *_evidence(finding)]
    if finding.control:
        about = ": ", printable(finding.control.subject)
        lines.append(Text.assemble("Control ", _outcome(finding.control), *about))
        lines += _evidence(finding.control)
    return lines


def _evidence(finding: Finding) -> list[Text]:
    return [_text(f"  {sentence}", "dim") for sentence in finding.evidence]


def _outcome(finding: Finding) -> tuple[str, str]:
    """Return what became of a control, in words and their style."""
    failed = finding.verdict is Verdict.FAILS
    return control(finding.verdict), "green" if failed else "bold red"


def _brief(finding: Finding) -> Group:
    """Render the subject and the control's outcome, then the first evidence cut to one line."""
    evidence = _text(f"  {finding.evidence[0] if finding.evidence else 'no evidence'}", "dim")
    evidence.no_wrap, evidence.overflow = True, "ellipsis"
    outcome = ("the control ", _outcome(finding.control)) if finding.control else ("no control",)
    return Group(
        Text.assemble(
            (finding.verdict.value, _STYLES[finding.verdict.value]),
            f" {printable(finding.subject)} (",
            *outcome,
            ")",
        ),
        evidence,
    )


def _claims(theme: str, verdicts: tuple[ClaimVerdict, ...], *, evidence: bool) -> Table:
    table = Table(title=theme, title_justify="left", expand=True)
    table.add_column("id", no_wrap=True, width=3)
    table.add_column("verdict", width=16)
    table.add_column("statement and evidence", ratio=1, overflow="fold")
    for verdict, following in zip(verdicts, (*verdicts[1:], None), strict=True):
        parts: list[RenderableType] = []
        if verdict.claim.statement:
            parts.append(_text(verdict.claim.statement))
        if verdict.reason:
            parts.append(_text(verdict.reason, _STYLES[verdict.status]))
        for finding in verdict.findings:
            parts += _finding(finding) if evidence else [_brief(finding)]
        divided = bool(verdict.findings or (following and following.findings))
        table.add_row(
            _text(verdict.claim.id),
            Text(verdict.status, _STYLES[verdict.status]),
            Group(*parts),
            end_section=divided,
        )
    return table


def _scenario(scenario: ScenarioResult) -> Group:
    ended = ("did not finish", "bold red") if scenario.error else ("finished", "green")
    parts: list[RenderableType] = [
        Text.assemble(
            ended,
            f" ({scenario.seconds:.1f} s)  ",
            (printable(scenario.name), "bold"),
            "  ",
            printable(scenario.title),
        )
    ]
    if scenario.error:
        parts.append(Padding(_text(scenario.error, "red"), (0, 0, 0, 2)))
    parts += [Padding(_text(note, "dim"), (0, 0, 0, 2)) for note in scenario.notes]
    parts += [matrix.MatrixTable(item) for item in scenario.matrices]
    return Group(*parts)


def renderable(run: Run, *, evidence: bool = True) -> Group:
    """Return the report; without ``evidence``, only the first evidence of each finding."""
    verdicts = decide_run(run)
    counts = Text("  ").join(
        Text(f"{count} {status}", _STYLES[status]) for status, count in tally(verdicts).items()
    )
    groups = by_theme([verdict for verdict in verdicts if verdict.findings])
    if rest := tuple(verdict for verdict in verdicts if not verdict.findings):
        groups["Not checked in this run"] = rest
    environment = ", ".join(f"{name} {value}" for name, value in run.environment.items())
    started = run.started.isoformat(timespec="seconds")
    heading = _text(f"Started {started}, took {run.seconds:.1f} s. {environment}")
    return Group(
        heading,
        Text(),
        *(_claims(*group, evidence=evidence) for group in groups.items()),
        Text("Scenarios", "italic"),
        *map(_scenario, run.scenarios),
        Text(),
        counts,
    )


def show_verdict(verdict: ClaimVerdict, console: Console) -> None:
    """Print a line about one claim, as soon as it is decided."""
    style = _STYLES[verdict.status]
    about = f"{verdict.reason}: " * bool(verdict.reason) + verdict.claim.statement
    line = Text.assemble(
        f"{verdict.claim.id:<4}", (f"{verdict.status:<17} ", style), printable(about)
    )
    console.print(line, no_wrap=True, overflow="ellipsis")


def show(run: Run, console: Console | None = None, *, evidence: bool = True) -> None:
    """Print the report on ``console``, or on standard output."""
    (console or Console()).print(renderable(run, evidence=evidence))
