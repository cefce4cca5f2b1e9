"""What a night did: each upload, what was left under landing/, and one line that sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from imagelake.cli.plain import safe
from imagelake.cli.render import reports
from imagelake.cli.shell import Shell, emit
from imagelake.errors import GateFailed

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.runs.context import RunReport
    from imagelake.runs.landing_folder import NotTaken

_OUTCOMES = ("published", "built", "not published", "rejected", "failed", "skipped")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def finish_landing(shell: Shell, batch: Sequence[RunReport], left: Sequence[NotTaken], folder: str) -> int:
    """Report a night and return its exit code: the worst of its uploads."""
    versioned = reports.with_versions(shell, batch)
    counts = count_outcomes(versioned)
    document = {
        "uploads": [report.as_json() for report in versioned],
        "not_taken": [entry.as_json() for entry in left],
        "summary": {"uploads": len(versioned), **{name.replace(" ", "_"): counts[name] for name in _OUTCOMES}},
    }

    def show(to: Console) -> None:
        for report in versioned:
            reports.show(to, shell, report)
        if left and not shell.flags.quiet:
            to.print("not taken:")
            for entry in left:
                to.print(f"  {safe(entry.problem)}; {duration(entry.age_seconds)} old", soft_wrap=True)
        to.print(summary(counts) if versioned else f"nothing waits under {folder}")

    emit(shell, document, show)
    return reports.worst([reports.exit_code(report) for report in batch])


def count_outcomes(uploads: Sequence[RunReport]) -> Mapping[str, int]:
    """How many ended how. All uploads that a dataset's run has built are in the version it has published."""
    published = {report.dataset for report in uploads if report.published}
    return Counter(_outcome(report, published) for report in uploads)


def _outcome(report: RunReport, published: set[str]) -> str:
    if report.status in ("rejected", "failed"):
        return report.status
    if report.exit_code == GateFailed.exit_code:
        return "not published"
    if report.published:
        return "published"
    if report.status in ("unchanged", "superseded"):
        return "skipped"
    return "published" if report.dataset in published else "built"


def summary(counts: Mapping[str, int]) -> str:
    """`8 uploads: 3 published, 4 rejected, 1 skipped`."""
    total = sum(counts.values())
    parts = ", ".join(f"{counts[name]:,} {name}" for name in _OUTCOMES if counts[name])
    return f"{total:,} upload{'' if total == 1 else 's'}: {parts}"


def duration(seconds: int) -> str:
    """A time in the largest unit that it fills: `3 hours`."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    count = seconds // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
