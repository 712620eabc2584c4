"""A run as JSON for programs.

``schema`` is 1; it grows when a member changes its meaning or disappears. New members may appear
at any time.
"""

import json
from typing import Any

from testbed.report.claims import settle_run, tally
from testbed.results import Finding, Matrix, Run

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
    """The run with its verdicts; a claim's ``findings`` stand with their scenario as well."""
    rows = settle_run(run)
    return {
        "schema": SCHEMA,
        "started": run.started.isoformat(),
        "seconds": run.seconds,
        "environment": dict(run.environment),
        "summary": tally(rows),
        "claims": [
            {
                "id": row.claim.id,
                "statement": row.claim.statement,
                "verdict": row.status,
                "reason": row.reason,
                "findings": [_finding(finding) for finding in row.findings],
            }
            for row in rows
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
            }
            for scenario in run.scenarios
        ],
    }


def render(run: Run) -> str:
    """The same as text, in ASCII: JSON escapes whatever else there is."""
    return json.dumps(as_dict(run), indent=2) + "\n"
