"""A run as JSON for programs.

``schema`` is 1. It is raised when a member changes its meaning or disappears; new members may
appear at any time.
"""

import json
from typing import Any

import msgspec

from testbed.results import Finding, Matrix, Run
from testbed.verdicts import decide_run, tally

SCHEMA = 1


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "claim": finding.claim,
        "subject": finding.subject,
        "verdict": finding.verdict.value,
        "evidence": list(finding.evidence),
        "control": _finding(finding.control) if finding.control else None,
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    return {
        "subject": matrix.subject,
        "listeners": list(matrix.listeners),
        "rows": [
            {
                "version": row.version,
                "suite": {
                    "iana": row.suite.iana,
                    "openssl": row.suite.openssl,
                    "code": row.suite.code,
                }
                if row.suite
                else None,
                "others": row.others,
                "cells": [
                    {
                        "state": cell.state,
                        "documented": cell.documented,
                        "accepted": cell.accepted,
                        "detail": cell.detail,
                    }
                    for cell in row.cells
                ],
            }
            for row in matrix.rows
        ],
    }


def as_dict(run: Run) -> dict[str, Any]:
    """Return the run with its verdicts; findings appear under their claim and their scenario."""
    verdicts = decide_run(run)
    return {
        "schema": SCHEMA,
        "started": run.started.isoformat(),
        "seconds": run.seconds,
        "environment": dict(run.environment),
        "summary": tally(verdicts),
        "claims": [
            {
                "id": verdict.claim.id,
                "statement": verdict.claim.statement,
                "verdict": verdict.status,
                "reason": verdict.reason,
                "findings": [_finding(finding) for finding in verdict.findings],
            }
            for verdict in verdicts
        ],
        "scenarios": [
            {
                "name": scenario.name,
                "title": scenario.title,
                "seconds": scenario.seconds,
                "error": scenario.error,
                "findings": [_finding(finding) for finding in scenario.findings],
                "notes": list(scenario.notes),
                "matrices": [_matrix(matrix) for matrix in scenario.matrices],
                "timelines": msgspec.to_builtins(scenario.timelines),
                "dependencies": msgspec.to_builtins(scenario.dependencies),
            }
            for scenario in run.scenarios
        ],
    }


def render(run: Run) -> str:
    """Return the run as JSON text in ASCII."""
    return json.dumps(as_dict(run), indent=2) + "\n"
