"""The contact sheet: pictures of every class and split with their annotations drawn, and those without any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagelake.client.sql_text import Row, texts
from imagelake.report.pictures.scene import Scene, orientation_of, scene, shapes
from imagelake.report.scope import ReportScope
from imagelake.report.sketch import Material, Sketch

MOST_CLASSES, MOST_SPLITS, MOST_PICTURES = 24, 6, 240
_EACH = (2, 6)
_SIDE = 280
_MOST_OTHERS = 60
_CLASSLESS = "without a class"

_BARE = (
    ("images labelled with nothing", "Somebody looked, and there was nothing to label.", "len(labelled) > 0"),
    ("unlabelled images", "Nobody has labelled them: they are no negatives.", "coalesce(len(labelled), 0) = 0"),
)


@dataclass(frozen=True)
class Strip:
    """Pictures of one split: how many images there are in all, and a few of them with their keys."""

    split: str
    images: int
    scenes: tuple[tuple[str, Scene], ...]


@dataclass(frozen=True)
class Sheet:
    """Strips of one class, or of images without annotations; `doc` says what they are."""

    title: str
    doc: str | None
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Contact:
    """Sheets, those of classes first, and the number of classes and splits that are not shown here."""

    sheets: tuple[Sheet, ...]
    more_classes: int
    more_splits: int


@dataclass(frozen=True)
class _Focus:
    """The class whose annotations stand out: as rows have it, and its title."""

    category: str | None
    title: str


def contact(scope: ReportScope) -> Sketch[Contact] | None:
    """The section; None when there is no image."""
    classes, more = _classes(scope)
    by_class = _of_classes(scope, classes)
    bare = [(title, doc, _without_annotations(scope, condition)) for title, doc, condition in _BARE]
    rows = [*by_class, *(row for _, _, bare_rows in bare for row in bare_rows)]
    if not rows:
        return None

    def drawn(material: Material) -> Contact:
        sheets = [_sheet(scope, class_id, by_class, material) for class_id in classes]
        sheets += [
            Sheet(title, doc, _strips(scope, bare_rows, material, None)) for title, doc, bare_rows in bare if bare_rows
        ]
        return Contact(tuple(sheets), more, max(0, len(scope.splits) - MOST_SPLITS))

    return Sketch(drawn, {key for row in rows for key in row["keys"]})


def _classes(scope: ReportScope) -> tuple[list[int | None], int]:
    """The classes with most annotations, in the order of the training index, and how many more there are."""
    rows = scope.tables.query(
        f"SELECT class, sum(n) AS n FROM {scope.classes_of_images} GROUP BY class ORDER BY n DESC, class"
    )
    shown = [r["class"] for r in rows[:MOST_CLASSES]]
    return sorted(shown, key=lambda class_id: (class_id is None, class_id)), len(rows) - len(shown)


def _of_classes(scope: ReportScope, classes: Sequence[int | None]) -> list[Row]:
    """class, split, images, keys: the first images of each by a hash of their key."""
    if not classes:
        return []
    least, most = _EACH
    splits = min(len(scope.splits), MOST_SPLITS)
    each = max(least, min(most, MOST_PICTURES // (len(classes) * splits)))
    listed = ", ".join(str(-1 if c is None else c) for c in classes)
    return scope.tables.query(
        f"SELECT c.class, i.split, count(*) AS images, arg_min(i.image_key, i.draw, {each}) AS keys "
        f"FROM {scope.classes_of_images} AS c JOIN {scope.images} AS i ON i.id = c.image "
        f"WHERE coalesce(c.class, -1) IN ({listed}) AND i.split IN ({texts(scope.splits[:MOST_SPLITS])}) "
        "GROUP BY c.class, i.split"
    )


def _without_annotations(scope: ReportScope, condition: str) -> list[Row]:
    return scope.tables.query(
        f"SELECT i.split, count(*) AS images, arg_min(i.image_key, i.draw, {_EACH[1]}) AS keys "
        f"FROM {scope.images} AS i ANTI JOIN {scope.annotated} AS a ON a.image = i.id "
        f"WHERE {condition} AND i.split IN ({texts(scope.splits[:MOST_SPLITS])}) GROUP BY i.split"
    )


def _sheet(scope: ReportScope, class_id: int | None, rows: Iterable[Row], material: Material) -> Sheet:
    name = scope.name_of(class_id) or _CLASSLESS
    of_class = [r for r in rows if r["class"] == class_id]
    return Sheet(name, None, _strips(scope, of_class, material, _Focus(scope.name_of(class_id), name)))


def _strips(scope: ReportScope, rows: Sequence[Row], material: Material, focus: _Focus | None) -> tuple[Strip, ...]:
    by_split = {r["split"]: r for r in rows}
    ordered = [by_split[split] for split in scope.splits if split in by_split]
    return tuple(
        Strip(r["split"], r["images"], tuple((key, _scene(key, focus, material)) for key in r["keys"])) for r in ordered
    )


def _scene(key: str, focus: _Focus | None, material: Material) -> Scene:
    """An image whose annotations of a class stand out; all others are drawn thin."""
    image, rows = material.samples.images[key], material.samples.annotations.get(key, ())
    orientation = orientation_of(image)
    strong = [r for r in rows if focus is not None and r["category"] == focus.category]
    others = [r for r in rows if focus is None or r["category"] != focus.category]
    drawn = shapes(others[:_MOST_OTHERS], orientation, "other") + shapes(strong, orientation, "focus")
    name = material.album.want(image["content_hash"], image["orientation"], _SIDE)
    label = key[:200] if focus is None else f"{key[:200]}, {len(strong)} of class {focus.title[:80]}"
    return scene(name, label, orientation.size, drawn, rows[0]["total"] if rows else 0)
