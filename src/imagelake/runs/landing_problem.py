"""`<name>.problem.json`: what a rejected upload broke, beside it under landing/.rejected/<D>/."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from imagelake.runs.context import RunReport

SUFFIX = ".problem.json"
FORMAT = 1
"""The number of the document's form. Fields may be added under it; one that changes or goes gets the next number."""


def problem_document(report: RunReport, at: datetime) -> bytes:
    """The document about a rejected upload, UTF-8: where it was and is, the run, and each broken rule with its hint.

    `at` is when it was refused; it is written in UTC, to the second.
    """
    document = {
        "format": FORMAT,
        "dataset": report.dataset,
        "source": report.source,
        "moved_to": report.moved_to,
        "run_id": report.run_id,
        "at": at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "problems": [{"rule": report.rule, "message": report.problem, "hint": report.hint}],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
