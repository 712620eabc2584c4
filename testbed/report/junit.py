"""A run as JUnit XML, the form build servers read: a suite of claims, and one of scenarios.

A claim that fails is a failure; one that cannot be reproduced here or was not checked is skipped;
a scenario that broke off is an error.
"""

from xml.etree import ElementTree

from testbed.report.claims import Row, settle_run
from testbed.report.text import printable
from testbed.results import Finding, Run, ScenarioResult, Verdict


def _lines(finding: Finding, label: str = "") -> list[str]:
    lines = [
        f"{label}{finding.verdict.value}: {finding.subject}",
        *(f"  {sentence}" for sentence in finding.evidence),
    ]
    return lines + (_lines(finding.control, "control ") if finding.control else [])


def _case(suite: ElementTree.Element, name: str, seconds: float = 0.0) -> ElementTree.Element:
    attributes = {
        "classname": f"testbed.{suite.get('name')}",
        "name": printable(name),
        "time": f"{seconds:.3f}",
    }
    return ElementTree.SubElement(suite, "testcase", attributes)


def _claim(suite: ElementTree.Element, row: Row) -> None:
    case = _case(suite, f"{row.claim.id} {row.claim.statement}".rstrip())
    if row.verdict is not Verdict.HOLDS:
        kind = "failure" if row.verdict is Verdict.FAILS else "skipped"
        ElementTree.SubElement(case, kind, {"message": printable(row.reason or row.status)})
    if row.findings:
        out = ElementTree.SubElement(case, "system-out")
        out.text = printable(
            "\n".join(line for finding in row.findings for line in _lines(finding))
        )


def _scenario(suite: ElementTree.Element, scenario: ScenarioResult) -> None:
    case = _case(suite, f"{scenario.name}: {scenario.title}", scenario.seconds)
    if scenario.error:
        ElementTree.SubElement(case, "error", {"message": printable(scenario.error)})
    if scenario.notes:
        ElementTree.SubElement(case, "system-out").text = printable("\n".join(scenario.notes))


def render(run: Run) -> str:
    """The whole document."""
    root = ElementTree.Element("testsuites", {"name": "testbed", "time": f"{run.seconds:.3f}"})
    claims = ElementTree.SubElement(
        root, "testsuite", {"name": "claims", "timestamp": run.started.isoformat()}
    )
    properties = ElementTree.SubElement(claims, "properties")
    for name, value in run.environment.items():
        ElementTree.SubElement(
            properties, "property", {"name": printable(name), "value": printable(value)}
        )
    for row in settle_run(run):
        _claim(claims, row)
    scenarios = ElementTree.SubElement(
        root, "testsuite", {"name": "scenarios", "timestamp": run.started.isoformat()}
    )
    for scenario in run.scenarios:
        _scenario(scenarios, scenario)
    for suite in (claims, scenarios):
        suite.set("tests", str(len(suite.findall("testcase"))))
        for kind, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )
