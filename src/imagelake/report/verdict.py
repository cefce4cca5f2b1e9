"""The first thing a page says: whether the version is good, in one sentence, and the numbers behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imagelake.report.refused import open_rejections
from imagelake.report.scope import Scope

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Verdict:
    """A sentence, its tone, what the gate objected to, and (label, number) pairs."""

    sentence: str
    tone: Tone
    problems: tuple[str, ...]
    numbers: tuple[tuple[str, int], ...]


def verdict(scope: Scope) -> Verdict:
    """The gate's verdict as the version row has it; of a draft, that it was not judged yet."""
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
    quality = _quality(scope)
    tone = _tone(quality)
    content = f"{_many(counted['n'], 'image')} with {_many(annotations, 'annotation')}"
    rows = f"{_many(refused, 'row')} refused" if refused else "nothing refused"
    return Verdict(f"{_opening(scope, tone)}: {content}, {rows}.", tone, _problems(quality), numbers)


def _opening(scope: Scope, tone: Tone) -> str:
    name = scope.target.name
    if scope.target.version is None:
        return f"{name} is not published and not judged yet"
    return {
        "good": f"{name} passed the quality gate",
        "bad": f"{name} was published against the quality gate",
        "open": f"{name} was published without a recorded verdict",
    }[tone]


def _quality(scope: Scope) -> Mapping[str, Any]:
    document = scope.row.get("quality")
    return dict(json.loads(document)) if document else {}


def _tone(quality: Mapping[str, Any]) -> Tone:
    if "passed" not in quality:
        return "open"
    return "good" if quality["passed"] else "bad"


def _problems(quality: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(p) for p in quality.get("problems") or ())


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
