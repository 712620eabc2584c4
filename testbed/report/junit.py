"""A run as JUnit XML for build servers: a suite of claims and a suite of scenarios.

A claim that fails is a failure; one that cannot be reproduced here or was not checked is skipped;
a scenario that did not finish is an error.
"""

import xml.etree.ElementTree as ET

from testbed.report.text import control, printable
from testbed.results import Finding, Run, ScenarioResult, Verdict
from testbed.verdicts import ClaimVerdict, decide_run


def _lines(finding: Finding) -> list[str]:
    lines = [f"{finding.verdict.value}: {finding.subject}", *_evidence(finding)]
    if finding.control:
        lines.append(f"control {control(finding.control.verdict)}: {finding.control.subject}")
        lines += _evidence(finding.control)
    return lines


def _evidence(finding: Finding) -> list[str]:
    return [f"  {sentence}" for sentence in finding.evidence]


def _case(suite: ET.Element, name: str, seconds: float = 0.0) -> ET.Element:
    attributes = {
        "classname": f"testbed.{suite.get('name')}",
        "name": printable(name),
        "time": f"{seconds:.3f}",
    }
    return ET.SubElement(suite, "testcase", attributes)


def _claim(suite: ET.Element, verdict: ClaimVerdict) -> None:
    case = _case(suite, f"{verdict.claim.id} {verdict.claim.statement}".rstrip())
    if verdict.verdict is not Verdict.HOLDS:
        kind = "failure" if verdict.verdict is Verdict.FAILS else "skipped"
        ET.SubElement(case, kind, {"message": printable(verdict.reason or verdict.status)})
    if verdict.findings:
        out = ET.SubElement(case, "system-out")
        out.text = printable(
            "\n".join(line for finding in verdict.findings for line in _lines(finding))
        )


def _scenario(suite: ET.Element, scenario: ScenarioResult) -> None:
    case = _case(suite, f"{scenario.name}: {scenario.title}", scenario.seconds)
    if scenario.error:
        ET.SubElement(case, "error", {"message": printable(scenario.error)})
    if scenario.notes:
        ET.SubElement(case, "system-out").text = printable("\n".join(scenario.notes))


def render(run: Run) -> str:
    """Return the XML document."""
    root = ET.Element("testsuites", {"name": "testbed", "time": f"{run.seconds:.3f}"})
    claims = ET.SubElement(
        root, "testsuite", {"name": "claims", "timestamp": run.started.isoformat()}
    )
    properties = ET.SubElement(claims, "properties")
    for name, value in run.environment.items():
        ET.SubElement(properties, "property", {"name": printable(name), "value": printable(value)})
    for verdict in decide_run(run):
        _claim(claims, verdict)
    scenarios = ET.SubElement(
        root, "testsuite", {"name": "scenarios", "timestamp": run.started.isoformat()}
    )
    for scenario in run.scenarios:
        _scenario(scenarios, scenario)
    for suite in (claims, scenarios):
        suite.set("tests", str(len(suite.findall("testcase"))))
        for kind, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
