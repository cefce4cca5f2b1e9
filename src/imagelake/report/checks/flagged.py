"""Rows that were accepted with a flag: of each rule a few pictures, with the annotations that carry the flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagelake.client.sql_text import Row, texts
from imagelake.report.checks.rule_titles import meaning
from imagelake.report.pictures.album import Album
from imagelake.report.pictures.scene import Scene, orientation_of, scene, shapes
from imagelake.report.scope import ReportScope
from imagelake.report.sketch import Material, Sketch

MOST_RULES, MOST_EXAMPLES = 24, 48
_EACH = (2, 4)
_SIDE = 320
_MOST_OTHERS = 60


@dataclass(frozen=True)
class FlaggedImage:
    """An image that is flagged or has annotations that are; `remark` says what the flag is on."""

    key: str
    remark: str
    scene: Scene


@dataclass(frozen=True)
class FlaggedRule:
    """A rule whose flag is on rows of the version: on how many images and annotations, and examples."""

    rule: str
    doc: str
    images: int
    annotations: int
    examples: tuple[FlaggedImage, ...]


@dataclass(frozen=True)
class Flagged:
    """The rules with most flags, and how many more there are."""

    rules: tuple[FlaggedRule, ...]
    more_rules: int


def flagged(scope: ReportScope) -> Sketch[Flagged] | None:
    """The section; None when no row has a flag."""
    rules = sorted(scope.flags, key=lambda rule: (-sum(scope.flags[rule]), rule))
    shown = rules[:MOST_RULES]
    if not shown:
        return None
    keys = _keys(scope, shown)
    return Sketch(
        lambda material: Flagged(
            tuple(_rule(rule, scope.flags[rule], keys.get(rule, ()), material) for rule in shown),
            len(rules) - len(shown),
        ),
        {key for some in keys.values() for key in some},
    )


def _rule(rule: str, rows: tuple[int, int], keys: Sequence[str], material: Material) -> FlaggedRule:
    samples = material.samples
    examples = (_example(rule, samples.images[k], samples.annotations.get(k, ()), material.album) for k in keys)
    return FlaggedRule(rule, meaning(rule), *rows, tuple(examples))


def _keys(scope: ReportScope, rules: Sequence[str]) -> dict[str, list[str]]:
    """Rule to a few image keys, the first by a hash of the key."""
    least, most = _EACH
    each = max(least, min(most, MOST_EXAMPLES // len(rules)))
    rows = scope.tables.query(
        f"SELECT rule, arg_min(image_key, draw, {each}) AS keys FROM (SELECT DISTINCT rule, image_key, draw FROM ("
        f"SELECT unnest(flags) AS rule, id FROM {scope.images} WHERE len(flags) > 0 UNION ALL "
        f"SELECT unnest(flags) AS rule, image AS id FROM {scope.annotations} WHERE len(flags) > 0) "
        f"JOIN {scope.images} AS i USING (id) WHERE rule IN ({texts(rules)})) GROUP BY rule"
    )
    return {row["rule"]: row["keys"] for row in rows}


def _example(rule: str, image: Row, rows: Sequence[Row], album: Album) -> FlaggedImage:
    orientation = orientation_of(image)
    marked = [r for r in rows if rule in (r["flags"] or ())]
    others = [r for r in rows if rule not in (r["flags"] or ())]
    drawn = shapes(others[:_MOST_OTHERS], orientation, "other") + shapes(marked, orientation, "flagged")
    total = rows[0]["total"] if rows else 0
    name = album.want(image["content_hash"], image["orientation"], _SIDE)
    seen = scene(name, f"{image['image_key'][:200]}: {rule[:100]}", orientation.size, drawn, total)
    return FlaggedImage(image["image_key"], _remark(rule, image, len(marked), total), seen)


def _remark(rule: str, image: Row, marked: int, total: int) -> str:
    """What the flag is on: the image, or so many of its annotations."""
    if rule in (image["flags"] or ()):
        return f"the image, {image['width']} by {image['height']} pixels"
    return f"{marked:,} of its {total:,} annotations" if total != 1 else "its annotation"
