"""The gate before gold: thresholds a draft must meet. A verdict is stored with the version it let through."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imagelake.dataset_settings import GateSettings


@dataclass(frozen=True)
class Verdict:
    """What was measured, and why the gate refuses (empty when it does not)."""

    images: int
    annotations: int
    rejected: int
    rejected_share: float
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the draft may be published."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {**asdict(self), "problems": list(self.problems), "passed": self.passed}


def judge(images: int, annotations: int, rejected: int, gate: GateSettings) -> Verdict:
    """The verdict on a draft with that many accepted images and annotations and open rejections."""
    total = images + annotations + rejected
    share = rejected / total if total else 0.0
    problems = []
    if images < gate.min_images:
        problems.append(f"{images} images accepted, gate.min_images asks for {gate.min_images}")
    if share > gate.max_rejected_share:
        problems.append(
            f"{rejected} of {total} rows rejected ({share:.1%}), gate.max_rejected_share allows "
            f"{gate.max_rejected_share:.1%}"
        )
    return Verdict(images, annotations, rejected, share, tuple(problems))
