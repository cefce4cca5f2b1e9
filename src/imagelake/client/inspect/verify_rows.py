"""What must hold between the rows of a version or draft, whatever their digests say: asked of DuckDB as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import KEYS, live
from imagelake.client.sql_text import name

_TOLERANCE = 1e-6
"""Of an image's side, by which a box may reach out: a box cut to its image is rounded."""

_EXAMPLES = 3


@dataclass(frozen=True)
class Problems:
    """The first problems of one check, one sentence each, and the number of all."""

    sentences: tuple[str, ...]
    count: int


def row_problems(tables: Tables, target: Target, most: int) -> Iterator[Problems]:
    """Check by check what contradicts the contract, at most `most` sentences a check.

    Keys are unique, annotations lie on images of the version, boxes inside them, coordinates are finite. In a version
    every image has one split, and neither the same bytes nor one group lie in two.
    """
    checks = [*(_repeated_keys(tables, target, entity) for entity in ("image", "annotation", "category"))]
    checks += [_orphans(tables, target), _boxes(tables, target), _polygons(tables, target)]
    if target.version is not None:
        checks += [_splitless(tables, target), _several_splits(tables, target)]
        checks += [_parted(tables, target, "content_hash"), _parted(tables, target, "group_key")]
    for check in checks:
        rows = tables.query(f"SELECT sentence, count(*) OVER () AS n FROM {check} ORDER BY sentence LIMIT {most}")
        if rows:
            yield Problems(tuple(row["sentence"] for row in rows), rows[0]["n"])


def _repeated_keys(tables: Tables, target: Target, entity: str) -> str:
    """Hashes are counted first: a table of the keys themselves would be as large as the rows."""
    key = name(KEYS[entity])
    rows = live(tables, target, entity, (KEYS[entity],))
    return (
        f"(SELECT concat('{entity} ''', {key}, ''': the key stands in ', count(*), ' rows') AS sentence FROM {rows} "
        f"WHERE hash({key}) IN (SELECT hash({key}) FROM {rows} GROUP BY ALL HAVING count(*) > 1) "
        f"GROUP BY {key} HAVING count(*) > 1)"
    )


def _orphans(tables: Tables, target: Target) -> str:
    annotations = live(tables, target, "annotation", ("annotation_key", "image_key"))
    images = live(tables, target, "image", ("image_key",))
    return (
        "(SELECT concat('annotation ''', annotation_key, ''': there is no image ''', image_key, '''') AS sentence "
        f"FROM {annotations} ANTI JOIN {images} AS i USING (image_key))"
    )


def _boxes(tables: Tables, target: Target) -> str:
    """Of every kind: those of polygons and masks are cut to the image as well."""
    annotations = live(tables, target, "annotation", ("annotation_key", "image_key", "bbox"))
    images = live(tables, target, "image", ("image_key", "width", "height"))
    inside = " AND ".join(
        f"isfinite(bbox.{at}) AND isfinite(bbox.{side}) AND bbox.{side} > 0 AND bbox.{at} >= -{_TOLERANCE} * {length} "
        f"AND bbox.{at} + bbox.{side} <= {length} * (1 + {_TOLERANCE})"
        for at, side, length in (("x", "w", "width"), ("y", "h", "height"))
    )
    box = ", ".join(f"' {side}=', bbox.{side}" for side in "xywh")
    return (
        f"(SELECT concat('annotation ''', annotation_key, ''': box', {box}, ' does not lie inside image ''', "
        f"image_key, ''' of ', width, ' x ', height) AS sentence FROM {annotations} AS a "
        f"JOIN {images} AS i USING (image_key) WHERE bbox IS NOT NULL AND NOT coalesce({inside}, false))"
    )


def _polygons(tables: Tables, target: Target) -> str:
    annotations = live(tables, target, "annotation", ("annotation_key", "image_key", "polygons"))
    return (
        "(SELECT concat('annotation ''', annotation_key, ''': a polygon on image ''', image_key, "
        f"''' has a coordinate that is not finite') AS sentence FROM {annotations} WHERE NOT coalesce(list_bool_and("
        "list_transform(flatten(polygons), lambda v: coalesce(isfinite(v), false))), true))"
    )


def _splitless(tables: Tables, target: Target) -> str:
    images = live(tables, target, "image", ("image_key",))
    splits = live(tables, target, "split", ("image_key",))
    return (
        "(SELECT concat('image ''', image_key, ''': it has no split') AS sentence "
        f"FROM {images} ANTI JOIN {splits} AS s USING (image_key))"
    )


def _several_splits(tables: Tables, target: Target) -> str:
    splits = live(tables, target, "split", ("image_key", "split"))
    listed = "array_to_string(list(split ORDER BY split), ', ')"
    return (
        f"(SELECT concat('image ''', image_key, ''': it has ', count(*), ' splits: ', {listed}) AS sentence "
        f"FROM {splits} GROUP BY image_key HAVING count(*) > 1)"
    )


def _parted(tables: Tables, target: Target, by: str) -> str:
    """Images that belong together by `by` and lie in several splits: an image of each of the first splits.

    One image in several splits is no such case: `_several_splits` names it.
    """
    images = live(tables, target, "image", ("image_key", "content_hash"))
    splits = live(tables, target, "split", ("image_key", "split", "group_key"))
    what = "images with the bytes " if by == "content_hash" else "images of group "
    per_split = (
        f"SELECT {by}, split, min(image_key) AS image_key FROM {images} AS i JOIN {splits} AS s USING (image_key) "
        f"WHERE {by} IS NOT NULL GROUP BY {by}, split"
    )
    examples = f"list(concat('''', image_key, ''' in ', split) ORDER BY split)[:{_EXAMPLES}]"
    return (
        f"(SELECT concat('{what}''', {by}, ''' lie in ', count(*), ' splits: ', array_to_string({examples}, ', ')) "
        f"AS sentence FROM ({per_split}) GROUP BY {by} HAVING count(DISTINCT image_key) > 1)"
    )
