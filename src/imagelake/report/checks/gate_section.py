"""What the quality gate measured: every threshold and suite with its result, and where Data Docs are."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagelake.client.sql_text import Row
from imagelake.quality.expectations.project import docs_path
from imagelake.report.scope import ReportScope

MOST_MEASURES = 40


@dataclass(frozen=True)
class Measure:
    """A measure of the draft and what its setting allows; `of` says which upload or rule it is about, if one.

    `severity` is what happens where it does not hold: reject shuts the gate.
    """

    name: str
    of: str | None
    value: float
    least: float | None
    most: float | None
    setting: str
    holds: bool
    severity: str
    message: str | None

    @property
    def refuses(self) -> bool:
        """Whether it shuts the gate."""
        return not self.holds and self.severity == "reject"

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return self._text(self.value)

    @property
    def allowed(self) -> str:
        """What the setting allows, in words."""
        words = [("at least", self.least), ("at most", self.most)]
        return " and ".join(f"{word} {self._text(limit)}" for word, limit in words if limit is not None)

    def _text(self, value: float) -> str:
        if math.isnan(value):
            return "not a number"
        if "share" in self.name:
            return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,g}"


@dataclass(frozen=True)
class SuiteSummary:
    """A suite of expectations: how many of them do not hold, and which."""

    name: str
    failing: int
    message: str | None


@dataclass(frozen=True)
class DataDocs:
    """The pages of the suites: their path in the lake, and the link to them from a page under reports/<D>/."""

    path: str
    link: str


@dataclass(frozen=True)
class Gate:
    """A judgement: passed, refused or forced, of what and when, in numbers.

    Breaches come first; `more` measures that hold are left out. `note` is the reason that was given for force.
    """

    word: str
    subject: str
    at: datetime
    measures: tuple[Measure, ...]
    more: int
    suites: tuple[SuiteSummary, ...]
    note: str | None
    docs: DataDocs | None

    def as_json(self) -> dict[str, Any]:
        """As plain data, a value that is not a number as null."""
        return {
            "verdict": self.word,
            "of": self.subject,
            "at": f"{self.at.isoformat()}Z",
            "note": self.note,
            "measures": [vars(m) | {"value": None if math.isnan(m.value) else m.value} for m in self.measures],
            "more_measures": self.more,
            "suites": [vars(s) for s in self.suites],
            "data_docs": self.docs.path if self.docs else None,
        }


def gate(scope: ReportScope) -> Gate | None:
    """The section; None where no gate has judged the version, or refused the draft."""
    rows = scope.judgement
    if not rows:
        return None
    sources = _sources(scope)
    measures = [_measure(row, sources) for row in rows if row["setting"] is not None]
    ordered = sorted(measures, key=lambda m: (not m.refuses, m.holds))
    word, subject = str(rows[0]["verdict"]), scope.judged.name if scope.judged else scope.target.name
    return Gate(
        word,
        subject,
        rows[0]["at"],
        tuple(ordered[:MOST_MEASURES]),
        max(0, len(ordered) - MOST_MEASURES),
        tuple(SuiteSummary(r["measure"], int(r["value"]), r["message"]) for r in rows if r["setting"] is None),
        scope.row.get("note") if word == "forced" else None,
        data_docs(scope),
    )


def data_docs(scope: ReportScope) -> DataDocs | None:
    """Where the dataset's Data Docs are; None when there are none."""
    path = docs_path(scope.target.dataset)
    if scope.storage.stat(path) is None:
        return None
    return DataDocs(path, posixpath.relpath(path, f"reports/{scope.target.dataset}"))


def _measure(row: Row, sources: Mapping[str, str]) -> Measure:
    name, _, of = str(row["measure"]).partition(":")
    subject = f"{of[:8]} {sources[of]}" if of in sources else of[:8] if name == "rejected_upload_share" else of
    value = math.nan if row["value"] is None else float(row["value"])
    limits = (row["least"], row["most"], row["setting"], bool(row["holds"]))
    return Measure(name, subject or None, value, *limits, row["severity"], row["message"])


def _sources(scope: ReportScope) -> dict[str, str]:
    """Upload id to its source, as the verdict has them."""
    return {str(u["upload_id"]): str(u["source"]) for u in scope.quality.get("uploads") or ()}
