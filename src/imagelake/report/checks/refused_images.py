"""What was rejected and why: by rule, with examples drawn on their picture where there is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from imagelake.client.inspect.upload_states import ProblemUpload, problem_uploads
from imagelake.client.sql_text import Row, select, text
from imagelake.geometry.boxes import Box
from imagelake.report.checks.refused_box import refused_box
from imagelake.report.checks.rule_titles import meaning
from imagelake.report.pictures.album import Album
from imagelake.report.pictures.scene import Scene, is_near, refused_shapes, scene, shapes, turn_of, view_with
from imagelake.report.scope import Scope
from imagelake.report.sketch import Material, Sketch
from imagelake.tables import silver

MOST_RULES, MOST_EXAMPLES = 24, 60
_EACH = (2, 6)
_SIDE = 420
_PROBLEMS = 20
_COLUMNS = ("rejection_id", "entity", "image_key", "path", "locator", "rule", "severity", "message", "raw")


@dataclass(frozen=True)
class Example:
    """A refused row: where it was, the reason, what was delivered, and its picture with the refused box.

    `scene` is None where there is no picture; `remark` says why nothing is drawn.
    """

    path: str | None
    locator: str | None
    message: str
    raw: str | None
    scene: Scene | None = None
    remark: str | None = None


@dataclass(frozen=True)
class BrokenRule:
    """A rule that refused rows: its meaning, how many rows of how many files, and examples."""

    rule: str
    doc: str
    rows: int
    files: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Refused:
    """All rules that refused rows, those with most rows first; `problems` are uploads that brought nothing."""

    rules: tuple[BrokenRule, ...]
    more_rules: int
    problems: tuple[ProblemUpload, ...]


@dataclass(frozen=True)
class OpenRejections:
    """A table of the rejections that count for a scope, and how many there are."""

    table: str
    total: int


def open_rejections(scope: Scope) -> OpenRejections:
    """Those open now for a draft; for a version those that its uploads brought and that were open when it was made."""
    tables, target = scope.tables, scope.target
    columns = (*_COLUMNS, "delivery", "opened_at", "closed_at")
    source = tables.relation(silver.REJECTIONS, columns, target.dataset)
    table = tables.once("_report_rejections", f"SELECT {select(_COLUMNS)} FROM {source} WHERE {_counts(scope.row)}")
    return OpenRejections(table, scope.one(f"SELECT count(*) AS n FROM {table}")["n"])


def _counts(version: Row) -> str:
    """The condition under which a rejection counts for a version row; for a draft's empty one: it is open."""
    if not version:
        return "closed_at IS NULL"
    made = f"TIMESTAMP {text(str(version['at'].replace(tzinfo=None)))}"
    last = version["last_sequence"]
    brought = f"opened_at <= {made}" if last is None else f"coalesce(delivery, 0) <= {int(last)}"
    return f"{brought} AND (closed_at IS NULL OR closed_at > {made})"


def refused(scope: Scope) -> Sketch[Refused] | None:
    """The section; None when nothing was refused and no upload failed."""
    rejections = open_rejections(scope)
    problems = problem_uploads(scope.tables, scope.target.dataset) if scope.target.version is None else ()
    if not rejections.total and not problems:
        return None
    rules = scope.tables.query(
        f"SELECT rule, count(*) AS rows, count(DISTINCT path) AS files FROM {rejections.table} "
        "GROUP BY rule ORDER BY rows DESC, rule"
    )
    rows = _rows(scope, rejections.table, min(len(rules), MOST_RULES))
    keys = [row["image_key"] for row in rows if row["image_key"] is not None]
    return Sketch(partial(_drawn, rules, rows, problems), keys)


def _drawn(rules: Sequence[Row], rows: Sequence[Row], problems: Sequence[ProblemUpload], material: Material) -> Refused:
    examples: dict[str, list[Example]] = {}
    for row in rows:
        examples.setdefault(row["rule"], []).append(_example(row, material))
    shown = rules[:MOST_RULES]
    broken = tuple(
        BrokenRule(r["rule"], meaning(r["rule"]), r["rows"], r["files"], tuple(examples.get(r["rule"], ())))
        for r in shown
    )
    return Refused(broken, len(rules) - len(shown), tuple(problems[-_PROBLEMS:]))


def _rows(scope: Scope, table: str, rules: int) -> list[Row]:
    """Of each rule a few rows, those with an image of the version first, then by a hash of their id."""
    least, most = _EACH
    each = max(least, min(most, MOST_EXAMPLES // max(rules, 1)))
    return scope.tables.query(
        f"SELECT r.* FROM {table} AS r LEFT JOIN (SELECT image_key, true AS there FROM {scope.images}) AS i "
        "USING (image_key) QUALIFY row_number() OVER (PARTITION BY rule ORDER BY there IS NULL, md5(rejection_id)) "
        f"<= {each} ORDER BY rule, there IS NULL, md5(rejection_id)"
    )


def _example(row: Row, material: Material) -> Example:
    image = material.samples.images.get(row["image_key"])
    if image is None:
        return _alone(row, material.album)
    return _on_image(row, image, material.samples.annotations.get(row["image_key"], ()), material.album)


def _on_image(row: Row, image: Row, others: Sequence[Row], album: Album) -> Example:
    """A refused row over the picture it speaks of, whose accepted annotations are drawn thin."""
    if row["entity"] == "image" and (refused_hash := _hash_of(row)) not in (None, image["content_hash"]):
        return _bytes_alone(row, str(refused_hash), album)
    turn = turn_of(image)
    box = refused_box(row["message"], row["raw"], turn) if row["entity"] == "annotation" else None
    drawn = shapes(others, turn, "other")
    remark = None
    view: Box = (0, 0, *turn.size)
    if box is not None and is_near(box, turn.size):
        drawn += refused_shapes(box, turn.size, f"refused: {row['message'][:200]}")
        view = view_with(box, turn.size)
    elif row["entity"] == "annotation":
        remark = "its box lies too far outside to be drawn" if box else "no box can be read from what was delivered"
    name = album.want(image["content_hash"], image["orientation"], _SIDE)
    label = f"{image['image_key'][:200]}: {row['message'][:300]}"
    total = others[0]["total"] if others else 0
    base = scene(name, label, turn.size, drawn, total)
    seen = Scene(base.picture, base.label, base.width, base.height, view, base.shapes, base.note)
    return Example(row["path"], row["locator"], row["message"], row["raw"], seen, remark)


def _alone(row: Row, album: Album) -> Example:
    """A refused row whose image the version does not have; of an image file the bytes are tried."""
    refused_hash = _hash_of(row) if row["entity"] == "image" else None
    if refused_hash is not None:
        return _bytes_alone(row, refused_hash, album)
    remark = None if row["image_key"] is None else "its image is not there"
    return Example(row["path"], row["locator"], row["message"], row["raw"], None, remark)


def _bytes_alone(row: Row, content_hash: str, album: Album) -> Example:
    """A refused image file, shown as far as it can be decoded; its size is known only then."""
    name = album.want(content_hash, 0, _SIDE)
    seen = scene(name, f"{(row['path'] or '')[:200]}: {row['message'][:300]}", (0, 0), ())
    return Example(row["path"], row["locator"], row["message"], row["raw"], seen)


def _hash_of(row: Row) -> str | None:
    """The content hash in an image file's payload, which imagelake itself wrote."""
    if row["locator"] != "file":
        return None
    try:
        entry = json.loads(row["raw"] or "")
    except (ValueError, RecursionError):
        return None
    value = entry.get("content_hash") if isinstance(entry, dict) else None
    return value if isinstance(value, str) and len(value) == 64 else None
