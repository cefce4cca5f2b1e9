"""The first thing a page says: whether the version is good, in one sentence, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from imagelake.client.inspect.upload_states import furthest
from imagelake.report.checks.refused_images import open_rejections
from imagelake.report.scope import ReportScope

Tone = Literal["good", "bad", "open"]

_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class VerdictBox:
    """A sentence, its tone, what the gate objected to, the reason that was given for force, (label, number) pairs."""

    sentence: str
    tone: Tone
    problems: tuple[str, ...]
    numbers: tuple[tuple[str, int], ...]
    note: str | None = None


def verdict(scope: ReportScope) -> VerdictBox:
    """The gate's verdict as the version row has it; for a draft its last judgement, or that it has not been judged."""
    counted = scope.one(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE len(labelled) > 0) AS labelled FROM {scope.images}"
    )
    annotations = scope.one(f"SELECT count(*) AS n FROM {scope.annotations}")["n"]
    refused = open_rejections(scope).total
    numbers = (
        ("images", counted["n"]),
        ("labelled images", counted["labelled"]),
        ("annotations", annotations),
        ("classes", sum(index is not None for index in scope.categories.values())),
        ("splits", len(scope.splits)),
        ("refused rows", refused),
    )
    opening, tone = _of_draft(scope) if scope.judged is None else _of_version(scope)
    content = f"{_many(counted['n'], 'image')} with {_many(annotations, 'annotation')}"
    rows = f"{_many(refused, 'row')} refused" if refused else "nothing refused"
    note = scope.row.get("note") if scope.quality.get("forced") else None
    return VerdictBox(f"{opening}: {content}, {rows}.", tone, _problems(scope), numbers, note)


def _of_version(scope: ReportScope) -> tuple[str, Tone]:
    name, quality = scope.target.name, scope.quality
    if scope.judged != scope.target.version and quality and scope.judged:
        name = f"{name}, another split of {scope.judged.name},"
    if "passed" not in quality:
        return f"{name} was published without a recorded verdict", "open"
    if quality["passed"]:
        return f"{name} passed the quality gate", "good"
    how = "by force against" if quality.get("forced") else "against"
    return f"{name} was published {how} the quality gate", "bad"


def _of_draft(scope: ReportScope) -> tuple[str, Tone]:
    name = scope.target.name
    if not scope.judgement:
        return f"{name} is not published and not judged yet", "open"
    word, at = scope.judgement[0]["verdict"], scope.judgement[0]["at"]
    has_changed = _was_built_after(scope, at)
    when = f"on {at:%Y-%m-%d at %H:%M} UTC{', and has changed since' if has_changed else ''}"
    if word == "refused":
        return f"{name} was refused by the quality gate {when}", "bad"
    return f"{name} is not published; it passed the quality gate {when}", "open" if has_changed else "good"


def _was_built_after(scope: ReportScope, at: datetime) -> bool:
    """Whether an upload changed the draft after that time."""
    built = f"{furthest(scope.tables, ('state', 'at'), scope.target.dataset)} WHERE state = 'built'"
    last = scope.one(f'SELECT max("at") AS at FROM {built}')["at"]
    return last is not None and last > at


def _problems(scope: ReportScope) -> tuple[str, ...]:
    """What the gate objects to, in words."""
    if scope.judged is None:
        broken = (r for r in scope.judgement if not r["holds"] and r["severity"] == "reject")
        return tuple(r["message"] for r in broken if r["message"])[:_MOST_PROBLEMS]
    return tuple(str(p) for p in scope.quality.get("problems") or ())


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
