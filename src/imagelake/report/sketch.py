"""A section in two steps: counted first, drawn later, so that the rows of all sampled images are read at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import live
from imagelake.client.sql_text import Row, select
from imagelake.report.pictures.album import Album

MOST_DRAWN = 100
"""Annotations of one image that are read for its picture."""

_MOST_NUMBERS = 200
"""Coordinates of an outline; one with more is drawn as its box."""

_IMAGE = ("image_key", "content_hash", "width", "height", "orientation", "labelled", "flags")
_ANNOTATION = ("annotation_key", "image_key", "kind", "category", "bbox", "polygons", "keypoints", "flags")


@dataclass(frozen=True)
class SketchRows:
    """Rows in raw pixels by image key; keys that the version does not have are left out.

    Of an image at most MOST_DRAWN annotations, outlines only while they are small. Each annotation has `total`, the
    number of annotations of its image.
    """

    images: Mapping[str, Row]
    annotations: Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Material:
    """What sections are drawn with: rows of the sampled images, and the album to ask for pictures."""

    samples: SketchRows
    album: Album


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Sketch(Generic[T_co]):
    """A section that is counted: what makes its content, the image keys it needs for that, and annotations first."""

    draw: Callable[[Material], T_co]
    keys: Collection[str] = ()
    first: Collection[str] = ()


def finished(content: object | None) -> Sketch[object] | None:
    """The sketch of a section without pictures; None for none."""
    return None if content is None else Sketch(lambda _: content)


def samples(tables: Tables, target: Target, keys: Iterable[str], first: Iterable[str] = ()) -> SketchRows:
    """The rows of these images. Annotations in `first` are taken before others, then some of every class and flag."""
    tables.con.execute(
        "CREATE OR REPLACE TEMP TABLE _report_keys AS SELECT unnest($1::VARCHAR[]) AS image_key", [sorted(set(keys))]
    )
    return SketchRows(_image_rows(tables, target), _annotation_rows(tables, target, first))


def _image_rows(tables: Tables, target: Target) -> dict[str, Row]:
    source = live(tables, target, "image", _IMAGE)
    rows = tables.query(f"SELECT {select(_IMAGE)} FROM {source} SEMI JOIN _report_keys USING (image_key)")
    return {r["image_key"]: r | {"orientation": r["orientation"] or 1} for r in rows}


def _annotation_rows(tables: Tables, target: Target, first: Iterable[str]) -> dict[str, list[Row]]:
    tables.con.execute(
        "CREATE OR REPLACE TEMP TABLE _report_first AS SELECT unnest($1::VARCHAR[]) AS annotation_key, true AS first",
        [sorted(set(first))],
    )
    source = live(tables, target, "annotation", _ANNOTATION)
    small = f"CASE WHEN len(flatten(polygons)) <= {_MOST_NUMBERS} THEN polygons END"
    of_class = "row_number() OVER (PARTITION BY image_key, category, flags ORDER BY annotation_key) AS of_class"
    rows = tables.query(
        f"SELECT * REPLACE ({small} AS polygons), count(*) OVER (PARTITION BY image_key) AS total FROM "
        f"(SELECT *, {of_class} FROM {source} SEMI JOIN _report_keys USING (image_key)) "
        "LEFT JOIN _report_first USING (annotation_key) QUALIFY row_number() OVER "
        f"(PARTITION BY image_key ORDER BY first IS NULL, of_class, annotation_key) <= {MOST_DRAWN} "
        "ORDER BY image_key, annotation_key"
    )
    by_image: dict[str, list[Row]] = {}
    for row in rows:
        by_image.setdefault(row["image_key"], []).append(row)
    return by_image
