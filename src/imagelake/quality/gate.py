"""The gate before gold: whether a draft keeps within the thresholds. The verdict is stored with the version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from imagelake.config.dataset_settings import GateSettings
from imagelake.quality.catalogue import FLAGGING
from imagelake.quality.measures import Measures
from imagelake.quality.thresholds import Threshold, thresholds

_NAMED_UPLOADS = 10
_OF_UPLOAD = "max_rejected_upload_share"


@dataclass(frozen=True)
class SuiteResult:
    """What a suite found: its name, how many expectations it has, and what shuts the gate (empty when nothing does)."""

    suite: str
    expectations: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """The measures of a draft and their thresholds, what suites made of them, and whether it was forced.

    `notices` are sentences on how it was judged, not on the draft.
    """

    measures: Measures
    thresholds: tuple[Threshold, ...]
    suites: tuple[SuiteResult, ...] = ()
    forced: bool = False
    notices: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the gate refuses the draft; empty when it does not. Of many uploads some are named."""
        breaches = [t for t in self.thresholds if not t.holds and t.severity == "reject"]
        of_uploads = [t for t in breaches if t.setting == _OF_UPLOAD]
        named = [t.breach for t in breaches if t.setting != _OF_UPLOAD]
        named += [t.breach for t in of_uploads[:_NAMED_UPLOADS]]
        more = len(of_uploads) - _NAMED_UPLOADS
        if more > 0:
            named.append(f"{more} more uploads above gate.{_OF_UPLOAD}")
        return tuple(dict.fromkeys((*named, *(problem for suite in self.suites for problem in suite.problems))))

    def remarks(self, severity: str) -> dict[str, int]:
        """The rules of that severity that the draft breaks, with what they count; 1 where it is a ratio."""
        broken = [t for t in self.thresholds if t.rule is not None and t.severity == severity and not t.holds]
        return {str(t.rule): int(t.value) if isinstance(t.value, int) else 1 for t in broken}

    @property
    def warned(self) -> tuple[str, ...]:
        """A sentence for each rule that warns."""
        return tuple(t.breach for t in self.thresholds if t.severity == "warn" and not t.holds)

    @property
    def numbers(self) -> dict[str, float]:
        """Everything a suite may ask about: the measures, the counts of rules (`rule:ID`), and each threshold's."""
        of_rules = {f"rule:{rule}": count for rule, count in self.measures.rules.items()}
        return {**self.measures.numbers(), **of_rules, **{t.measure: t.value for t in self.thresholds}}

    @property
    def word(self) -> str:
        """passed, refused, or forced."""
        return "passed" if self.passed else "forced" if self.forced else "refused"

    @property
    def passed(self) -> bool:
        """Whether the draft may be published without force."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Every number the verdict rests on as plain data; `rejected_upload_share` is that of the worst upload."""
        m = self.measures
        return {
            **m.numbers(),
            "uploads": [{**asdict(upload), "rejected_share": upload.share} for upload in m.uploads],
            "rules": dict(sorted(m.rules.items())),
            "class_names": {"new": list(m.new_classes), "vanished": list(m.vanished_classes)},
            "suites": [asdict(suite) | {"problems": list(suite.problems)} for suite in self.suites],
            "problems": list(self.problems),
            "remarks": {severity: self.remarks(severity) for severity in FLAGGING},
            "passed": self.passed,
            "forced": self.forced,
        }


def judge(measures: Measures, gate: GateSettings, others: Sequence[Threshold] = ()) -> Verdict:
    """The verdict on a draft: each measure against its threshold. others: `dataset_thresholds` of the draft."""
    return Verdict(measures, (*thresholds(measures, gate), *others))
