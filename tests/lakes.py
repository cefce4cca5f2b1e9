"""Lakes made without Spark, row for row as the stages write them: for tests and measurements of the client.

`LakeMaker` holds a draft per dataset in memory. `deliver` writes it to silver with an upload row, `publish` appends
what changed to the gold logs and then the version row. Writes are collected until `flush`, one commit a table.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from imagelake import digest
from imagelake.tables import ALL, bronze, gold, ops, silver
from imagelake.tables.spec import TableSpec

Row = dict[str, Any]

_SCALARS = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
}
_LOGS = {
    "image": (gold.IMAGE_LOG, "image_key"),
    "annotation": (gold.ANNOTATION_LOG, "annotation_key"),
    "category": (gold.CATEGORY_LOG, "name"),
}


def arrow_type(ddl: str) -> pa.DataType:
    """The Arrow type of a Spark DDL type."""
    if ddl.startswith("array<"):
        return pa.list_(arrow_type(ddl[6:-1]))
    if ddl.startswith("struct<"):
        return pa.struct([(f.split(":")[0], arrow_type(f.split(":")[1])) for f in ddl[7:-1].split(",")])
    return _SCALARS[ddl]


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The Arrow schema of a table."""
    return pa.schema([(c.name, arrow_type(c.type)) for c in spec.columns])


def create_table(root: Path, spec: TableSpec, schema_number: int = 1) -> None:
    """An empty Delta table as the store creates it."""
    properties = {"delta.checkpointInterval": "100", "imagelake.schema": str(schema_number)}
    if spec.append_only:
        properties["delta.appendOnly"] = "true"
    if spec.stats:
        properties["delta.dataSkippingStatsColumns"] = ",".join(spec.stats)
    DeltaTable.create(
        str(root / spec.path),
        arrow_schema(spec),
        partition_by=list(spec.partition_by),
        configuration=properties,
        raise_if_key_not_exists=False,
    )


def write_rows(root: Path, spec: TableSpec, rows: Sequence[Row]) -> None:
    """One append of rows; what a row does not name is null."""
    table = pa.Table.from_pylist([{c.name: r.get(c.name) for c in spec.columns} for r in rows], arrow_schema(spec))
    write_deltalake(str(root / spec.path), table, mode="append")


@dataclass
class Draft:
    """What silver holds of a dataset, and which gold rows live."""

    images: dict[str, Row] = field(default_factory=dict)
    annotations: dict[str, Row] = field(default_factory=dict)
    categories: dict[str, Row] = field(default_factory=dict)
    live: dict[str, dict[str, Row]] = field(default_factory=lambda: {"image": {}, "annotation": {}, "category": {}})
    splits: dict[int, dict[str, Row]] = field(default_factory=lambda: {1: {}})
    deliveries: int = 0
    sequence: int = 0
    alias_sequence: int = 0
    number: int = 0
    fresh_uploads: list[str] = field(default_factory=list)

    def rows(self, entity: str) -> dict[str, Row]:
        """The draft's rows of an entity by key."""
        return {"image": self.images, "annotation": self.annotations, "category": self.categories}[entity]


class LakeMaker:
    """Makes a lake at a folder; `now` rises by one second at every use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drafts: dict[str, Draft] = {}
        self.pending: dict[str, list[Row]] = {}
        self._silver: set[str] = set()
        self._ticks = itertools.count()
        root.mkdir(parents=True, exist_ok=True)
        mark = {"format": 1, "lake_id": uuid.uuid4().hex, "created": "2026-01-01T00:00:00+00:00", "needs": "0.1.0"}
        (root / "imagelake.json").write_text(json.dumps(mark))
        for spec in ALL:
            create_table(root, spec)

    def now(self) -> datetime:
        """A time in UTC, later than the one before."""
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=next(self._ticks))

    def draft(self, dataset: str) -> Draft:
        """The dataset's draft, empty at first."""
        return self.drafts.setdefault(dataset, Draft())

    def image(self, dataset: str, key: str, content: bytes | None = None, **values: Any) -> Row:
        """Put an image into the draft; its bytes are not stored by this."""
        data = content if content is not None else f"{dataset}/{key}".encode()
        row: Row = {
            "dataset": dataset,
            "image_key": key,
            "content_hash": hashlib.sha256(data).hexdigest(),
            "media_type": "image/png",
            "length": len(data),
            "width": 64,
            "height": 48,
            "orientation": 1,
            "mode": "RGB",
            "frames": 1,
            "split": None,
            "labelled": ["box"],
            "attributes": None,
            **values,
        }
        row["row_hash"] = digest.image_hash(row)
        self.draft(dataset).images[key] = row
        return row

    def box(self, dataset: str, image_key: str, category: str, bbox: Sequence[float] | None, **values: Any) -> Row:
        """Put an annotation into the draft, and its category when it is new."""
        row: Row = {
            "dataset": dataset,
            "image_key": image_key,
            "kind": "box",
            "category": category,
            "bbox": None if bbox is None else dict(zip("xywh", map(float, bbox), strict=True)),
            "box_space": "same",
            "polygons": None,
            "rle_size": None,
            "rle_counts": None,
            "area": None if bbox is None else float(bbox[2] * bbox[3]),
            "is_crowd": False,
            "keypoints": None,
            "attributes": None,
            **values,
        }
        draft = self.draft(dataset)
        row["row_hash"] = digest.annotation_hash(row)
        ordinal = next(i for i in itertools.count() if _annotation_key(row, i) not in draft.annotations)
        row["annotation_key"] = _annotation_key(row, ordinal)
        draft.annotations[row["annotation_key"]] = row
        if category not in draft.categories:
            self.category(dataset, category)
        return row

    def category(self, dataset: str, name: str, **values: Any) -> Row:
        """Put a category into the draft."""
        known = self.draft(dataset).categories
        row: Row = {"dataset": dataset, "name": name, "supercategory": None, "train_index": len(known), **values}
        row["row_hash"] = digest.category_hash(row)
        known[name] = row
        return row

    def drop_image(self, dataset: str, key: str) -> None:
        """Take an image and its annotations out of the draft."""
        draft = self.draft(dataset)
        del draft.images[key]
        draft.annotations = {k: r for k, r in draft.annotations.items() if r["image_key"] != key}

    def drop_box(self, row: Row) -> None:
        """Take an annotation out of the draft."""
        del self.draft(row["dataset"]).annotations[row["annotation_key"]]

    def deliver(self, dataset: str, state: str = "built", **values: Any) -> str:
        """Write the draft to silver as one delivery; `landed` and `rejected` write the upload row only."""
        draft = self.draft(dataset)
        draft.deliveries += 1
        upload = hashlib.sha256(f"{dataset}#{draft.deliveries}".encode()).hexdigest()
        for step in ("landed", state) if state != "landed" else ("landed",):
            counts = dict.fromkeys(("read", "accepted", "unchanged", "rejected", "ignored", "removed"), 0)
            row = {
                "dataset": dataset,
                "sequence": draft.deliveries,
                "upload_id": upload,
                "state": step,
                "mode": "append",
            }
            row |= {
                "files": counts,
                "images": counts,
                "annotations": counts,
                "rejections": 0,
                "at": self.now(),
                **values,
            }
            self.add(bronze.UPLOADS, row)
        if state == "built":
            self._silver.add(dataset)
            draft.fresh_uploads.append(upload)
        return upload

    def publish(self, dataset: str, *, crash: bool = False, **values: Any) -> int:
        """Append the difference of draft and live rows, then the version row; a crash leaves the version row out."""
        draft, publish_id, number = self.draft(dataset), uuid.uuid4().hex, self.draft(dataset).number + 1
        live = {entity: dict(rows) for entity, rows in draft.live.items()}
        splits = {recipe: dict(rows) for recipe, rows in draft.splits.items()}
        stamp = {"dataset": dataset, "added_in": number, "publish_id": publish_id}
        for entity, (spec, _) in _LOGS.items():
            self._difference(spec, entity, live[entity], draft.rows(entity), stamp)
        wanted = {k: self._split_row(dataset, 1, r, splits[1].get(k)) for k, r in draft.images.items()}
        self._difference(gold.SPLIT_LOG, "split", splits[1], wanted, stamp)
        if crash:
            return number
        draft.live, draft.splits, draft.number = live, splits, number
        self._version(dataset, number, 1, publish_id, values | {"upload_ids": draft.fresh_uploads})
        draft.fresh_uploads = []
        return number

    def add_recipe(self, dataset: str, recipe: int, splits: Mapping[str, str]) -> None:
        """Another split recipe of the newest version's content: image key to split."""
        draft, publish_id = self.draft(dataset), uuid.uuid4().hex
        stamp = {"dataset": dataset, "added_in": draft.number, "publish_id": publish_id}
        wanted = {k: {"dataset": dataset, "recipe": recipe, "image_key": k, "split": s} for k, s in splits.items()}
        self._difference(gold.SPLIT_LOG, "split", draft.splits.setdefault(recipe, {}), wanted, stamp)
        self._version(dataset, draft.number, recipe, publish_id, {})

    def state(self, dataset: str, number: int, state: str, recipe: int = 1) -> None:
        """A later state row of a version."""
        rows = [r for r in self.versions(dataset) if (r["number"], r["recipe"]) == (number, recipe)]
        draft = self.draft(dataset)
        draft.sequence += 1
        self.add(gold.VERSIONS, rows[-1] | {"state": state, "sequence": draft.sequence, "at": self.now()})

    def versions(self, dataset: str) -> list[Row]:
        """The version rows written so far (after a flush)."""
        rows = DeltaTable(str(self.root / gold.VERSIONS.path)).to_pyarrow_table().to_pylist()
        return sorted((r for r in rows if r["dataset"] == dataset), key=lambda r: r["sequence"])

    def alias(self, dataset: str, name: str, number: int | None, recipe: int = 1) -> None:
        """Give, move or (number None) take away a name."""
        draft = self.draft(dataset)
        draft.alias_sequence += 1
        row = {"dataset": dataset, "sequence": draft.alias_sequence, "alias": name, "number": number}
        self.add(gold.ALIASES, row | {"recipe": None if number is None else recipe, "at": self.now()})

    def reject(self, dataset: str, rule: str, *, closed: bool = False, **values: Any) -> None:
        """A rejection row."""
        row = {"dataset": dataset, "rejection_id": uuid.uuid4().hex, "entity": "annotation", "rule": rule}
        row |= {"severity": "reject", "message": f"{rule} broken", "opened_at": self.now(), "delivery": 1, **values}
        self.add(silver.REJECTIONS, row | {"closed_at": self.now() if closed else None})

    def run(self, run_id: str, verb: str, status: str | None, dataset: str | None = None) -> None:
        """A run's start row and, with a status, its end row."""
        row = {"run_id": run_id, "verb": verb, "dataset": dataset, "host": "h", "pid": 1, "program": "0.1.0"}
        self.add(ops.RUNS, row | {"phase": "start", "status": "running", "at": self.now()})
        if status is not None:
            problem = "it broke" if status == "failed" else None
            end = {"phase": "end", "status": status, "seconds": 1.5, "problem": problem, "at": self.now()}
            self.add(ops.RUNS, row | end)

    def add(self, spec: TableSpec, *rows: Row) -> None:
        """Collect rows for the next flush."""
        self.pending.setdefault(spec.name, []).extend(rows)

    def flush(self) -> None:
        """Write what was collected: silver partitions anew, everything else as appends, gold.versions last."""
        for dataset in sorted(self._silver):
            self._write_silver(dataset)
        self._silver.clear()
        for spec in sorted(ALL, key=lambda s: s is gold.VERSIONS):
            rows = self.pending.pop(spec.name, None)
            if rows:
                write_rows(self.root, spec, rows)

    def _write_silver(self, dataset: str) -> None:
        draft = self.drafts[dataset]
        for spec, rows in (
            (silver.IMAGES, draft.images),
            (silver.ANNOTATIONS, draft.annotations),
            (silver.CATEGORIES, draft.categories),
        ):
            where = f"dataset = '{dataset}'"
            table = pa.Table.from_pylist(_complete(spec, rows.values()), arrow_schema(spec))
            write_deltalake(str(self.root / spec.path), table, mode="overwrite", predicate=where)

    def _difference(
        self, spec: TableSpec, entity: str, live: dict[str, Row], wanted: Mapping[str, Row], stamp: Row
    ) -> None:
        for key in [k for k, r in live.items() if k not in wanted or not _same(r, wanted[k])]:
            row = live.pop(key)
            closing = {"entity": entity, "row_id": row["row_id"], "removed_in": stamp["added_in"]}
            self.add(gold.CLOSINGS, closing | {"dataset": stamp["dataset"], "publish_id": stamp["publish_id"]})
        for key, row in wanted.items():
            if key not in live:
                live[key] = row | stamp | {"row_id": uuid.uuid4().hex}
                self.add(spec, live[key])

    def _split_row(self, dataset: str, recipe: int, image: Row, known: Row | None) -> Row:
        if known is not None:
            return known
        draw = int(image["content_hash"][:4], 16) / 0xFFFF
        split = image["split"] or ("train" if draw < 0.8 else "val" if draw < 0.9 else "test")
        return {"dataset": dataset, "recipe": recipe, "image_key": image["image_key"], "split": split}

    def _version(self, dataset: str, number: int, recipe: int, publish_id: str, values: Row) -> None:
        draft = self.draft(dataset)
        draft.sequence += 1
        sets = [digest.set_digest(r["row_hash"] for r in draft.live[e].values()) for e in _LOGS]
        content = digest.content_digest(*sets)
        splits = digest.set_digest(digest.split_hash(r) for r in draft.splits[recipe].values())
        row: Row = {"dataset": dataset, "sequence": draft.sequence, "number": number, "recipe": recipe}
        row |= {"state": "published", "parent": f"v{number - 1}.{recipe}" if number > 1 else None, "quality": "{}"}
        row |= {"publish_id": publish_id, "content_digest": content, "digest": digest.version_digest(content, splits)}
        row |= {"images": sets[0].count, "annotations": sets[1].count, "categories": sets[2].count}
        row |= {
            "split_stats": json.dumps(self._split_stats(draft, recipe)),
            "class_stats": json.dumps(_class_stats(draft)),
        }
        self.add(gold.VERSIONS, row | {"upload_ids": [], "at": self.now(), "settings": "{}"} | values)

    def _split_stats(self, draft: Draft, recipe: int) -> dict[str, dict[str, int]]:
        stats: dict[str, dict[str, int]] = {}
        of_image = {k: r["split"] for k, r in draft.splits[recipe].items()}
        for split in of_image.values():
            stats.setdefault(split, {"images": 0, "annotations": 0})["images"] += 1
        for row in draft.annotations.values():
            stats[of_image[row["image_key"]]]["annotations"] += 1
        return stats


def _class_stats(draft: Draft) -> dict[str, dict[str, int]]:
    images: dict[str, set[str]] = {name: set() for name in draft.categories}
    counts = dict.fromkeys(draft.categories, 0)
    for row in draft.annotations.values():
        images[row["category"]].add(row["image_key"])
        counts[row["category"]] += 1
    return {name: {"images": len(images[name]), "annotations": counts[name]} for name in draft.categories}


def _complete(spec: TableSpec, rows: Iterable[Row]) -> list[Row]:
    return [{c.name: r.get(c.name) for c in spec.columns} for r in rows]


def _same(live: Row, wanted: Row) -> bool:
    return bool(live["split"] == wanted["split"] if "row_hash" not in live else live["row_hash"] == wanted["row_hash"])


def _annotation_key(row: Row, ordinal: int) -> str:
    parts = f"{row['image_key']}\n{row['kind']}\n{row['category']}\n{ordinal}\n".encode()
    return hashlib.sha256(parts + digest.geometry_bytes(row)).hexdigest()
