"""The contact sheet: pictures of every class and split with their annotations drawn, and those without any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagelake.client.text import Row, texts
from imagelake.report.album import Album
from imagelake.report.scene import Scene, scene, shapes, turn_of
from imagelake.report.scope import Scope, annotation_rows, image_rows

MOST_CLASSES, MOST_SPLITS, MOST_PICTURES = 24, 6, 240
_EACH = (2, 6)
_SIDE = 280
_MOST_OTHERS = 60

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
class _Samples:
    """The rows of all sampled images and of their annotations, and where pictures are asked for."""

    images: Mapping[str, Row]
    annotations: Mapping[str, Sequence[Row]]
    album: Album


def contact(scope: Scope, album: Album) -> Contact | None:
    """The section; None when there is no image."""
    classes, more = _classes(scope)
    by_class = _of_classes(scope, classes)
    bare = [(title, doc, _without_annotations(scope, condition)) for title, doc, condition in _BARE]
    rows = [*by_class, *(row for _, _, found in bare for row in found)]
    keys = [key for row in rows for key in row["keys"]]
    samples = _Samples(
        image_rows(scope.tables, scope.target, keys), annotation_rows(scope.tables, scope.target, keys), album
    )
    sheets = [
        Sheet(name or "without a class", None, _strips(scope, _only(by_class, name), samples)) for name in classes
    ]
    sheets += [Sheet(title, doc, _strips(scope, found, samples)) for title, doc, found in bare if found]
    return Contact(tuple(sheets), more, max(0, len(scope.splits) - MOST_SPLITS)) if sheets else None


def _classes(scope: Scope) -> tuple[list[str], int]:
    """The classes with most annotations, in the order of the training index, and how many more there are."""
    rows = scope.tables.query(
        f"SELECT category, sum(n) AS n FROM {scope.classes_of_images} GROUP BY category ORDER BY n DESC, category"
    )
    order = {name: place for place, name in enumerate(scope.categories)}
    names = sorted((r["category"] for r in rows[:MOST_CLASSES]), key=lambda name: (order.get(name, len(order)), name))
    return names, len(rows) - len(names)


def _of_classes(scope: Scope, classes: Sequence[str]) -> list[Row]:
    """category, split, images, keys: the first images of each by a hash of their key."""
    if not classes:
        return []
    least, most = _EACH
    splits = min(len(scope.splits), MOST_SPLITS)
    each = max(least, min(most, MOST_PICTURES // (len(classes) * splits)))
    return scope.tables.query(
        f"SELECT c.category, i.split, count(*) AS images, arg_min(i.image_key, i.draw, {each}) AS keys "
        f"FROM {scope.classes_of_images} AS c JOIN {scope.images} AS i ON i.id = c.image "
        f"WHERE c.category IN ({texts(classes)}) AND i.split IN ({texts(scope.splits[:MOST_SPLITS])}) "
        "GROUP BY c.category, i.split"
    )


def _without_annotations(scope: Scope, condition: str) -> list[Row]:
    return scope.tables.query(
        f"SELECT NULL AS category, i.split, count(*) AS images, arg_min(i.image_key, i.draw, {_EACH[1]}) AS keys "
        f"FROM {scope.images} AS i ANTI JOIN {scope.classes_of_images} AS c ON c.image = i.id "
        f"WHERE {condition} AND i.split IN ({texts(scope.splits[:MOST_SPLITS])}) GROUP BY i.split"
    )


def _only(rows: Iterable[Row], category: str) -> list[Row]:
    return [r for r in rows if r["category"] == category]


def _strips(scope: Scope, rows: Sequence[Row], samples: _Samples) -> tuple[Strip, ...]:
    by_split = {r["split"]: r for r in rows}
    ordered = [by_split[split] for split in scope.splits if split in by_split]
    return tuple(
        Strip(r["split"], r["images"], tuple((key, _scene(key, r["category"], samples)) for key in r["keys"]))
        for r in ordered
    )


def _scene(key: str, category: str | None, samples: _Samples) -> Scene:
    """An image whose annotations of a class stand out; all others are drawn thin."""
    image, rows = samples.images[key], samples.annotations.get(key, ())
    turn = turn_of(image)
    focus = [r for r in rows if (r["category"] or "") == category]
    others = [r for r in rows if (r["category"] or "") != category]
    drawn = shapes(others[:_MOST_OTHERS], turn, "other") + shapes(focus, turn, "focus")
    name = samples.album.want(image["content_hash"], image["orientation"], _SIDE)
    label = f"{key[:200]}, {len(focus)} of class {category[:80] or 'none'}" if category is not None else key[:200]
    return scene(name, label, turn.size, drawn, rows[0]["total"] if rows else 0)
