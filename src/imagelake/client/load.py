"""`lake.load(REF, …)`: the rows of a selection as Arrow tables, and where the bytes of its images are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagelake.client.blobs import blobs
from imagelake.client.catalog import Target, digest_of
from imagelake.client.refs import nearest
from imagelake.client.rows import DRAFTS, check_count, count, live
from imagelake.client.samples import Samples
from imagelake.client.selection import Selection, in_sample, keys_digest
from imagelake.client.tables import Tables
from imagelake.client.text import Row, name, select
from imagelake.client.turn import Turn
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.storage.base import Storage
from imagelake.tables import silver

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGE = tuple(c for c in silver.IMAGES.names if c not in ("split", "width", "height", "row_hash"))
_ANNOTATION = tuple(c for c in silver.ANNOTATIONS.names if c != "row_hash")
_PLACE = ("uri", "offset", "length", "size", "codec")


@dataclass(frozen=True)
class Source:
    """Where to load from: the lake's storage, and the version or draft."""

    storage: Storage
    target: Target


def load(
    tables: Tables,
    source: Source,
    selection: Selection,
    images: Collection[str] | None,
    matching: Callable[[str], Iterable[str]],
) -> Samples:
    """The samples of a selection. `matching` gives the image keys for a condition.

    NotFound when a split or an image key does not exist; IntegrityError when rows or bytes of the version are missing.
    """
    target = source.target
    for entity in DRAFTS:
        check_count(target, entity, count(tables, target, entity))
    rows = _images(tables, target)
    chosen = _chosen(rows, selection, _given(selection, images), matching)
    unlabelled = sum(not r["labelled"] for r in chosen)
    if not selection.unlabelled:
        chosen = [r for r in chosen if r["labelled"]]
    keys = [r["image_key"] for r in chosen]
    tables.con.execute("CREATE TEMP TABLE _chosen AS SELECT unnest($1::VARCHAR[]) AS image_key", [keys])
    shown, boxes = _image_table(tables, target), _annotation_table(tables, target)
    if selection.oriented:
        shown, boxes = _turned(shown, boxes)
    return Samples(
        ref=_ref(tables, target, selection),
        images=shown,
        annotations=boxes,
        classes=_classes(tables, target),
        unlabelled=unlabelled,
        oriented=selection.oriented,
        places=_places(tables, target.dataset, shown),
        starts=_starts(shown, boxes),
        storage=source.storage,
    )


def _images(tables: Tables, target: Target) -> list[Row]:
    images = live(tables, target, "image", ("image_key", "content_hash", "labelled"))
    splits = live(tables, target, "split", ("image_key", "split"))
    return tables.query(
        f"SELECT i.image_key, i.content_hash, len(i.labelled) > 0 AS labelled, s.split FROM {images} AS i "
        f"LEFT JOIN {splits} AS s USING (image_key) ORDER BY image_key"
    )


def _given(selection: Selection, images: Collection[str] | None) -> set[str] | None:
    if images is None:
        if selection.images:
            raise UsageError("the reference was made with a list of images", hint="pass the same list as images=")
        return None
    return set(images)


def _chosen(
    rows: list[Row], selection: Selection, images: set[str] | None, matching: Callable[[str], Iterable[str]]
) -> list[Row]:
    """The rows that meet every condition, unlabelled ones too."""
    if images is not None:
        missing = sorted(images - {r["image_key"] for r in rows})
        if missing:
            raise NotFound(f"{len(missing)} of the images are not in this version, for example {missing[0]!r}")
        if selection.images != keys_digest(images):
            raise IntegrityError("the list of images is not the one the reference was made with")
        rows = [r for r in rows if r["image_key"] in images]
    if selection.split is not None:
        known = {r["split"] for r in rows if r["split"]}
        if selection.split not in known:
            hint = nearest(selection.split, known, "splits")
            raise NotFound(f"there is no split {selection.split!r} here", hint=hint)
        rows = [r for r in rows if r["split"] == selection.split]
    if selection.where is not None:
        keys = set(matching(selection.where))
        rows = [r for r in rows if r["image_key"] in keys]
    if selection.sample is not None:
        rows = [r for r in rows if in_sample(r["content_hash"], selection.sample)]
    return rows


def _image_table(tables: Tables, target: Target) -> pa.Table:
    images = live(tables, target, "image", (*_IMAGE, "width", "height"))
    splits = live(tables, target, "split", ("image_key", "split"))
    return _arrow(
        tables,
        f"SELECT {', '.join(f'i.{name(c)}' for c in _IMAGE)}, i.width, i.height, i.width AS raw_width, "
        f"i.height AS raw_height, s.split FROM {images} AS i SEMI JOIN _chosen AS c USING (image_key) "
        f"LEFT JOIN {splits} AS s USING (image_key) ORDER BY image_key",
    )


def _annotation_table(tables: Tables, target: Target) -> pa.Table:
    boxes = live(tables, target, "annotation", _ANNOTATION)
    classes = live(tables, target, "category", ("name", "train_index"))
    return _arrow(
        tables,
        f"SELECT {', '.join(f'a.{name(c)}' for c in _ANNOTATION)}, k.train_index FROM {boxes} AS a "
        f"SEMI JOIN _chosen AS c USING (image_key) LEFT JOIN {classes} AS k ON k.name = a.category "
        "ORDER BY image_key, annotation_key",
    )


def _arrow(tables: Tables, sql: str) -> pa.Table:
    return tables.con.sql(sql).to_arrow_table()


def _turned(images: pa.Table, boxes: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Sizes and geometry in the space of the shown images; most lakes have few images to turn, or none."""
    import pyarrow as pa

    rows = images.select(["image_key", "orientation", "width", "height"]).to_pylist()
    turns = {
        r["image_key"]: Turn(r["orientation"], r["width"], r["height"]) for r in rows if (r["orientation"] or 1) > 1
    }
    if not turns:
        return images, boxes
    sizes = [turns[r["image_key"]].size if r["image_key"] in turns else (r["width"], r["height"]) for r in rows]
    for place, side in enumerate(("width", "height")):
        column = pa.array([s[place] for s in sizes], images.schema.field(side).type)
        images = images.set_column(images.schema.get_field_index(side), side, column)
    geometry = ["image_key", "bbox", "polygons", "rle_size", "rle_counts", "keypoints"]
    found = [_turned_row(r, turns.get(r["image_key"])) for r in boxes.select(geometry).to_pylist()]
    for column in geometry[1:]:
        values = pa.array([r[column] for r in found], boxes.schema.field(column).type)
        boxes = boxes.set_column(boxes.schema.get_field_index(column), column, values)
    return images, boxes


def _turned_row(row: Row, turn: Turn | None) -> Row:
    if turn is None:
        return row
    if row["bbox"] is not None:
        box = turn.box((row["bbox"]["x"], row["bbox"]["y"], row["bbox"]["w"], row["bbox"]["h"]))
        row["bbox"] = dict(zip("xywh", box, strict=True))
    if row["polygons"] is not None:
        row["polygons"] = [turn.polygon(p) for p in row["polygons"]]
    if row["keypoints"] is not None:
        row["keypoints"] = turn.keypoints(row["keypoints"])
    if row["rle_counts"] is not None:
        row["rle_size"], row["rle_counts"] = turn.size[::-1], turn.mask(row["rle_counts"])
    return row


def _ref(tables: Tables, target: Target, selection: Selection) -> str:
    version = target.version
    if version is None:
        return f"{target.name}{selection}"
    return f"{target.dataset}@v{version.number}.{version.recipe}#{digest_of(tables, version)}{selection}"


def _classes(tables: Tables, target: Target) -> tuple[str | None, ...]:
    source = live(tables, target, "category", ("name", "train_index"))
    rows = tables.query(f"SELECT {select(('name', 'train_index'))} FROM {source} WHERE train_index IS NOT NULL")
    names = {r["train_index"]: r["name"] for r in rows}
    return tuple(names.get(i) for i in range(max(names, default=-1) + 1))


def _places(tables: Tables, dataset: str, images: pa.Table) -> pa.Table:
    import pyarrow as pa

    hashes: Sequence[str] = images.column("content_hash").to_pylist()
    found = blobs(tables, dataset, hashes)
    lost = [i for i, h in enumerate(hashes) if h not in found]
    if lost:
        key = images.column("image_key")[lost[0]].as_py()
        raise IntegrityError(
            f"the bytes of {len(lost)} images have no place in the lake, for example {key!r}",
            hint="verify the version; restore the lake from a copy",
        )
    first = [found[h][0] for h in hashes]
    columns: dict[str, list[Any]] = {c: [getattr(b.place, c) for b in first] for c in _PLACE}
    types = {"uri": pa.string(), "codec": pa.string()}
    schema = pa.schema([(c, types.get(c, pa.int64())) for c in (*_PLACE, "crc32")])
    return pa.table(columns | {"crc32": [b.crc32 for b in first]}, schema)


def _starts(images: pa.Table, boxes: pa.Table) -> tuple[int, ...]:
    """Where each image's annotations begin; one more at the end."""
    counts: dict[str, int] = {}
    for key in boxes.column("image_key").to_pylist():
        counts[key] = counts.get(key, 0) + 1
    starts = [0]
    for key in images.column("image_key").to_pylist():
        starts.append(starts[-1] + counts.get(key, 0))
    return tuple(starts)
